-- Attack 9: go on in a session whose right has gone. Each case holds a context for the session, takes away what it rests on
-- and asks again in the next transaction. (The transactions of other sessions are in test/isolation.)
SELECT plan(20);
SET search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');
SELECT make_role(session_context => true) AS app \gset
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;

-- The tenant is suspended, and resumed.
SELECT FROM tenancy.set_tenant(a(), false);
SET SESSION AUTHORIZATION :"app";
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'A holds the session');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.tenants SET status = 'suspended' WHERE id = a();
SET SESSION AUTHORIZATION :"app";
SELECT throws_ok('SELECT id FROM notes', 'TN002', 'tenant is not available', 'A is suspended: no rows for A');
SELECT throws_ok('INSERT INTO notes VALUES (3)', 'TN002', 'tenant is not available', 'and no writing');
SELECT ok(NOT tenancy.has_context(), 'the context is none');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.tenants SET status = 'active' WHERE id = a();
SET SESSION AUTHORIZATION :"app";
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'A is resumed: A has its rows again');
RESET SESSION AUTHORIZATION;

-- The organization is suspended.
UPDATE tenancy.organizations SET status = 'suspended' WHERE slug = 'default';
SET SESSION AUTHORIZATION :"app";
SELECT throws_ok('SELECT id FROM notes', 'TN002', 'tenant is not available', 'the organization is suspended: so is A');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.organizations SET status = 'active' WHERE slug = 'default';
SET SESSION AUTHORIZATION :"app";
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'and back');
RESET SESSION AUTHORIZATION;

-- The member is demoted, then removed.
SELECT tenancy.leave();
SELECT FROM tenancy.enter(a(), editor_of_a(), false);
SET SESSION AUTHORIZATION :"app";
SELECT is(run('UPDATE notes SET body = ''edited'' WHERE id = 1'), 1::bigint, 'an editor writes');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.memberships SET role = 'viewer' WHERE user_id = editor_of_a();
SET SESSION AUTHORIZATION :"app";
SELECT throws_ok('UPDATE notes SET body = ''x'' WHERE id = 1', 'TN004', 'permission denied by role', 'made a viewer: writes no more');
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'but reads');
SELECT is(tenancy.current_role_name(), 'viewer', 'and is told so, whatever the setting said at first');
RESET SESSION AUTHORIZATION;
DELETE FROM tenancy.memberships WHERE user_id = editor_of_a();
SET SESSION AUTHORIZATION :"app";
SELECT throws_ok('SELECT id FROM notes', 'TN002', 'tenant is not available', 'removed: reads no more');
RESET SESSION AUTHORIZATION;

-- The user is deactivated.
SELECT tenancy.leave();
SELECT FROM tenancy.enter(a(), viewer_of_a(), false);
UPDATE tenancy.users SET status = 'deactivated' WHERE id = viewer_of_a();
SET SESSION AUTHORIZATION :"app";
SELECT throws_ok('SELECT id FROM notes', 'TN002', 'tenant is not available', 'a deactivated user reads no more');
RESET SESSION AUTHORIZATION;

-- A key is revoked; and one expires.
SELECT tenancy.leave();
SELECT id AS key_id, api_key FROM tenancy.create_api_key(a(), 'k') \gset
SET SESSION AUTHORIZATION :"app";
SELECT lives_ok(format('SELECT tenancy.enter_with_key(%L, false)', :'api_key'), 'a key enters for the session');
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'and reads');
RESET SESSION AUTHORIZATION;
SELECT FROM tenancy.revoke_api_key(:'key_id');
SET SESSION AUTHORIZATION :"app";
SELECT throws_ok('SELECT id FROM notes', 'TN002', 'tenant is not available', 'revoked: reads no more');
SELECT tenancy.leave();
RESET SESSION AUTHORIZATION;
SELECT clock_timestamp() + interval '2 seconds' AS passes \gset
SELECT api_key AS passing FROM tenancy.create_api_key(a(), 'p', expires_at => :'passes') \gset
SET SESSION AUTHORIZATION :"app";
SELECT lives_ok(format('SELECT tenancy.enter_with_key(%L, false)', :'passing'), 'a key that soon expires enters');
SELECT pg_sleep_until(:'passes'::timestamptz + interval '0.1 seconds');
SELECT throws_ok('SELECT id FROM notes', 'TN002', 'tenant is not available', 'expired: reads no more, and nobody had to say so');
RESET SESSION AUTHORIZATION;

-- Inside the transaction that runs at that moment, what was entered holds to its end.
SELECT tenancy.leave();
BEGIN;
SELECT FROM tenancy.set_tenant(b());
SET LOCAL ROLE :"app";
SELECT results_eq('SELECT id FROM notes', 'VALUES (2)', 'B is at work');
RESET ROLE;
UPDATE tenancy.tenants SET status = 'suspended' WHERE id = b();
SET LOCAL ROLE :"app";
SELECT results_eq('SELECT id FROM notes', 'VALUES (2)', 'B''s running transaction ends in peace');
COMMIT;

SELECT * FROM finish();
