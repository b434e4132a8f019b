-- Attack 10: find a context that the last client of a pooled connection left. A local one is never left; one that was set for
-- the session is, which is documented; RESET ALL and leave() end it, and another tenant cannot be mixed into it.
SELECT plan(12);
SET search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a()), (2, b());
SELECT make_role(session_context => true) AS app \gset
GRANT SELECT ON notes TO PUBLIC;

SET SESSION AUTHORIZATION :"app";
BEGIN;
SELECT FROM tenancy.set_tenant(a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'the first client, in A');
COMMIT;
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'after COMMIT the next client finds nothing');
BEGIN;
SELECT FROM tenancy.set_tenant(a());
ROLLBACK;
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'nor after ROLLBACK');

SELECT FROM tenancy.set_tenant(a(), false);
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'a context of the session is there for the next client: this is documented');
BEGIN;
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed',
                 'who enters another tenant on it is told, and does not get a mixture');
ROLLBACK;
SELECT tenancy.leave();
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'leave() ends it');
BEGIN;
SELECT FROM tenancy.set_tenant(b());
SELECT results_eq('SELECT id FROM notes', 'VALUES (2)', 'and the next client is in B alone');
COMMIT;

SELECT FROM tenancy.set_tenant(a(), false);
RESET ALL;
SET search_path = public, test_helpers;
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'RESET ALL ends it');
SELECT FROM tenancy.set_tenant(a(), false);
SELECT FROM tenancy.enter(a(), viewer_of_a(), false);
RESET ALL;
SET search_path = public, test_helpers;
SELECT is(current_setting('tenancy.user_id') || current_setting('tenancy.role'), '', 'with the user and the role');

SELECT FROM tenancy.set_tenant(a(), false);
BEGIN;
SELECT tenancy.leave();
ROLLBACK;
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'a leave() that is rolled back was none');
SELECT tenancy.leave();
BEGIN;
SELECT FROM tenancy.set_tenant(a(), false);
ROLLBACK;
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'nor is a context of the session whose transaction rolled back');
SELECT ok(NOT tenancy.has_context(), 'nothing is left behind');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
