-- Attack 11: write rows of another tenant, or move one's own there, by every statement that writes.
BEGIN;
SELECT plan(47);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');
SELECT make_role();
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;

SELECT act_as('app', a());
SELECT throws_ok(statement, '42501', 'new row violates row-level security policy for table "notes"', statement)
FROM (VALUES
    ('INSERT INTO notes VALUES (9, test_helpers.b(), ''x'')'),
    ('INSERT INTO notes SELECT 9, test_helpers.b(), ''x'''),
    ('INSERT INTO notes VALUES (9, NULL, ''x'')'),
    ('INSERT INTO notes VALUES (9, ''00000000-0000-0000-0000-000000000002'', ''x'')'),
    ('INSERT INTO notes VALUES (9, ''00000000-0000-0000-0000-00000000dead'', ''x'')'),
    ('INSERT INTO notes VALUES (9, test_helpers.a(), ''x''), (10, test_helpers.b(), ''x'')'),
    ('INSERT INTO notes VALUES (9, test_helpers.b(), ''x'') ON CONFLICT DO NOTHING'),
    ('INSERT INTO notes VALUES (1, test_helpers.b(), ''x'') ON CONFLICT (tenant_id, id) DO UPDATE SET body = ''x'''),
    ('WITH i AS (INSERT INTO notes VALUES (9, test_helpers.b(), ''x'') RETURNING *) SELECT * FROM i'),
    ('MERGE INTO notes USING (VALUES (9)) v (id) ON notes.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, test_helpers.b(), ''x'')')
) AS tries (statement);
-- A row that is moved is stopped by the policy or, on a change of the tenant column, before it.
SELECT throws_ok(statement, '42501', NULL, statement)
FROM (VALUES
    ('UPDATE notes SET tenant_id = test_helpers.b()'),
    ('UPDATE notes SET tenant_id = test_helpers.b() WHERE id = 1'),
    ('UPDATE notes SET tenant_id = NULL WHERE id = 1'),
    ('UPDATE notes SET (tenant_id, body) = (SELECT test_helpers.b(), ''x'') WHERE id = 1'),
    ('INSERT INTO notes (id) VALUES (1) ON CONFLICT (tenant_id, id) DO UPDATE SET tenant_id = test_helpers.b()'),
    ('MERGE INTO notes USING (VALUES (1)) v (id) ON notes.id = v.id WHEN MATCHED THEN UPDATE SET tenant_id = test_helpers.b()')
) AS tries (statement);
SELECT is(run(statement), 0::bigint, statement)
FROM (VALUES
    ('UPDATE notes SET tenant_id = test_helpers.a() WHERE id = 2'),
    ('UPDATE notes SET body = ''x'' WHERE id = 2'),
    ('UPDATE notes SET body = ''x'' FROM (VALUES (2)) v (id) WHERE notes.id = v.id'),
    ('DELETE FROM notes WHERE id = 2'),
    ('DELETE FROM notes USING (VALUES (2)) v (id) WHERE notes.id = v.id'),
    ('MERGE INTO notes USING (VALUES (2)) v (id) ON notes.id = v.id WHEN MATCHED THEN UPDATE SET body = ''x'''),
    ('MERGE INTO notes USING (VALUES (2)) v (id) ON notes.id = v.id WHEN MATCHED THEN DELETE')
) AS tries (statement);
SELECT throws_ok('TRUNCATE notes', '42501', 'permission denied for table notes', 'nobody was given TRUNCATE');
SELECT throws_ok('COPY notes FROM ''/dev/null''', '42501', NULL, 'COPY FROM a file is for the server''s own');

-- What A may.
SELECT lives_ok('INSERT INTO notes (id, body) VALUES (3, ''new'')', 'an insert without the tenant');
SELECT results_eq('SELECT tenant_id FROM notes WHERE id = 3', format('VALUES (%L::uuid)', a()), 'gets it from the context');
SELECT is(run('INSERT INTO notes VALUES (4, test_helpers.a(), ''x'')'), 1::bigint, 'an insert that names A');
SELECT is(run('INSERT INTO notes (id, body) VALUES (3, ''x'') ON CONFLICT (tenant_id, id) DO UPDATE SET body = ''again'''), 1::bigint,
          'ON CONFLICT on an own row');
SELECT is(run('UPDATE notes SET body = ''mine'' WHERE id = 1'), 1::bigint, 'an update of an own row');
SELECT is(run('UPDATE notes SET tenant_id = tenant_id, body = ''mine too'' WHERE id = 1'), 1::bigint,
          'an update that names the tenant and does not change it');
SELECT is(run('MERGE INTO notes USING (VALUES (1), (5)) v (id) ON notes.id = v.id WHEN MATCHED THEN UPDATE SET body = ''merged'' WHEN NOT MATCHED THEN INSERT (id, body) VALUES (v.id, ''merged'')'),
          2::bigint, 'a MERGE of own rows');
SELECT is(run('DELETE FROM notes WHERE id = 4'), 1::bigint, 'a delete of an own row');
SELECT results_eq('SELECT id, body FROM notes ORDER BY id',
                  $$VALUES (1, 'merged'), (3, 'again'), (5, 'merged')$$, 'A has its rows');

-- A viewer reads, and every write says why not.
SELECT act_as('app', a(), viewer_of_a());
SELECT is((SELECT count(*) FROM notes), 3::bigint, 'a viewer reads');
SELECT throws_ok(statement, 'TN004', 'permission denied by role', 'viewer: ' || statement)
FROM (VALUES
    ('INSERT INTO notes (id) VALUES (6)'), ('INSERT INTO notes VALUES (6, test_helpers.a())'),
    ('INSERT INTO notes VALUES (6, test_helpers.b())'),
    ('UPDATE notes SET body = ''x'' WHERE id = 1'), ('UPDATE notes SET body = ''x'' WHERE id = 2'),
    ('DELETE FROM notes WHERE id = 1'), ('DELETE FROM notes'), ('SELECT FROM notes FOR UPDATE'),
    ('MERGE INTO notes USING (VALUES (1)) v (id) ON notes.id = v.id WHEN MATCHED THEN DELETE')
) AS tries (statement);
SELECT act_as('app', a(), editor_of_a());
SELECT is(run('UPDATE notes SET body = ''edited'' WHERE id = 1'), 1::bigint, 'an editor writes');

SELECT act_as_superuser();
SELECT results_eq('SELECT tenant_id, body FROM notes WHERE id = 2', format('VALUES (%L::uuid, ''of b'')', b()),
                  'the row of B is as it was');
SELECT is((SELECT count(*) FROM notes WHERE tenant_id <> a()), 1::bigint, 'and B got no other');

SELECT * FROM finish();
ROLLBACK;
