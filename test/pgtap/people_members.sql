-- Members: who may see, add, promote and remove whom.
BEGIN;
SELECT plan(54);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);
CREATE FUNCTION newcomer() RETURNS uuid LANGUAGE sql IMMUTABLE RETURN 'c0000000-0000-4000-8000-000000000001'::uuid;
CREATE FUNCTION manager() RETURNS uuid LANGUAGE sql IMMUTABLE RETURN 'c0000000-0000-4000-8000-000000000002'::uuid;
CREATE FUNCTION gone() RETURNS uuid LANGUAGE sql IMMUTABLE RETURN 'c0000000-0000-4000-8000-000000000003'::uuid;
INSERT INTO tenancy.users (id, email, status)
VALUES (newcomer(), 'new@a.example', 'active'), (manager(), 'manager@a.example', 'active'), (gone(), 'gone@a.example', 'deactivated');

-- The admin of A.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
SELECT is((SELECT array_agg(role ORDER BY role) FROM tenancy.list_members(test_helpers.a())), '{admin,editor,viewer}',
          'an admin sees the members');
SELECT is((SELECT email FROM tenancy.list_members(test_helpers.a()) WHERE role = 'editor'), 'editor@a.example', 'with their addresses');
SELECT lives_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''viewer'')', 'an admin adds a member');
SELECT is((SELECT created_by FROM tenancy.list_members(test_helpers.a()) WHERE user_id = newcomer()), test_helpers.admin_of_a(),
          'who did is remembered');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''editor'')', '23505',
                 'user c0000000-0000-4000-8000-000000000001 is a member of this tenant already', 'nobody is a member twice');
SELECT lives_ok('SELECT tenancy.change_role(test_helpers.a(), newcomer(), ''admin'')', 'an admin makes another admin');
SELECT is((SELECT role FROM tenancy.list_members(test_helpers.a()) WHERE user_id = newcomer()), 'admin', 'who is one then');
SELECT lives_ok('SELECT tenancy.change_role(test_helpers.a(), newcomer(), ''admin'')', 'the same role again changes nothing');
SELECT lives_ok('SELECT tenancy.change_role(test_helpers.a(), newcomer(), ''viewer'')', 'and takes it back');
SELECT lives_ok('SELECT tenancy.remove_member(test_helpers.a(), newcomer())', 'an admin removes a member');
SELECT is((SELECT count(*) FROM tenancy.list_members(test_helpers.a())), 3::bigint, 'who is gone from the list');
SELECT throws_ok('SELECT tenancy.remove_member(test_helpers.a(), newcomer())', '42704',
                 'user c0000000-0000-4000-8000-000000000001 is not a member of this tenant', 'and cannot be removed again');
SELECT throws_ok('SELECT tenancy.change_role(test_helpers.a(), newcomer(), ''viewer'')', '42704',
                 'user c0000000-0000-4000-8000-000000000001 is not a member of this tenant', 'nor promoted');

-- Arguments.
SELECT throws_ok('SELECT tenancy.add_member(NULL, newcomer(), ''viewer'')', '22004', 'tenant must not be null', 'no tenant');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), NULL, ''viewer'')', '22004', 'user_id must not be null', 'no user');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), NULL)', '22004', 'role must not be null', 'no role');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''boss'')', '42704',
                 'role ''boss'' does not exist in this tenant', 'unknown role');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), test_helpers.a(), ''viewer'')', '42704',
                 'user aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa does not exist', 'unknown user');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), gone(), ''viewer'')', '42704',
                 'user c0000000-0000-4000-8000-000000000003 does not exist', 'a deactivated user is as one that does not exist');
SELECT throws_ok('SELECT tenancy.change_role(test_helpers.a(), NULL, ''viewer'')', '22004', 'user_id must not be null', 'no member');
SELECT throws_ok('SELECT tenancy.remove_member(test_helpers.a(), NULL)', '22004', 'user_id must not be null', 'no member to remove');
SELECT throws_ok('SELECT tenancy.list_members(NULL)', '22004', 'tenant must not be null', 'no tenant to list');
SELECT throws_ok('SELECT tenancy.leave_tenant(NULL)', '22004', 'tenant must not be null', 'no tenant to leave');

-- Another tenant is as one that does not exist.
SELECT throws_ok('SELECT tenancy.list_members(test_helpers.b())', 'TN002', 'tenant is not available', 'B''s members are not shown');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.b(), newcomer(), ''viewer'')', 'TN002', 'tenant is not available',
                 'nor added to');
SELECT throws_ok('SELECT tenancy.change_role(test_helpers.b(), test_helpers.admin_of_b(), ''viewer'')', 'TN002',
                 'tenant is not available', 'nor changed');
SELECT throws_ok('SELECT tenancy.remove_member(test_helpers.b(), test_helpers.admin_of_b())', 'TN002',
                 'tenant is not available', 'nor removed');
SELECT throws_ok('SELECT tenancy.leave_tenant(test_helpers.b())', 'TN002', 'tenant is not available', 'nor left');
SELECT throws_ok('SELECT tenancy.list_members(''00000000-0000-4000-8000-00000000dead'')', 'TN002', 'tenant is not available',
                 'an unknown tenant gives the same');

-- The editor and the viewer of A see and do not change.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT is((SELECT count(*) FROM tenancy.list_members(test_helpers.a())), 3::bigint, 'an editor sees the members');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''viewer'')', 'TN004', 'permission denied by role',
                 'an editor adds nobody');
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.viewer_of_a());
SELECT is((SELECT count(*) FROM tenancy.list_members(test_helpers.a())), 3::bigint, 'a viewer sees the members');
SELECT lives_ok('SELECT tenancy.leave_tenant(test_helpers.a())', 'and may leave');

-- The application without a user has no part in this.
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok('SELECT tenancy.list_members(test_helpers.a())', 'TN004', 'permission denied by role', 'no user, no list');
SELECT throws_ok('SELECT tenancy.leave_tenant(test_helpers.a())', 'TN004', 'permission denied by role', 'no user who leaves');
SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT tenancy.list_members(test_helpers.a())', 'TN002', 'tenant is not available', 'no context, no tenant');
SELECT throws_ok('SELECT tenancy.leave_tenant(test_helpers.a())', 'TN001', 'no tenant is set', 'no context, no user');

-- One who manages members without being an admin keeps below.
SELECT test_helpers.act_as('operator');
SELECT lives_ok($$SELECT tenancy.create_role(test_helpers.a(), 'manager', 60, '{members.read,members.manage,data.read}')$$,
                'an operator makes a role');
SELECT lives_ok('SELECT tenancy.add_member(test_helpers.a(), manager(), ''manager'')', 'and gives it');
SELECT is((SELECT created_by FROM tenancy.list_members(test_helpers.a()) WHERE user_id = manager()), NULL, 'which no user did');
SELECT test_helpers.act_as('app', test_helpers.a(), manager());
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''admin'')', 'TN004', 'permission denied by role',
                 'nobody gives a role above their own');
SELECT throws_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''viewer'')', 'TN004', 'permission denied by role',
                 'nor one that holds what they do not');
SELECT throws_ok('SELECT tenancy.remove_member(test_helpers.a(), test_helpers.admin_of_a())', 'TN004', 'permission denied by role',
                 'nor removes who ranks above');
SELECT throws_ok('SELECT tenancy.change_role(test_helpers.a(), test_helpers.admin_of_a(), ''manager'')', 'TN004',
                 'permission denied by role', 'nor demotes them');
SELECT lives_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''manager'')', 'their own role they may give');
SELECT lives_ok('SELECT tenancy.remove_member(test_helpers.a(), newcomer())', 'and take');
SELECT throws_ok('SELECT tenancy.change_role(test_helpers.a(), manager(), ''viewer'')', 'TN004', 'nobody changes their own role',
                 'their own they do not change');

-- Admins stay: the last one for everybody, the creator for everybody but operators.
SELECT test_helpers.act_as('operator');
SELECT throws_ok('SELECT tenancy.remove_member(test_helpers.a(), test_helpers.admin_of_a())', 'TN004',
                 'the last admin of a tenant stays', 'the last admin stays, whoever asks');
SELECT lives_ok('SELECT tenancy.add_member(test_helpers.a(), newcomer(), ''admin'')', 'with a second admin');
SELECT lives_ok('SELECT tenancy.deactivate_user(newcomer())', 'who is deactivated');
SELECT throws_ok('SELECT tenancy.change_role(test_helpers.a(), test_helpers.admin_of_a(), ''editor'')', 'TN004',
                 'the last admin of a tenant stays', 'one who cannot act does not count');
SELECT lives_ok('SELECT tenancy.reactivate_user(newcomer())', 'active again');
SELECT lives_ok('SELECT tenancy.change_role(test_helpers.a(), test_helpers.admin_of_a(), ''editor'')', 'the first one may be demoted');

-- Every change is in the log of the tenant.
SELECT test_helpers.act_as_superuser();
SELECT results_eq($$SELECT action::text COLLATE "default", object, before, after FROM tenancy.audit_log WHERE tenant_id = test_helpers.a()
                    AND actor = 'user:' || test_helpers.admin_of_a() ORDER BY id$$,
    $$VALUES ('member.add', 'user:' || newcomer(), NULL::jsonb, '{"role": "viewer"}'::jsonb),
             ('member.change_role', 'user:' || newcomer(), '{"role": "viewer"}', '{"role": "admin"}'),
             ('member.change_role', 'user:' || newcomer(), '{"role": "admin"}', '{"role": "viewer"}'),
             ('member.remove', 'user:' || newcomer(), '{"role": "viewer"}', NULL)$$,
    'what was refused or changed nothing is not');

SELECT * FROM finish();
ROLLBACK;
