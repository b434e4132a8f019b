-- Attack 33, by id: an admin makes a stranger whose id they know a member of their own tenant, to read who it is.
BEGIN;
SELECT plan(16);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role() AS app \gset
SELECT make_role('operator', NULL) AS operator \gset
SELECT tenancy.grant_control_plane(:'operator'::regrole);
UPDATE tenancy.users SET name = 'Bea' WHERE id = admin_of_b();
INSERT INTO tenancy.users (id, email, status) VALUES ('c0000000-0000-4000-8000-000000000001', 'gone@b.example', 'deactivated');
CREATE FUNCTION stranger(OUT email text, OUT name text, OUT role text, OUT status text) LANGUAGE sql
RETURN (SELECT ROW(m.email, m.name, m.role, m.status) FROM tenancy.list_members(a()) m WHERE m.user_id = admin_of_b());

SELECT act_as('app', a(), admin_of_a());
SELECT lives_ok('SELECT tenancy.add_member(a(), admin_of_b(), ''viewer'')', 'an admin adds somebody by id');
SELECT results_eq('SELECT * FROM stranger()', $$VALUES (NULL, NULL, 'viewer', NULL)$$, 'and learns nothing of them but the role that they gave');
SELECT results_eq($$SELECT m.email FROM tenancy.list_members(a()) m WHERE m.role = 'editor'$$, $$VALUES ('editor@a.example')$$, 'while members who came themselves are shown');
SELECT is_empty('SELECT FROM tenancy.get_user(admin_of_b())', 'a user is shown to nobody else');
SELECT lives_ok('SELECT tenancy.change_role(a(), admin_of_b(), ''editor'')', 'another role');
SELECT results_eq('SELECT * FROM stranger()', $$VALUES (NULL, NULL, 'editor', NULL)$$, 'shows no more');
SELECT is_empty($$SELECT FROM tenancy.export_tenant(a()) e WHERE e.data::text ~ 'admin@b|Bea'$$, 'nor does an export');
SELECT is_empty($$SELECT FROM tenancy.audit_log(a()) l WHERE concat(l.actor, l.object, l.before, l.after) ~ 'admin@b|Bea'$$, 'nor the audit log');
SELECT throws_ok('SELECT tenancy.add_member(a(), ''c0000000-0000-4000-8000-000000000001'', ''viewer'')', '42704',
                 'user c0000000-0000-4000-8000-000000000001 does not exist', 'who was deactivated is as one who never was');
SELECT throws_ok('SELECT tenancy.add_member(a(), ''c0000000-0000-4000-8000-000000000002'', ''viewer'')', '42704',
                 'user c0000000-0000-4000-8000-000000000002 does not exist', 'the same words');
SELECT throws_ok('SELECT tenancy.list_tenants_of_user(admin_of_b())', '42501', NULL, 'and where else a user is a member is not for admins');

-- The user comes: that is for them to do.
SELECT act_as('app', b(), admin_of_b());
SELECT lives_ok('SELECT tenancy.switch_tenant(a())', 'the user takes the tenant up');
SELECT act_as('app', a(), admin_of_a());
SELECT results_eq('SELECT * FROM stranger()', $$VALUES ('admin@b.example', 'Bea', 'editor', 'active')$$, 'and is shown from then on');

-- Added again after leaving is added anew; operators know everybody.
SELECT tenancy.remove_member(a(), admin_of_b());
SELECT tenancy.add_member(a(), admin_of_b(), 'viewer');
SELECT results_eq('SELECT * FROM stranger()', $$VALUES (NULL, NULL, 'viewer', NULL)$$, 'a membership that ended shows nothing of the next');
SELECT tenancy.remove_member(a(), admin_of_b());
SELECT act_as('operator');
SELECT tenancy.add_member(a(), admin_of_b(), 'viewer');
SELECT results_eq('SELECT * FROM stranger()', $$VALUES ('admin@b.example', 'Bea', 'viewer', 'active')$$, 'operators see whom they add');
SELECT act_as('app', a(), admin_of_a());
SELECT results_eq('SELECT * FROM stranger()', $$VALUES ('admin@b.example', 'Bea', 'viewer', 'active')$$, 'and vouch for them');

SELECT * FROM finish();
ROLLBACK;
