-- check() about EXPLAIN: a planner's estimates are made from the rows of all tenants.

CREATE FUNCTION tenancy.names_tenants(role regrole) RETURNS boolean
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'tenancy_names_tenants';

COMMENT ON FUNCTION tenancy.names_tenants(regrole) IS
'whether a role may name the tenant itself, by set_tenant(), enter() or the setting, which a role of trust credential may not; internal';

CREATE FUNCTION tenancy.check_estimates() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Estimates tell of rows once a table was analysed.
    WITH analysed AS (
        SELECT p.relation
        FROM tenancy.isolated_tables() p (relation)
        JOIN pg_class c ON c.oid = p.relation
        WHERE EXISTS (SELECT FROM pg_stat_all_tables a WHERE a.relid = c.oid AND coalesce(a.last_analyze, a.last_autoanalyze) IS NOT NULL)
           OR EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = (SELECT n.nspname FROM pg_namespace n WHERE n.oid = c.relnamespace) AND s.tablename = c.relname)
    )
    SELECT 'explain_open', 'info', format('role %s', r.role),
           CASE WHEN r.names_tenants THEN 'EXPLAIN shows it estimates that are made from the rows of all tenants, any of which it may enter'
                ELSE 'EXPLAIN shows it estimates that are made from the rows of all tenants, of which it may enter none by name' END,
           CASE WHEN r.stored IS NULL THEN format('ALTER DATABASE %I SET tenancy.refuse_explain = ''on''', current_database())
                ELSE format('ALTER ROLE %s SET tenancy.refuse_explain = ''on''', r.role) END
    FROM (
        SELECT a.role, tenancy.names_tenants(a.role) AS names_tenants, s.stored,
               coalesce(s.stored, current_setting('tenancy.refuse_explain')) AS mode
        FROM tenancy.app_roles() a (role)
        CROSS JOIN LATERAL (
            SELECT (SELECT split_part(e.entry, '=', 2)
                    FROM pg_db_role_setting d
                    CROSS JOIN unnest(d.setconfig) AS e (entry)
                    WHERE d.setrole = a.role
                      AND d.setdatabase IN (0, (SELECT b.oid FROM pg_database b WHERE b.datname = current_database()))
                      AND split_part(e.entry, '=', 1) = 'tenancy.refuse_explain'
                    ORDER BY d.setdatabase DESC
                    LIMIT 1) AS stored
        ) s
    ) r
    WHERE (r.mode = 'off' OR r.mode = 'credential' AND r.names_tenants)
      AND EXISTS (
          SELECT FROM analysed p
          WHERE has_any_column_privilege(r.role, p.relation, 'SELECT'))
    UNION ALL
    -- Which roles a plan is written for is not asked by auto_explain, and what it writes reaches a client that asks for such messages.
    SELECT 'explain_open', 'info', 'auto_explain',
           'it logs plans, and a client that sets client_min_messages to log is sent those of its own statements with their estimates',
           'Set auto_explain.log_min_duration to -1, for the roles of applications at least.'
    WHERE coalesce(current_setting('auto_explain.log_min_duration', true), '-1') <> '-1'
      AND EXISTS (SELECT FROM analysed)
$$;

COMMENT ON FUNCTION tenancy.check_estimates() IS 'the part of check() about estimates that tell of other tenants'' rows; internal';
