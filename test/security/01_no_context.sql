-- Attack 1: read and write without a tenant. It is an error that says so, or no rows where the application asked for
-- that; never all rows. What happens across transactions and connections is in session_test.cpp.
BEGIN;
SELECT plan(35);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');
SELECT make_role();
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;

SELECT act_as('app');
SELECT is(tenancy.has_context(), false, 'nobody is there');
SELECT throws_ok(statement, 'TN001', 'no tenant is set', statement)
FROM (VALUES
    ('SELECT * FROM notes'),
    ('SELECT count(*) FROM notes'),
    ('SELECT FROM notes WHERE id = 2'),
    ('SELECT FROM notes FOR UPDATE'),
    ('INSERT INTO notes (id, body) VALUES (3, ''x'')'),
    ('INSERT INTO notes VALUES (3, test_helpers.b(), ''x'')'),
    ('UPDATE notes SET body = ''x'''),
    ('UPDATE notes SET body = ''x'' WHERE id = 2'),
    ('DELETE FROM notes'),
    ('MERGE INTO notes USING (VALUES (2)) v (id) ON notes.id = v.id WHEN MATCHED THEN DELETE'),
    ('EXPLAIN SELECT * FROM notes'),
    ('SELECT tenancy.current_tenant_id()'),
    ('SELECT tenancy.writable_tenant_id()'),
    ('SELECT tenancy.current_tenant_key()'),
    ('SELECT tenancy.writable_tenant_key()'),
    ('SELECT tenancy.current_tenant_key_bigint()'),
    ('SELECT tenancy.writable_tenant_key_bigint()'),
    ('SELECT tenancy.current_tenant_key_integer()'),
    ('SELECT tenancy.writable_tenant_key_integer()'),
    ('SELECT tenancy.current_user_id()'),
    ('SELECT tenancy.current_role_name()')
) AS tries (statement);

SET LOCAL tenancy.missing_tenant = 'empty';
SELECT is_empty('SELECT * FROM notes', 'empty: no rows');
SELECT is(run('UPDATE notes SET body = ''x'''), 0::bigint, 'empty: nothing to update');
SELECT is(run('DELETE FROM notes'), 0::bigint, 'empty: nothing to delete');
SELECT throws_ok('INSERT INTO notes (id, body) VALUES (3, ''x'')', '42501',
                 'new row violates row-level security policy for table "notes"', 'empty: no inserts');
SELECT throws_ok('INSERT INTO notes VALUES (3, test_helpers.b(), ''x'')', '42501',
                 'new row violates row-level security policy for table "notes"', 'empty: no inserts for B either');
SELECT is(tenancy.current_tenant_id(), NULL, 'empty: the tenant is null');
SELECT throws_ok('SET tenancy.missing_tenant = ''all''', '22023',
                 'invalid value for parameter "tenancy.missing_tenant": "all"', 'there is no third way');
SET LOCAL tenancy.missing_tenant = 'error';

-- An empty setting is no tenant.
SELECT act_as_superuser();
SET LOCAL tenancy.tenant_id = '';
SET SESSION AUTHORIZATION DEFAULT;
SELECT act_as('app');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'empty text is no tenant');

SELECT act_as('app', a());
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (1, 'of a')$$, 'in A, the rows of A');
RESET ALL;
SET LOCAL search_path = public, test_helpers;
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'RESET ALL ends the context');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed',
                 'and does not make the transaction anybody else''s');
SELECT lives_ok('SELECT tenancy.set_tenant(test_helpers.a())', 'A can be entered again');
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (1, 'of a')$$, 'and has its rows');

SELECT * FROM finish();
ROLLBACK;
