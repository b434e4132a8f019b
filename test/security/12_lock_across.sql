-- Attack 12: reach B's rows by key or by ctid, to change, delete or lock them.
BEGIN;
SELECT plan(21);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');
SELECT ctid AS ctid_of_b FROM notes WHERE id = 2 \gset
SELECT ctid AS ctid_of_a FROM notes WHERE id = 1 \gset
SELECT make_role();
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;

SELECT act_as('app', a());
SELECT is(run(format(statement, condition)), rows, says || statement)
FROM (VALUES
    ('SELECT FROM notes WHERE %s FOR UPDATE'),
    ('SELECT FROM notes WHERE %s FOR NO KEY UPDATE'),
    ('SELECT FROM notes WHERE %s FOR SHARE'),
    ('SELECT FROM notes WHERE %s FOR KEY SHARE SKIP LOCKED'),
    ('UPDATE notes SET body = ''x'' WHERE %s')
) AS tries (statement),
(VALUES ('id = 1', 1::bigint, 'A reaches its own: '), ('id = 2', 0, 'and not B''s: ')) AS by_key (condition, rows, says);
SELECT is(run(format('UPDATE notes SET body = ''y'' WHERE ctid = %L', :'ctid_of_b')), 0::bigint, 'by ctid nothing is updated');
SELECT is(run(format('SELECT FROM notes WHERE ctid = %L FOR UPDATE', :'ctid_of_b')), 0::bigint, 'nor locked');
SELECT is(run(format('DELETE FROM notes WHERE ctid = %L', :'ctid_of_b')), 0::bigint, 'nor deleted');
SELECT is(run('DELETE FROM notes WHERE id = 2'), 0::bigint, 'nor by key');
SELECT is(run('SELECT FROM notes n JOIN notes o ON true WHERE o.id = 2 FOR UPDATE OF n'), 0::bigint, 'nor through a join');

-- A row that was locked or updated has an xmax.
SELECT act_as_superuser();
SELECT is(xmax::text, '0', 'no lock was taken on B''s row') FROM notes WHERE id = 2;
SELECT is(body, 'of b', 'it is as it was') FROM notes WHERE id = 2;
SELECT is(ctid::text, :'ctid_of_b', 'where it was') FROM notes WHERE id = 2;
SELECT isnt(xmax::text || ctid::text, '0' || :'ctid_of_a', 'while A''s row was changed') FROM notes WHERE id = 1;

SELECT act_as('app', a());
SELECT is(run('DELETE FROM notes WHERE id = 1'), 1::bigint, 'A deletes its own');
SELECT act_as('app', b());
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (2, 'of b')$$, 'B has what it had');

SELECT * FROM finish();
ROLLBACK;
