-- Roles of a tenant's own.
BEGIN;
SELECT plan(36);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);

SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
SELECT results_eq('SELECT name, rank, is_builtin, members FROM tenancy.list_roles(test_helpers.a())',
    $$VALUES ('admin', 100, true, 1::bigint), ('editor', 50, true, 1), ('viewer', 10, true, 1)$$, 'there are three roles at first');
SELECT lives_ok($$SELECT tenancy.create_role(test_helpers.a(), 'auditor', 20, '{data.read,audit.read,data.read}')$$, 'an admin makes another');
SELECT is((SELECT permissions FROM tenancy.list_roles(test_helpers.a()) WHERE name = 'auditor'), '{audit.read,data.read}',
          'which holds each permission once');
SELECT lives_ok($$SELECT tenancy.change_role(test_helpers.a(), test_helpers.viewer_of_a(), 'auditor')$$, 'and gives it');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'auditor', 20, '{}')$$, '23505',
                 'role ''auditor'' exists already in this tenant', 'names are unique');
SELECT throws_ok($$SELECT tenancy.drop_role(test_helpers.a(), 'auditor')$$, '2BP01', 'role ''auditor'' is still in use',
                 'one that is held stays');

-- Arguments.
SELECT throws_ok($$SELECT tenancy.create_role(NULL, 'x', 1, '{}')$$, '22004', 'tenant must not be null', 'no tenant');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), NULL, 1, '{}')$$, '22004', 'name must not be null', 'no name');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', NULL, '{}')$$, '22004', 'rank must not be null', 'no rank');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', 1, NULL)$$, '22004', 'permissions must not be null', 'no list');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', 1, '{NULL}')$$, '22004', 'permissions must not hold null', 'null in it');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'The boss', 1, '{}')$$, '22023', 'invalid name ''The boss'' for a role', 'bad name');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', 0, '{}')$$, '22023', 'invalid rank 0: expected 1 to 99', 'low rank');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', 100, '{}')$$, '22023', 'invalid rank 100: expected 1 to 99', 'an admin''s rank');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', 1, '{data.read,data.burn}')$$, '42704',
                 'unknown permission ''data.burn''', 'unknown permission');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'viewer', 1, '{data.write}')$$, '22023', 'role ''viewer'' is built in',
                 'a built-in role is not hidden');
SELECT throws_ok($$SELECT tenancy.update_role(test_helpers.a(), 'viewer', 20)$$, '22023', 'role ''viewer'' is built in', 'nor changed');
SELECT throws_ok($$SELECT tenancy.drop_role(test_helpers.a(), 'viewer')$$, '22023', 'role ''viewer'' is built in', 'nor dropped');
SELECT throws_ok($$SELECT tenancy.update_role(test_helpers.a(), 'none')$$, '42704', 'role ''none'' does not exist in this tenant', 'unknown role');
SELECT throws_ok($$SELECT tenancy.update_role(test_helpers.a(), 'auditor', 101)$$, '22023', 'invalid rank 101: expected 1 to 99', 'rank out of range');
SELECT throws_ok($$SELECT tenancy.drop_role(test_helpers.a(), NULL)$$, '22004', 'name must not be null', 'no role to drop');
SELECT throws_ok($$SELECT tenancy.list_roles(NULL)$$, '22004', 'tenant must not be null', 'no tenant to list');

SELECT lives_ok($$SELECT tenancy.update_role(test_helpers.a(), 'auditor', permissions => '{data.read}')$$, 'an admin changes it');
SELECT results_eq($$SELECT rank, permissions, members FROM tenancy.list_roles(test_helpers.a()) WHERE name = 'auditor'$$,
                  $$VALUES (20, '{data.read}'::text[], 1::bigint)$$, 'and what was not named stays');

-- Others.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'x', 1, '{}')$$, 'TN004', 'permission denied by role', 'an editor makes none');
SELECT throws_ok($$SELECT tenancy.update_role(test_helpers.a(), 'auditor', 30)$$, 'TN004', 'permission denied by role', 'nor changes one');
SELECT throws_ok($$SELECT tenancy.drop_role(test_helpers.a(), 'auditor')$$, 'TN004', 'permission denied by role', 'nor drops one');
SELECT throws_ok($$SELECT tenancy.list_roles(test_helpers.b())$$, 'TN002', 'tenant is not available', 'B''s roles are not shown');
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT is((SELECT count(*) FROM tenancy.list_roles(test_helpers.b())), 3::bigint, 'B does not have A''s role');
SELECT throws_ok($$SELECT tenancy.change_role(test_helpers.a(), test_helpers.viewer_of_a(), 'viewer')$$, 'TN002', 'tenant is not available',
                 'nor reaches who holds it');

-- One who manages roles keeps below their own.
SELECT test_helpers.act_as('operator');
SELECT tenancy.create_role(test_helpers.a(), 'steward', 60, '{roles.manage,members.read,data.read}');
SELECT tenancy.change_role(test_helpers.a(), test_helpers.editor_of_a(), 'steward');
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'peer', 60, '{data.read}')$$, 'TN004', 'permission denied by role', 'nobody makes a peer of their role');
SELECT throws_ok($$SELECT tenancy.create_role(test_helpers.a(), 'more', 5, '{data.write}')$$, 'TN004', 'permission denied by role', 'nor gives what they lack');
SELECT throws_ok($$SELECT tenancy.update_role(test_helpers.a(), 'steward', permissions => '{data.read}')$$, 'TN004', 'permission denied by role', 'nor changes their own');
SELECT throws_ok($$SELECT tenancy.update_role(test_helpers.a(), 'auditor', 60)$$, 'TN004', 'permission denied by role', 'nor lifts one to it');
SELECT lives_ok($$SELECT tenancy.create_role(test_helpers.a(), 'less', 59, '{data.read}')$$, 'below it they may');
SELECT lives_ok($$SELECT tenancy.drop_role(test_helpers.a(), 'less')$$, 'make and drop');

SELECT * FROM finish();
ROLLBACK;
