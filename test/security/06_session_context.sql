-- Attack 6, with a context that is the session's: it counts as the transaction's from when it was used in it, and emptying
-- the settings does not make the transaction anybody else's. Without a transaction around: the statements commit.
SELECT plan(14);
SET search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a()), (2, b());
SELECT make_role(session_context => true) AS app \gset
GRANT SELECT ON notes TO PUBLIC;

SET SESSION AUTHORIZATION :"app";
SELECT FROM tenancy.set_tenant(a(), false);
BEGIN;
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'the session is in A');
RESET ALL;
SET search_path = public, test_helpers;
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'RESET ALL ends that');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed', 'and B cannot be entered in this transaction');
SELECT is(tenancy.set_tenant(a()), a(), 'A can');
COMMIT;
SELECT is(tenancy.has_context(), false, 'the next transaction has nobody');

SELECT FROM tenancy.enter(a(), viewer_of_a(), false);
BEGIN;
SELECT is(tenancy.current_role_name(), 'viewer', 'the session is a viewer');
RESET ALL;
SET search_path = public, test_helpers;
SELECT throws_ok('SELECT tenancy.enter(test_helpers.a(), test_helpers.admin_of_a())', 'TN003', 'context is sealed',
                 'RESET ALL makes no admin of one in the same transaction');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.a())', 'TN003', 'context is sealed', 'nor the application itself');
ROLLBACK;
SELECT is(tenancy.current_role_name(), 'viewer', 'rolled back, the session is the viewer again');
SELECT tenancy.leave();
BEGIN;
SELECT is(tenancy.set_tenant(b()), b(), 'left, the next transaction is anybody''s');
SELECT results_eq('SELECT id FROM notes', 'VALUES (2)', 'B has its rows');
COMMIT;

-- A local context lasts for a DO block and for a procedure until its COMMIT, though no transaction block is around.
RESET SESSION AUTHORIZATION;
CREATE TABLE seen (id int, tenant_id uuid);
GRANT INSERT, SELECT ON seen TO PUBLIC;
CREATE PROCEDURE two_tenants() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenancy.set_tenant('tenant-a');
    INSERT INTO public.seen SELECT * FROM public.notes;
    COMMIT;
    IF tenancy.has_context() THEN RAISE EXCEPTION 'A outlived its transaction'; END IF;
    PERFORM tenancy.set_tenant('tenant-b');
    INSERT INTO public.seen SELECT * FROM public.notes;
END
$$;
SET SESSION AUTHORIZATION :"app";
CALL two_tenants();
SELECT results_eq('SELECT * FROM seen ORDER BY id', format('VALUES (1, %L::uuid), (2, %L::uuid)', a(), b()),
                  'a procedure: each transaction of it in a tenant of its own');
DO $$ BEGIN
    PERFORM tenancy.set_tenant('tenant-a');
    INSERT INTO public.seen SELECT id + 10, tenant_id FROM public.notes;
END $$;
SELECT results_eq('SELECT id FROM seen WHERE id > 10', 'VALUES (11)', 'a DO block in A: the rows of A');
SELECT is(tenancy.has_context(), false, 'and nobody after it');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
