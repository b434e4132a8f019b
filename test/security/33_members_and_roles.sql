-- Attack 33: members who take more than their role gives. A viewer writes, an editor manages members, a user changes
-- their own role, the creator is removed, the last admin leaves. All are refused with TN004, which names the permission.
BEGIN;
SELECT plan(40);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
UPDATE tenancy.tenants SET created_by = admin_of_a() WHERE id = a();
INSERT INTO tenancy.users (id, email) VALUES ('c0000000-0000-4000-8000-000000000001', 'second@a.example');
INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES (a(), 'c0000000-0000-4000-8000-000000000001', 'admin');
CREATE TABLE notes (body text);
SELECT count(*) FROM tenancy.protect('notes');
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;
INSERT INTO notes (tenant_id, body) VALUES (a(), 'ours'), (b(), 'theirs');

CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, message, nullif(detail, ''));
END
$$;

-- A viewer.
SELECT act_as('app', a(), viewer_of_a());
SELECT is((SELECT count(*) FROM notes), 1::bigint, 'a viewer reads');
SELECT is(said(statement), 'TN004 | permission denied by role | Role "viewer" may not write in this tenant.', 'a viewer: ' || statement)
FROM (VALUES ($$INSERT INTO notes (body) VALUES ('mine')$$), ($$UPDATE notes SET body = 'mine'$$), ($$DELETE FROM notes$$)) s (statement);
SELECT is(said(statement), format('TN004 | permission denied by role | Role "viewer" does not hold permission "%s" here.', permission), 'a viewer: ' || statement)
FROM (VALUES
    ($$SELECT tenancy.add_member(a(), admin_of_b(), 'viewer')$$, 'members.manage'),
    ($$SELECT tenancy.change_role(a(), viewer_of_a(), 'admin')$$, 'members.manage'),
    ($$SELECT tenancy.remove_member(a(), editor_of_a())$$, 'members.manage'),
    ($$SELECT tenancy.create_role(a(), 'boss', 99, '{data.write}')$$, 'roles.manage'),
    ($$SELECT tenancy.update_tenant('tenant-a', name => 'Mine')$$, 'tenant.update'),
    ($$SELECT tenancy.suspend_tenant(a())$$, 'tenant.update'),
    ($$SELECT tenancy.delete_tenant(a())$$, 'tenant.delete'),
    ($$SELECT tenancy.export_tenant(a())$$, 'tenant.delete')) s (statement, permission);

-- An editor.
SELECT act_as('app', a(), editor_of_a());
SELECT is(said($$INSERT INTO notes (body) VALUES ('edited')$$), 'done', 'an editor writes');
SELECT is(said(statement), format('TN004 | permission denied by role | Role "editor" does not hold permission "%s" here.', permission), 'an editor: ' || statement)
FROM (VALUES
    ($$SELECT tenancy.add_member(a(), admin_of_b(), 'viewer')$$, 'members.manage'),
    ($$SELECT tenancy.change_role(a(), editor_of_a(), 'admin')$$, 'members.manage'),
    ($$SELECT tenancy.change_role(a(), viewer_of_a(), 'editor')$$, 'members.manage'),
    ($$SELECT tenancy.remove_member(a(), viewer_of_a())$$, 'members.manage'),
    ($$SELECT tenancy.create_role(a(), 'boss', 99, '{data.write}')$$, 'roles.manage'),
    ($$SELECT tenancy.drop_role(a(), 'boss')$$, 'roles.manage'),
    ($$SELECT tenancy.delete_tenant(a())$$, 'tenant.delete')) s (statement, permission);

-- The tables themselves are no way around.
SELECT is(said(statement), '42501 | permission denied for table ' || relation, statement)
FROM (VALUES ($$UPDATE tenancy.memberships SET role = 'admin'$$, 'memberships'), ($$SELECT * FROM tenancy.memberships$$, 'memberships'),
             ($$INSERT INTO tenancy.roles VALUES (a(), 'viewer', 99, 'data.write')$$, 'roles'), ($$DELETE FROM tenancy.tenants$$, 'tenants'),
             ($$UPDATE tenancy.users SET status = 'active'$$, 'users')) s (statement, relation);
SELECT throws_ok(statement, '42501', NULL, statement || ' is not for members')
FROM (VALUES ($$SELECT tenancy.insert_member(a(), editor_of_a(), 'admin', NULL)$$), ($$SELECT tenancy.run_as_owner('notes', 'DELETE FROM notes')$$),
             ($$SELECT tenancy.register_user('x@x')$$)) s (statement);

-- An admin who is not the creator.
SELECT act_as('app', a(), 'c0000000-0000-4000-8000-000000000001');
SELECT is(said($$SELECT tenancy.change_role(a(), 'c0000000-0000-4000-8000-000000000001', 'viewer')$$),
          'TN004 | nobody changes their own role | Permission "members.manage" reaches other members only.', 'not even an admin, not even down');
SELECT is(said('SELECT tenancy.remove_member(a(), admin_of_a())'),
          'TN004 | the creator of a tenant stays | Permission "members.manage" does not reach the user who created the tenant.', 'the creator stays');
SELECT is(said($$SELECT tenancy.create_role(a(), 'viewer', 99, '{data.write}')$$), '22023 | role ''viewer'' is built in', 'no role takes the name of a built-in one');
SELECT is(said('SELECT tenancy.add_member(a(), admin_of_b(), ''viewer'')'), 'done', 'beside which they manage members');
SELECT is(said('SELECT tenancy.remove_member(a(), admin_of_b())'), 'done', 'as an admin may');
SELECT is(said('SELECT tenancy.leave_tenant(a())'), 'done', 'and leave');
SELECT is((SELECT count(*) FROM notes), 2::bigint, 'to lose the tenant with the next transaction');
SELECT throws_ok('SELECT tenancy.list_tenants()', '42501', NULL, 'others were never shown');

-- The creator, who is the last admin now.
SELECT act_as('app', a(), admin_of_a());
SELECT is(said('SELECT tenancy.leave_tenant(a())'),
          'TN004 | the creator of a tenant stays | Permission "members.manage" does not reach the user who created the tenant.', 'the creator does not leave');
SELECT act_as_superuser();
UPDATE tenancy.tenants SET created_by = NULL WHERE id = a();
SELECT act_as('app', a(), admin_of_a());
SELECT is(said('SELECT tenancy.leave_tenant(a())'),
          'TN004 | the last admin of a tenant stays | Permission "members.manage" does not reach the only active admin.', 'the last admin does not leave');
SELECT is(said('SELECT tenancy.remove_member(a(), admin_of_a())'),
          'TN004 | the last admin of a tenant stays | Permission "members.manage" does not reach the only active admin.', 'nor removes themselves');
SELECT act_as_superuser();
SELECT is(said('SELECT tenancy.remove_member(a(), admin_of_a())'),
          'TN004 | the last admin of a tenant stays | Permission "members.manage" does not reach the only active admin.', 'nor do operators');

SELECT * FROM finish();
ROLLBACK;
