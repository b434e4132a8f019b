-- A stranger: every function that names a tenant gives one answer for one of others and for one that does not exist, and
-- reads the same for it.
BEGIN;
SELECT plan(78);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT make_role('operator', NULL);
SELECT tenancy.grant_control_plane(role_name('operator')::regrole);
SELECT tenancy.suspend_tenant(tenancy.create_tenant('suspended'));
SELECT tenancy.delete_tenant(tenancy.create_tenant('deleted'));
CREATE TABLE others (name text, id text);
INSERT INTO others SELECT slug, id FROM tenancy.tenants WHERE slug IN ('tenant-b', 'suspended', 'deleted');
INSERT INTO others VALUES ('nobody', '00000000-0000-4000-8000-00000000dead');
GRANT SELECT ON others TO PUBLIC;

CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text; touched bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN touched || ' rows';
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

CREATE TABLE calls (call text);
INSERT INTO calls VALUES
    ('tenancy.update_tenant(%s, name => ''x'')'), ('tenancy.suspend_tenant(%s)'), ('tenancy.resume_tenant(%s)'), ('tenancy.delete_tenant(%s)'),
    ('tenancy.restore_tenant(%s)'), ('tenancy.switch_tenant(%s)'), ('tenancy.list_members(%s)'), ('tenancy.add_member(%s, admin_of_b(), ''viewer'')'),
    ('tenancy.change_role(%s, admin_of_b(), ''viewer'')'), ('tenancy.remove_member(%s, admin_of_b())'), ('tenancy.leave_tenant(%s)'),
    ('tenancy.create_role(%s, ''x'', 1, ''{}'')'), ('tenancy.update_role(%s, ''x'')'), ('tenancy.drop_role(%s, ''x'')'), ('tenancy.list_roles(%s)'),
    ('tenancy.count_rows(%s)'), ('tenancy.export_tenant(%s)');
GRANT SELECT ON calls TO PUBLIC;

SELECT act_as('app', a(), admin_of_a());
SELECT is(said('SELECT * FROM ' || format(call, quote_literal(id))),
          'TN002 | tenant is not available |  | Check the tenant''s id or slug, that it is active, and that the user is a member.',
          format(call, name))
FROM calls, others ORDER BY call, name;
SELECT is(said('SELECT * FROM tenancy.get_tenant(' || quote_literal(n) || ')'), '0 rows', 'no row of ' || n)
FROM others, unnest(ARRAY[name, id]) n;

-- Twice, so that the catalogue has been read once.
SELECT count(work_of('SELECT * FROM ' || format(call, quote_literal(id)))) FROM calls, others;
SELECT is((SELECT string_agg(DISTINCT work, ' / ') FROM (
               SELECT call, string_agg(DISTINCT coalesce(work_of('SELECT * FROM ' || format(call, quote_literal(id))), 'nothing'), ' or ') AS work
               FROM calls, others GROUP BY call) w WHERE work LIKE '% or %'), NULL, 'the same is read for all of them');
SELECT is((SELECT string_agg(DISTINCT coalesce(work_of(format('SELECT * FROM tenancy.suspend_tenant(%L::text)', n)), 'nothing'), ' or ')
           FROM others, unnest(ARRAY[name]) n), 'tenants 1', 'also by slug');

SELECT * FROM finish();
ROLLBACK;
