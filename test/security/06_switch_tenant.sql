-- Attack 6: enter another tenant in a transaction that belongs to one. It stays refused in savepoints and in blocks of
-- plpgsql, and is clean again after a rollback to before entering.
BEGIN;
SELECT plan(43);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');
SELECT make_role(session_context => true);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;

SELECT act_as('app');
SAVEPOINT before_a;
SELECT is(tenancy.set_tenant(a()), a(), 'A is entered');
SELECT is(tenancy.set_tenant(a()), a(), 'entering A again is nothing new');
SELECT throws_ok(statement, 'TN003', 'context is sealed', statement)
FROM (VALUES
    ('SELECT tenancy.set_tenant(test_helpers.b())'),
    ('SELECT tenancy.set_tenant(''tenant-b'')'),
    ('SELECT tenancy.set_tenant(test_helpers.b(), false)'),
    ('SELECT tenancy.enter(test_helpers.b(), test_helpers.admin_of_b())'),
    ('SELECT n.* FROM notes n, tenancy.set_tenant(test_helpers.b())'),
    ('DO $$ BEGIN PERFORM tenancy.set_tenant(test_helpers.b()); END $$'),
    ('DO $$ BEGIN BEGIN PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN PERFORM tenancy.set_tenant(test_helpers.b()); END; END $$'),
    ('SELECT tenancy.leave(), tenancy.set_tenant(test_helpers.b())')
) AS tries (statement);

SAVEPOINT inner_one;
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed', 'in a savepoint');
ROLLBACK TO inner_one;
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed',
                 'after a rollback to after entering');
SELECT lives_ok('SELECT tenancy.leave()', 'A is left');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed', 'leaving does not unseal');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'nobody is there after leaving');
ROLLBACK TO inner_one;
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (1, 'of a')$$, 'the rollback undoes leaving: A and its rows');

ROLLBACK TO before_a;
SELECT is(tenancy.has_context(), false, 'rolled back to before A: nobody');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'and no rows');
SELECT is(tenancy.set_tenant(b()), b(), 'the transaction is anybody''s again');
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (2, 'of b')$$, 'B and its rows');
ROLLBACK TO before_a;

-- A block of plpgsql that fails takes its entering back.
CREATE FUNCTION enter_and_fail(tenant uuid) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenancy.set_tenant(tenant);
    RAISE EXCEPTION 'on purpose';
EXCEPTION WHEN raise_exception THEN
    RETURN coalesce(nullif(current_setting('tenancy.tenant_id'), ''), 'nobody');
END
$$;
SELECT is(enter_and_fail(b()), 'nobody', 'a failed block leaves nobody behind');
SELECT is(tenancy.set_tenant(a()), a(), 'and seals nothing');
SELECT throws_ok('SELECT public.enter_and_fail(test_helpers.b())', 'TN003', 'context is sealed', 'in A it cannot enter B');
SELECT is(enter_and_fail(a()), a()::text, 'a failed block in A leaves A');
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (1, 'of a')$$, 'with its rows');
ROLLBACK TO before_a;

-- What a function with settings of its own enters stays, and the seal with it.
CREATE FUNCTION enter_with_settings(tenant uuid) RETURNS uuid LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET work_mem = '5MB' AS $$ BEGIN RETURN tenancy.set_tenant(tenant); END $$;
SELECT is(enter_with_settings(a()), a(), 'entered in a function with settings');
SELECT is(tenancy.current_tenant_id(), a(), 'is still there after it');
SELECT throws_ok('SELECT public.enter_with_settings(test_helpers.b())', 'TN003', 'context is sealed', 'and sealed');
ROLLBACK TO before_a;

-- Users: a step down is allowed, a step up or aside is not.
SELECT is(tenancy.set_tenant(a()), a(), 'the application is in A');
SELECT is(tenancy.enter(a(), viewer_of_a()), a(), 'and becomes a user of it');
SELECT is(tenancy.current_role_name(), 'viewer', 'a viewer');
SELECT throws_ok(statement, 'TN003', 'context is sealed', 'a viewer cannot: ' || statement)
FROM (VALUES
    ('SELECT tenancy.set_tenant(test_helpers.a())'),
    ('SELECT tenancy.enter(test_helpers.a(), test_helpers.admin_of_a())'),
    ('SELECT tenancy.enter(test_helpers.b(), test_helpers.admin_of_b())'),
    ('SELECT tenancy.leave(), tenancy.set_tenant(test_helpers.a())'),
    ('SELECT tenancy.leave(), tenancy.enter(test_helpers.a(), test_helpers.admin_of_a())')
) AS tries (statement);
SELECT throws_ok('UPDATE notes SET body = body', 'TN004', 'permission denied by role', 'and stays a viewer');
RESET ALL;
SET LOCAL search_path = public, test_helpers;
SELECT throws_ok('SELECT tenancy.enter(test_helpers.a(), test_helpers.admin_of_a())', 'TN003', 'context is sealed',
                 'RESET ALL does not help');
SELECT is(tenancy.enter(a(), viewer_of_a()), a(), 'the same viewer may come back');
ROLLBACK TO before_a;

-- A superuser is not bound, and nobody else profits from it.
SELECT act_as_superuser();
SELECT is(tenancy.set_tenant(a()), a(), 'a superuser enters A');
SELECT is(tenancy.set_tenant(b()), b(), 'and B');
SELECT act_as('app', a());
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed',
                 'the application is sealed to what it was given');
SELECT results_eq('SELECT id, body FROM notes', $$VALUES (1, 'of a')$$, 'A has its rows');

SELECT * FROM finish();
ROLLBACK;
