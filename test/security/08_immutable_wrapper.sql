-- Attack 8: wrap the tenant in a function that is declared IMMUTABLE. A plan that was kept answers with the tenant it was
-- made under; nothing stops that, so check() finds it.
BEGIN;
SELECT plan(6);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a()), (2, b());
SELECT make_role();
GRANT SELECT ON notes TO PUBLIC;
SELECT is_empty('SELECT * FROM tenancy.check() WHERE code = ''context_immutable''', 'nothing is found to begin with');

CREATE FUNCTION kept_tenant() RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT tenancy.current_tenant_id()';
CREATE FUNCTION kept_setting() RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RETURN current_setting('tenancy.tenant_id')::uuid; END $$;
CREATE FUNCTION kept_body() RETURNS uuid LANGUAGE sql IMMUTABLE RETURN tenancy.current_tenant_id();
CREATE FUNCTION fine() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT tenancy.current_tenant_id()';
CREATE FUNCTION other() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';

SELECT set_eq('SELECT severity, object, fix FROM tenancy.check() WHERE code = ''context_immutable''',
              $$VALUES ('error', 'function public.kept_tenant()', 'ALTER FUNCTION public.kept_tenant() STABLE'),
                       ('error', 'function public.kept_setting()', 'ALTER FUNCTION public.kept_setting() STABLE'),
                       ('error', 'function public.kept_body()', 'ALTER FUNCTION public.kept_body() STABLE')$$,
              'check() finds the wrappers, and only these');

-- Even so the wrapper only ever narrows a protected table: the policies ask for themselves.
SELECT act_as('app', a());
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE through_wrapper AS SELECT id FROM notes WHERE tenant_id = kept_setting();
SELECT results_eq('EXECUTE through_wrapper', 'VALUES (1)', 'under A, through the wrapper: the rows of A');
SELECT act_as('app', b());
SELECT is_empty('EXECUTE through_wrapper', 'under B, through the stale wrapper: no row of A');
SELECT results_eq('SELECT id FROM notes', 'VALUES (2)', 'and B has its rows');

SELECT act_as_superuser();
DO $$ DECLARE fix text; BEGIN
    FOR fix IN SELECT c.fix FROM tenancy.check() c WHERE code = 'context_immutable' LOOP EXECUTE fix; END LOOP;
END $$;
SELECT is_empty('SELECT * FROM tenancy.check() WHERE code = ''context_immutable''', 'what it proposes repairs it');

SELECT * FROM finish();
ROLLBACK;
