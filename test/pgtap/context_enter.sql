-- Entering and leaving: arguments, the seal with users, savepoints and exception blocks, keys of every type.
BEGIN;
SELECT plan(56);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
INSERT INTO tenancy.tenants (organization_id, slug, name, external_key)
VALUES ('00000000-0000-0000-0000-000000000001', 'worded', 'Worded', 'key of words'),
       ('00000000-0000-0000-0000-000000000001', 'large', 'Large', '5000000000'),
       ('00000000-0000-0000-0000-000000000001', 'zeros', 'Zeros', '007'),
       ('00000000-0000-0000-0000-000000000001', 'nothing', 'Nothing', NULL);
SELECT make_role() AS app \gset
SET LOCAL SESSION AUTHORIZATION :"app";

-- Arguments.
SELECT throws_ok('SELECT tenancy.set_tenant(NULL::uuid)', '22004', 'tenant must not be null', 'set_tenant: a null id');
SELECT throws_ok('SELECT tenancy.set_tenant(NULL::text)', '22004', 'tenant must not be null', 'set_tenant: a null name');
SELECT throws_ok('SELECT tenancy.set_tenant(''tenant-a'', NULL)', '22004', 'is_local must not be null', 'set_tenant: null for is_local');
SELECT throws_ok(format('SELECT tenancy.set_tenant(%L::uuid, NULL)', a()), '22004', 'is_local must not be null', 'set_tenant by id: null for is_local');
SELECT throws_ok(format('SELECT tenancy.enter(%L::uuid, NULL)', a()), '22004', 'user_id must not be null', 'enter: a null user');
SELECT throws_ok(format('SELECT tenancy.enter(NULL::uuid, %L)', a()), '22004', 'tenant must not be null', 'enter: a null tenant');
SELECT throws_ok(format('SELECT tenancy.enter(NULL::text, %L)', a()), '22004', 'tenant must not be null', 'enter by name: a null tenant');
SELECT throws_ok(format('SELECT tenancy.enter(%L::uuid, %L, NULL)', a(), viewer_of_a()), '22004', 'is_local must not be null', 'enter: null for is_local');
SELECT throws_ok(format('SELECT tenancy.set_tenant(%L)', name), 'TN002', 'tenant is not available', format('not a tenant: %s', left(name, 20)))
FROM (VALUES (''), ('nobody'), ('TENANT-A'), (upper(a()::text)), ('{' || a() || '}'), ('tenant-a '), (repeat('x', 100000)), ('''; --')) AS names (name);
SELECT throws_ok(format('SELECT tenancy.require_permission(%L)', 'x'), 'TN001', 'no tenant is set', 'require_permission without a tenant');
SELECT throws_ok('SELECT tenancy.require_permission(NULL)', '22004', 'permission must not be null', 'require_permission: null');
SELECT is(tenancy.has_permission('data.read'), false, 'has_permission without a tenant is false');
SELECT is(tenancy.has_permission(NULL), NULL, 'has_permission of null is null');

-- Without a tenant everything that names one raises, has_context() does not.
SELECT throws_ok(format('SELECT tenancy.%s()', name), 'TN001', 'no tenant is set', name)
FROM (VALUES ('current_tenant_id'), ('writable_tenant_id'), ('current_tenant_key'), ('writable_tenant_key'), ('current_tenant_key_bigint'),
             ('writable_tenant_key_bigint'), ('current_tenant_key_integer'), ('writable_tenant_key_integer'), ('current_user_id'),
             ('current_role_name'), ('current_api_key_id'), ('graph_namespace')) AS functions (name);
SELECT is(tenancy.has_context(), false, 'has_context() is false');
SET LOCAL tenancy.missing_tenant = 'empty';
SELECT is(tenancy.current_tenant_id(), NULL, 'missing_tenant = empty: null instead');
RESET tenancy.missing_tenant;
SELECT throws_ok('SET LOCAL tenancy.missing_tenant = ''all''', '22023', NULL, 'there is no missing_tenant = all');

-- By id, by name, and what they say then.
SAVEPOINT outside;
SELECT is(tenancy.set_tenant('tenant-a'), a(), 'by slug: the id comes back');
SELECT is(tenancy.current_tenant_id(), a(), 'and is current');
SELECT is(current_setting('tenancy.tenant_id'), a()::text, 'as the setting says');
SELECT is(tenancy.current_user_id(), NULL, 'no user');
SELECT is(tenancy.current_role_name(), NULL, 'no role: the application itself');
SELECT is(tenancy.current_tenant_key_integer(), 1001, 'the external key as a number');
SELECT lives_ok('SELECT tenancy.set_tenant(''tenant-a'')', 'again the same one');
-- A step down is allowed, a step up is not.
SELECT is(tenancy.enter('tenant-a', viewer_of_a()), a(), 'from the tenant to a user in it');
SELECT is(tenancy.current_role_name(), 'viewer', 'with the user''s role');
SELECT throws_ok('SELECT tenancy.set_tenant(''tenant-a'')', 'TN003', 'context is sealed', 'not back to the application');
SELECT throws_ok(format('SELECT tenancy.enter(%L::uuid, %L)', a(), admin_of_a()), 'TN003', 'context is sealed', 'nor to another user');
SELECT tenancy.leave();
SELECT throws_ok('SELECT tenancy.set_tenant(''tenant-a'')', 'TN003', 'context is sealed', 'nor after leaving');
SELECT lives_ok(format('SELECT tenancy.enter(%L::uuid, %L)', a(), viewer_of_a()), 'but again to the same user');
ROLLBACK TO outside;
SELECT is(tenancy.has_context(), false, 'rolled back to before: no tenant');

-- An exception block of plpgsql is a subtransaction.
SELECT lives_ok($try$DO $d$ BEGIN
    BEGIN PERFORM tenancy.set_tenant('tenant-a'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END;
    PERFORM tenancy.set_tenant('tenant-b');
    END $d$$try$, 'what an exception block entered and lost does not seal');
SELECT is(tenancy.current_tenant_id(), b(), 'what came after does');
ROLLBACK TO outside;

-- Keys of every type.
SELECT FROM tenancy.set_tenant('worded');
SELECT is(ROW(tenancy.current_tenant_key(), tenancy.current_tenant_key_bigint(), tenancy.current_tenant_key_integer())::text, '("key of words",,)', 'a key of words is no number');
ROLLBACK TO outside;
SELECT FROM tenancy.set_tenant('large');
SELECT is(ROW(tenancy.writable_tenant_key(), tenancy.writable_tenant_key_bigint(), tenancy.writable_tenant_key_integer())::text, '(5000000000,5000000000,)', 'a large number is no integer');
ROLLBACK TO outside;
SELECT FROM tenancy.set_tenant('zeros');
SELECT is(tenancy.current_tenant_key_bigint(), NULL, 'what only looks like a number is none: 007 is not 7');
ROLLBACK TO outside;
SELECT FROM tenancy.set_tenant('nothing');
SELECT is(tenancy.current_tenant_key(), NULL, 'no external key');
ROLLBACK TO outside;

-- Key order.
SELECT ok(bool_and(id > before) IS NOT FALSE, 'uuid_v7() increases within a session')
FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before FROM (SELECT n, tenancy.uuid_v7() AS id FROM generate_series(1, 10000) n) made) ordered;

RESET SESSION AUTHORIZATION;
SELECT * FROM finish();
ROLLBACK;
