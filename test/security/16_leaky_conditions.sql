-- Attack 16: conditions that speak. A function that tells what it sees, and casts and divisions that fail on a value,
-- are evaluated on one's own rows only.
BEGIN;
SELECT plan(22);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int, tenant_id uuid, body text, divisor int);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), '11', 1), (2, b(), 'secret of b', 0), (3, b(), 'other secret', 0), (4, a(), '44', 4);
SELECT make_role();
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
ANALYZE notes;

SELECT act_as('app', a());
CREATE TEMP TABLE heard (what text);
CREATE FUNCTION tell(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    INSERT INTO pg_temp.heard VALUES (what);
    RETURN true;
END
$$;
CREATE FUNCTION told() RETURNS text[] LANGUAGE sql AS 'SELECT array_agg(DISTINCT what ORDER BY what) FROM pg_temp.heard';

SELECT lives_ok(statement, statement)
FROM (VALUES
    ('SELECT * FROM notes WHERE tell(body)'),
    ('SELECT * FROM notes WHERE tell(body) AND id = 2'),
    ('SELECT * FROM notes n JOIN notes m ON tell(m.body) WHERE tell(n.body)'),
    ('SELECT * FROM notes n LEFT JOIN notes m ON m.id = n.id AND tell(m.body)'),
    ('SELECT * FROM notes GROUP BY id, tenant_id, body, divisor HAVING tell(body)'),
    ('UPDATE notes SET body = body WHERE tell(body)'),
    ('DELETE FROM notes WHERE tell(body) AND false'),
    ('SELECT count(*) FILTER (WHERE tell(body)) FROM notes'),
    ('SELECT * FROM (SELECT body FROM notes OFFSET 0) s WHERE tell(body)'),
    ('SELECT * FROM notes WHERE body::int > 0'),
    ('SELECT * FROM notes WHERE 1 / divisor >= 0'),
    ('SELECT * FROM notes WHERE 1 / divisor >= 0 AND id = 2'),
    ('SELECT * FROM notes WHERE (SELECT 1 / divisor) >= 0'),
    ('SELECT * FROM notes ORDER BY body::int'),
    ('UPDATE notes SET body = body WHERE 1 / divisor >= 0'),
    ('DELETE FROM notes WHERE 1 / divisor > 99'),
    ('SELECT * FROM notes WHERE body::int = 44 OR 1 / divisor > 99')
) AS tries (statement);
SELECT is(told(), ARRAY['11', '44'], 'the function heard of the rows of A');
SELECT results_eq('SELECT id FROM notes WHERE tell(body) ORDER BY id', 'VALUES (1), (4)', 'which A still sees');
SELECT throws_ok('SELECT 1 / (divisor - 1) FROM notes', '22012', 'division by zero', 'A''s own values do raise errors');

-- What the planner knows of the column is not for A.
SELECT is_empty('SELECT * FROM pg_stats WHERE tablename = ''notes''', 'no statistics of a protected table');

SELECT act_as('app', b());
SELECT throws_ok('SELECT * FROM notes WHERE body::int > 0', '22P02', 'invalid input syntax for type integer: "secret of b"',
                 'B''s own values raise errors for B');

SELECT * FROM finish();
ROLLBACK;
