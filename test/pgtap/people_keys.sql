-- API keys and scoped credentials manage members as far as role and scopes reach, and are never a user in person.
BEGIN;
SELECT plan(20);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
INSERT INTO tenancy.users (id, email) VALUES ('c0000000-0000-4000-8000-000000000001', 'new@a.example');
SELECT api_key AS wide FROM tenancy.create_api_key(test_helpers.a(), 'wide', 'admin', '{}') \gset
SELECT api_key AS narrow FROM tenancy.create_api_key(test_helpers.a(), 'narrow', 'admin', '{members.read,members.manage,roles.manage,data.read}') \gset

CREATE FUNCTION act_with(api_key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM test_helpers.act_as('app');
    PERFORM tenancy.enter_with_key(api_key);
END
$$;

SAVEPOINT before;
SELECT act_with(:'wide');
SELECT lives_ok($$SELECT tenancy.add_member(test_helpers.a(), 'c0000000-0000-4000-8000-000000000001', 'admin')$$, 'an admin''s key adds an admin');
SELECT is((SELECT created_by FROM tenancy.list_members(test_helpers.a()) WHERE user_id = 'c0000000-0000-4000-8000-000000000001'), NULL, 'whom no user added');
SELECT lives_ok($$SELECT tenancy.update_tenant('tenant-a', name => 'Alpha')$$, 'changes the tenant');
SELECT throws_ok('SELECT tenancy.list_members(test_helpers.b())', 'TN002', 'tenant is not available', 'and no other one');
SELECT throws_ok('SELECT tenancy.my_tenants()', 'TN004', 'permission denied by role', 'it has no tenants of its own');
SELECT throws_ok($$SELECT tenancy.switch_tenant('tenant-a')$$, 'TN004', 'permission denied by role', 'none to switch to');
SELECT throws_ok('SELECT tenancy.leave_tenant(test_helpers.a())', 'TN004', 'permission denied by role', 'and none to leave');
SELECT throws_ok('SELECT tenancy.list_organizations()', 'TN004', 'permission denied by role', 'no organizations');
SELECT throws_ok($$SELECT tenancy.create_tenant('more')$$, 'TN004', 'permission denied by role', 'in which to make tenants');
SELECT is((SELECT count(*) FROM tenancy.get_user(test_helpers.admin_of_a())), 0::bigint, 'and reads no user');
SELECT lives_ok($$SELECT tenancy.suspend_tenant('tenant-a')$$, 'it suspends its tenant');
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT throws_ok($$SELECT tenancy.resume_tenant('tenant-a')$$, 'TN002', 'tenant is not available', 'which a stranger does not resume');
SELECT test_helpers.act_as_superuser();
INSERT INTO tenancy.memberships VALUES (test_helpers.b(), test_helpers.admin_of_a(), 'viewer'), (test_helpers.b(), test_helpers.editor_of_a(), 'viewer');
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.editor_of_a());
SELECT throws_ok($$SELECT tenancy.resume_tenant('tenant-a')$$, 'TN004', 'permission denied by role', 'nor a member without the permission');
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_a());
SELECT lives_ok($$SELECT tenancy.resume_tenant('tenant-a')$$, 'but an admin, from another tenant');
SELECT test_helpers.act_as_superuser();
ROLLBACK TO before;

SELECT act_with(:'narrow');
SELECT is((SELECT count(*) FROM tenancy.list_members(test_helpers.a())), 3::bigint, 'scopes let it see the members');
SELECT throws_ok($$SELECT tenancy.add_member(test_helpers.a(), 'c0000000-0000-4000-8000-000000000001', 'viewer')$$, 'TN004',
                 'permission denied by role', 'and give no role that holds more than they name');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', 5, '{data.write}')$$, 'TN004', 'permission denied by role', 'nor make one');
SELECT lives_ok($$SELECT tenancy.create_role(test_helpers.a(), 'reader', 5, '{data.read}')$$, 'only one within them');
SELECT lives_ok($$SELECT tenancy.add_member(test_helpers.a(), 'c0000000-0000-4000-8000-000000000001', 'reader')$$, 'to give');
SELECT throws_ok($$SELECT tenancy.update_tenant('tenant-a', name => 'x')$$, 'TN004', 'permission denied by role', 'what they do not name is refused');

SELECT * FROM finish();
ROLLBACK;
