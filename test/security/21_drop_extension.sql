-- Attack 21: take away what the policies stand on. It is refused while tables are protected, and where it is forced with CASCADE,
-- row level security stays on without a policy: no rows.
BEGIN;
SELECT plan(21);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role() AS app \gset
SELECT make_owner() AS owner \gset
SELECT act_as('owner');
CREATE TABLE notes (id int PRIMARY KEY, body text);
SELECT FROM tenancy.protect('notes');
SELECT run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO %I', :'app'));
SELECT act_as_superuser();
INSERT INTO notes (id, body, tenant_id) VALUES (1, 'of a', a()), (2, 'of b', b());

SELECT throws_ok('DROP EXTENSION tenancy', '2BP01', 'cannot drop extension tenancy because other objects depend on it', 'the extension stays while tables are protected');
SELECT throws_ok('DROP FUNCTION tenancy.current_tenant_id()', '2BP01', NULL, 'so does the function');
SELECT throws_ok('DROP FUNCTION tenancy.current_tenant_id() CASCADE', '2BP01', NULL, 'also with CASCADE, being the extension''s');
SELECT throws_ok('DROP TABLE tenancy.protected_tables CASCADE', '2BP01', NULL, 'and the registry');
SELECT throws_ok('DROP SCHEMA tenancy CASCADE', '2BP01', NULL, 'and the schema');
SELECT act_as('owner');
SELECT throws_ok('DROP EXTENSION tenancy CASCADE', '42501', 'must be owner of extension tenancy', 'the owner of the table may not');
SELECT throws_ok('DROP EXTENSION vector CASCADE', '42501', NULL, 'nor below it');
SELECT throws_ok('DROP FUNCTION tenancy.current_tenant_id() CASCADE', '42501', NULL, 'nor the function');
SELECT act_as('app', a());
SELECT throws_ok('DROP EXTENSION tenancy CASCADE', '42501', 'must be owner of extension tenancy', 'nor the application');
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'A reads its row');
SELECT act_as_superuser();

-- A superuser who means it.
SELECT run('RESET SESSION AUTHORIZATION', 'DROP EXTENSION tenancy CASCADE');
SELECT ok(c.relrowsecurity AND c.relforcerowsecurity, 'row level security stays on, and forced') FROM pg_class c WHERE c.oid = 'notes'::regclass;
SELECT is_empty('SELECT FROM pg_policy WHERE polrelid = ''notes''::regclass', 'without a policy');
SELECT is((SELECT count(*) FROM notes), 2::bigint, 'the rows are there');
SELECT run(format('SET LOCAL SESSION AUTHORIZATION %I', :'app'));
SELECT is((SELECT count(*) FROM notes), 0::bigint, 'the application sees none');
SELECT throws_ok('INSERT INTO notes (id, body) VALUES (3, ''x'')', '42501', NULL, 'and writes none');
SELECT is(run('UPDATE notes SET body = ''x'''), 0::bigint, 'nor changes one');
SELECT is(run('DELETE FROM notes'), 0::bigint, 'nor deletes one');
RESET SESSION AUTHORIZATION;
SELECT run(format('SET LOCAL SESSION AUTHORIZATION %I', :'owner'));
SELECT is((SELECT count(*) FROM notes), 0::bigint, 'nor does the owner');
RESET SESSION AUTHORIZATION;

-- Made anew, it knows nothing of the table until that is protected again.
SELECT run('CREATE EXTENSION tenancy');
\ir ../any_server.sql
SELECT results_eq('SELECT code, object FROM tenancy.check()', $$VALUES ('table_unprotected', 'table public.notes')$$, 'a new installation finds the table');
INSERT INTO tenancy.tenants (id, organization_id, slug, name) SELECT tenant_id, '00000000-0000-0000-0000-000000000001', 'tenant-' || id, 'again' FROM notes;
SELECT lives_ok((SELECT fix FROM tenancy.check()), 'which is repaired as it says');
SELECT is_empty('SELECT * FROM tenancy.check()', 'and clean');

SELECT * FROM finish();
ROLLBACK;
