-- Attack 2: write the settings that say who is asking, by every statement that writes a setting.
BEGIN;
SELECT plan(54);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');
SELECT make_role();
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;

SELECT act_as('app', a());

SELECT throws_ok(format('SET tenancy.%s = %L', name, value), '42501',
                 format('permission denied to set parameter "tenancy.%s"', name), format('SET tenancy.%s', name))
FROM (VALUES ('tenant_id', b()::text), ('tenant_id', ''), ('tenant_id', a()::text), ('user_id', admin_of_a()::text),
             ('role', 'admin'), ('api_key_id', a()::text), ('scopes', 'data.read')) AS settings (name, value);
SELECT throws_ok(format('SET LOCAL tenancy.%s = %L', name, value), '42501',
                 format('permission denied to set parameter "tenancy.%s"', name), format('SET LOCAL tenancy.%s', name))
FROM (VALUES ('tenant_id', b()::text), ('user_id', admin_of_a()::text), ('role', 'admin')) AS settings (name, value);
SELECT throws_ok(format('RESET tenancy.%s', name), '42501',
                 format('permission denied to set parameter "tenancy.%s"', name), format('RESET tenancy.%s', name))
FROM (VALUES ('tenant_id'), ('user_id'), ('role'), ('api_key_id'), ('scopes')) AS settings (name);
SELECT throws_ok(format('SET tenancy.sealed_identity = %L', value), '55P02',
                 'parameter "tenancy.sealed_identity" cannot be changed', 'the seal cannot be written')
FROM (VALUES (''), (b()::text)) AS seals (value);
SELECT throws_ok('RESET tenancy.sealed_identity', '55P02', 'parameter "tenancy.sealed_identity" cannot be changed',
                 'the seal cannot be reset');
SELECT throws_ok('SET tenancy.made_up = 1', '42602', 'invalid configuration parameter name "tenancy.made_up"',
                 'the prefix is reserved');

-- set_config wherever an expression may stand.
SELECT throws_ok(replace(statement, '{}', $$set_config('tenancy.tenant_id', test_helpers.b()::text, true)$$), '42501',
                 'permission denied to set parameter "tenancy.tenant_id"', statement)
FROM (VALUES
    ('SELECT {}'),
    ('SELECT {}, n.* FROM notes n'),
    ('SELECT n.* FROM (SELECT {}) s, notes n'),
    ('SELECT n.* FROM notes n, LATERAL (SELECT {} WHERE n.id > 0) s'),
    ('WITH s AS MATERIALIZED (SELECT {}) SELECT n.* FROM s, notes n'),
    ('SELECT * FROM notes ORDER BY {}'),
    ('SELECT * FROM notes WHERE {} IS NOT NULL'),
    ('SELECT id FROM notes GROUP BY id, {} HAVING {} IS NOT NULL'),
    ('SELECT * FROM notes LIMIT length({})'),
    ('UPDATE notes SET body = {}'),
    ('DELETE FROM notes RETURNING {}'),
    ('INSERT INTO notes (id, body) VALUES (9, {})'),
    ('INSERT INTO notes (id) VALUES (9) ON CONFLICT (id) DO UPDATE SET body = {}'),
    ('MERGE INTO notes USING (SELECT {}) s (v) ON true WHEN MATCHED THEN DELETE'),
    ('VALUES ({})'),
    ('DO $d$ BEGIN PERFORM {}; END $d$')
) AS tries (statement)
WHERE statement NOT LIKE '%ON CONFLICT%';

CREATE TABLE with_default (x text DEFAULT set_config('tenancy.tenant_id', 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', true));
SELECT throws_ok('INSERT INTO with_default DEFAULT VALUES', '42501',
                 'permission denied to set parameter "tenancy.tenant_id"', 'in a DEFAULT');
CREATE VIEW with_call AS
SELECT set_config('tenancy.tenant_id', 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', true), n.* FROM notes n;
SELECT throws_ok('SELECT * FROM with_call', '42501', 'permission denied to set parameter "tenancy.tenant_id"',
                 'in a view');
SELECT throws_ok('UPDATE pg_settings SET setting = test_helpers.b()::text WHERE name = ''tenancy.tenant_id''', '42501',
                 'permission denied to set parameter "tenancy.tenant_id"', 'through pg_settings');

-- Settings that functions and roles bring along.
SELECT throws_ok(statement, '42501', 'permission denied to set parameter "tenancy.tenant_id"', statement)
FROM (VALUES
    ('CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SET tenancy.tenant_id = ''bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'' AS ''SELECT 1'''),
    ('CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SET tenancy.tenant_id FROM CURRENT AS ''SELECT 1'''),
    (format('ALTER ROLE %I SET tenancy.tenant_id = ''bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb''', current_user))
) AS tries (statement);
CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT throws_ok('ALTER FUNCTION public.f() SET tenancy.tenant_id = ''bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb''', '42501',
                 'permission denied to set parameter "tenancy.tenant_id"', 'ALTER FUNCTION ... SET');

SELECT is(current_setting('tenancy.tenant_id'), a()::text, 'after all of it, the tenant is A');
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (1, 'of a')$$, 'and has its rows, and only these');

-- A pooled role may write the tenant, and nothing else.
SELECT act_as_superuser();
SELECT make_role('pooler', 'pooled');
SELECT act_as('pooler', a());
SELECT lives_ok(format('SET LOCAL tenancy.tenant_id = %L', b()), 'a pooled role may set the tenant');
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (2, 'of b')$$, 'and then sees its rows');
SELECT throws_ok(format('SET tenancy.%s = %L', name, value), '42501',
                 format('permission denied to set parameter "tenancy.%s"', name), format('pooled: SET tenancy.%s', name))
FROM (VALUES ('user_id', admin_of_a()::text), ('role', 'admin'), ('api_key_id', a()::text), ('scopes', 'data.read'))
    AS settings (name, value);
SELECT lives_ok('SET LOCAL tenancy.tenant_id = ''00000000-0000-0000-0000-00000000dead''', 'an unknown tenant can be set');
SELECT throws_ok('SELECT * FROM notes', 'TN002', 'tenant is not available', 'and not be used');

-- A user's place in A is no place in B.
SELECT act_as('pooler', a(), viewer_of_a());
SELECT throws_ok('UPDATE notes SET body = body', 'TN004', 'permission denied by role', 'a viewer does not write in A');
SELECT lives_ok(format('SET LOCAL tenancy.tenant_id = %L', b()), 'the tenant is switched under the user');
SELECT throws_ok('SELECT * FROM notes', 'TN002', 'tenant is not available', 'who is no member of it');

SELECT * FROM finish();
ROLLBACK;
