-- check(): what stands against the isolation of tenants in this database, and the statement that repairs it. Bodies are
-- text and not parsed in advance, since they name functions that later parts make.

CREATE FUNCTION tenancy.protect_statement(relation regclass, like_table regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('SELECT tenancy.protect(%L%s%s%s%s)', protect_statement.relation,
                  CASE WHEN p.tenant_column <> 'tenant_id' THEN format(', %L', p.tenant_column) ELSE '' END,
                  CASE WHEN p.own_policies THEN ', own_policies => true' ELSE '' END,
                  CASE WHEN NOT p.foreign_key THEN ', foreign_key => false' ELSE '' END,
                  CASE WHEN NOT p.index THEN ', index => false' ELSE '' END)
    FROM tenancy.protected_tables p
    WHERE p.relation = like_table;
END;

COMMENT ON FUNCTION tenancy.protect_statement(regclass, regclass) IS
'the call that protects a table as another one is registered; internal';

CREATE FUNCTION tenancy.isolated_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.relation FROM tenancy.protected_tables p
    UNION ALL
    SELECT i.relation FROM tenancy.indirect_tables i WHERE i.kind = 'path';
END;

COMMENT ON FUNCTION tenancy.isolated_tables() IS 'the tables whose rows belong to tenants, by a column or by a path; internal';

-- What one part stumbles on must not hide what the others find.
-- Compiling the queries would take longer than running them.
CREATE FUNCTION tenancy.run_check(part name) RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT tenancy_finding.* FROM tenancy.%I() AS tenancy_finding (code, severity, object, problem, fix)', part);
EXCEPTION WHEN OTHERS THEN
    RETURN QUERY SELECT 'check_failed', 'error', format('function tenancy.%I()', part),
        format('it failed, and what it looks for is not known: %s: %s', SQLSTATE, SQLERRM),
        'Look for a row of the registries or an object of the catalogue that is not as it should be, correct it, and ask again.';
END
$$;

COMMENT ON FUNCTION tenancy.run_check(name) IS 'what one part of check() finds, or that it failed; internal';

CREATE FUNCTION tenancy.all_findings() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
    SELECT DISTINCT f.code, f.severity, f.object, f.problem, f.fix
    FROM unnest('{check_tables,check_registry,check_protections,check_paths,check_keys,check_readers,check_code,check_roles,check_settings,check_estimates,check_sharing,check_server,
                  check_corpora,check_migrations,check_counts,check_restore,store_faults}'::name[]) AS p (part)
    CROSS JOIN LATERAL tenancy.run_check(p.part) f
$$;

COMMENT ON FUNCTION tenancy.all_findings() IS 'what all parts of check() find; internal';

CREATE FUNCTION tenancy.check() RETURNS TABLE (code text, severity text, object text, problem text, fix text, accepted text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH found AS MATERIALIZED (
        SELECT f.code, f.severity, f.object, f.problem, f.fix FROM tenancy.all_findings() f
    ), acceptances AS MATERIALIZED (
        SELECT a.code, a.object, a.severity, a.problem, a.reason FROM tenancy.acceptances() a
    )
    SELECT f.code, f.severity, f.object, f.problem, f.fix, a.reason
    FROM (SELECT d.code, d.severity, d.object, d.problem, d.fix FROM found d
          UNION ALL
          -- Whoever sees only some tables finds less.
          SELECT 'acceptance_stale', 'info', s.object,
                 format('%s was accepted as "%s: %s", which is found no more', s.code, s.severity, s.problem),
                 format('SELECT tenancy.unaccept_finding(%L, %L)', s.code, s.object)
          FROM acceptances s
          WHERE (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
            AND NOT EXISTS (SELECT FROM found d WHERE (d.code, d.object, d.severity, d.problem) = (s.code, s.object, s.severity, s.problem))) f
    LEFT JOIN acceptances a USING (code, object, severity, problem)
    ORDER BY a.reason IS NOT NULL, array_position(ARRAY['error', 'warning', 'info'], f.severity), f.code, f.object, f.problem
$$;

COMMENT ON FUNCTION tenancy.check() IS
'what stands against the isolation of tenants in this database: error, warning or info, with the statement that repairs it, and why where it was accepted; no rows when nothing does';
