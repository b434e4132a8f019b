-- Attack 5: enter what one may not, to learn which tenants exist. All get one answer, for the same work.
BEGIN;
SELECT plan(41);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT tenancy.create_organization('frozen');
SELECT tenancy.create_tenant('in-frozen', NULL, 'frozen') AS in_frozen \gset
SELECT tenancy.create_tenant('suspended') AS suspended \gset
SELECT tenancy.create_tenant('deleted') AS deleted \gset
UPDATE tenancy.organizations SET status = 'suspended' WHERE slug = 'frozen';
UPDATE tenancy.tenants SET status = slug WHERE slug IN ('suspended', 'deleted');
INSERT INTO tenancy.users (id, email, status) VALUES ('d0000000-0000-4000-8000-000000000001', 'gone@a.example', 'deactivated');
INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES (a(), 'd0000000-0000-4000-8000-000000000001', 'admin');
INSERT INTO tenancy.memberships (tenant_id, user_id, role)
SELECT id, admin_of_a(), 'admin' FROM tenancy.tenants WHERE slug IN ('suspended', 'deleted', 'in-frozen');
SELECT make_role();
SELECT make_role('credential', 'credential');
SELECT make_role('stranger', NULL);

-- Everything that an error says, and what was read for it.
CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'entered';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, message, detail, hint);
END
$$;
CREATE FUNCTION work_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before jsonb; answer text;
BEGIN
    SELECT jsonb_object_agg(relname, seq_scan + coalesce(idx_scan, 0)) INTO before
    FROM pg_stat_xact_user_tables WHERE schemaname = 'tenancy';
    answer := public.said(statement);
    RETURN (SELECT string_agg(relname || ' ' || seq_scan + coalesce(idx_scan, 0) - (before ->> relname)::bigint, ', ' ORDER BY relname)
            FROM pg_stat_xact_user_tables
            WHERE schemaname = 'tenancy' AND seq_scan + coalesce(idx_scan, 0) > (before ->> relname)::bigint);
END
$$;

SELECT act_as('app');
SELECT is(said(statement),
          'TN002 | tenant is not available |  | Check the tenant''s id or slug, that it is active, and that the user is a member.',
          statement)
FROM (VALUES
    ('SELECT tenancy.set_tenant(''00000000-0000-0000-0000-00000000dead''::uuid)'),
    ('SELECT tenancy.set_tenant(''unknown'')'),
    (format('SELECT tenancy.set_tenant(%L::uuid)', :'suspended')),
    ('SELECT tenancy.set_tenant(''suspended'')'),
    (format('SELECT tenancy.set_tenant(%L::uuid)', :'deleted')),
    ('SELECT tenancy.set_tenant(''deleted'')'),
    (format('SELECT tenancy.set_tenant(%L::uuid)', :'in_frozen')),
    ('SELECT tenancy.set_tenant(''in-frozen'')'),
    ('SELECT tenancy.enter(''00000000-0000-0000-0000-00000000dead'', test_helpers.admin_of_a())'),
    ('SELECT tenancy.enter(test_helpers.b(), test_helpers.admin_of_a())'),
    ('SELECT tenancy.enter(test_helpers.a(), test_helpers.admin_of_b())'),
    ('SELECT tenancy.enter(test_helpers.a(), ''00000000-0000-0000-0000-00000000dead'')'),
    ('SELECT tenancy.enter(test_helpers.a(), ''d0000000-0000-4000-8000-000000000001'')'),
    (format('SELECT tenancy.enter(%L::uuid, test_helpers.admin_of_a())', :'suspended')),
    (format('SELECT tenancy.enter(%L::uuid, test_helpers.admin_of_a())', :'deleted')),
    (format('SELECT tenancy.enter(%L::uuid, test_helpers.admin_of_a())', :'in_frozen'))
) AS tries (statement);
SELECT is(tenancy.has_context(), false, 'none of them entered');

SELECT is(work_of('SELECT tenancy.set_tenant(''00000000-0000-0000-0000-00000000dead''::uuid)'),
          work_of(format('SELECT tenancy.set_tenant(%L::uuid)', :'suspended')),
          'the same is read for an unknown tenant as for a known one, by id');
SELECT is(work_of('SELECT tenancy.set_tenant(''unknown'')'), work_of('SELECT tenancy.set_tenant(''suspended'')'), 'by slug');
SELECT is(work_of('SELECT tenancy.enter(''00000000-0000-0000-0000-00000000dead'', test_helpers.admin_of_a())'),
          work_of('SELECT tenancy.enter(test_helpers.b(), test_helpers.admin_of_a())'), 'with a user who is no member');
SELECT is(work_of('SELECT tenancy.enter(test_helpers.b(), ''00000000-0000-0000-0000-00000000dead'')'),
          work_of('SELECT tenancy.enter(test_helpers.b(), test_helpers.admin_of_a())'), 'with a user who is unknown');
SELECT isnt(work_of('SELECT tenancy.set_tenant(''unknown'')'), NULL, 'something is read at all');

-- In a tenant already, one learns nothing of others either.
SAVEPOINT inside;
SELECT tenancy.set_tenant(a());
SELECT is(said(format('SELECT tenancy.set_tenant(%L::uuid)', id)), said('SELECT tenancy.set_tenant(test_helpers.b())'), what)
FROM (VALUES (:'suspended', 'inside A: suspended'), ('00000000-0000-0000-0000-00000000dead', 'inside A: unknown'),
             (:'in_frozen', 'inside A: of a suspended organization')) AS others (id, what);
ROLLBACK TO inside;

SELECT is(tenancy.enter(a(), admin_of_a()), a(), 'a member enters');
SELECT is(tenancy.current_role_name(), 'admin', 'with the role of the membership');

-- Without trust, naming is refused before anything is looked up.
SELECT act_as('credential');
SELECT throws_ok(statement, '42501', NULL, 'credential: ' || statement)
FROM (VALUES ('SELECT tenancy.set_tenant(test_helpers.a())'), ('SELECT tenancy.set_tenant(''tenant-a'')'),
             ('SELECT tenancy.set_tenant(''unknown'')'),
             ('SELECT tenancy.enter(test_helpers.a(), test_helpers.admin_of_a())')) AS tries (statement);
SELECT act_as('stranger');
SELECT throws_ok(statement, '42501', 'permission denied for schema tenancy', 'stranger: ' || statement)
FROM (VALUES ('SELECT tenancy.set_tenant(test_helpers.a())'), ('SELECT tenancy.has_context()'),
             ('SELECT tenancy.current_tenant_id()'), ('SELECT * FROM tenancy.tenants')) AS tries (statement);
SELECT act_as('app');
SELECT throws_ok(format('SELECT * FROM tenancy.%I', relname), '42501', format('permission denied for table %s', relname),
                 format('app cannot read tenancy.%s', relname))
FROM (VALUES ('tenants'), ('organizations'), ('users'), ('memberships'), ('api_keys'), ('roles')) AS tables (relname);

SELECT * FROM finish();
ROLLBACK;
