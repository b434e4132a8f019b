-- check() about what PostgreSQL shares between the sessions of one role, and so between the tenants that they serve.

-- What an owner may know of it.
CREATE FUNCTION tenancy_internal.serves_several() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT count(*) > 1 FROM (SELECT FROM tenancy.tenants t WHERE t.status = 'active' LIMIT 2) s;
END;

SELECT tenancy_internal.expose('serves_several()');

COMMENT ON FUNCTION tenancy.serves_several() IS 'whether there is more than one active tenant; internal';

-- A setting as the sessions of a role begin with it: the most special of what is stored, else the server's.
CREATE FUNCTION tenancy.stored_setting(role oid, setting text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce((SELECT substr(c.entry, length(stored_setting.setting) + 2)
                     FROM pg_db_role_setting s
                     CROSS JOIN unnest(s.setconfig) AS c (entry)
                     WHERE s.setrole IN (0, stored_setting.role)
                       AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
                       AND starts_with(c.entry, stored_setting.setting || '=')
                     ORDER BY s.setrole = 0, s.setdatabase = 0
                     LIMIT 1), (SELECT coalesce(p.reset_val, p.setting) FROM pg_settings p WHERE p.name = stored_setting.setting));
END;

COMMENT ON FUNCTION tenancy.stored_setting(oid, text) IS 'a setting that sessions of a role begin with in this database; internal';

CREATE FUNCTION tenancy.check_sharing() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH shared AS MATERIALIZED (
        SELECT w.oid, w.rolname
        FROM tenancy.app_roles() r
        JOIN pg_roles w ON w.oid = r::oid AND w.rolcanlogin
        WHERE tenancy.serves_several()
    )
    SELECT 'activity_shared', 'info', format('role %I', s.rolname),
           'its sessions serve several tenants, and each of them reads in pg_stat_activity the statements of the others',
           format('ALTER ROLE %I SET track_activities = off', s.rolname)
    FROM shared s
    WHERE tenancy.stored_setting(s.oid, 'track_activities') IN ('on', 'true', 'yes', '1')
      AND has_function_privilege(s.oid, 'pg_stat_get_activity(integer)', 'EXECUTE')
    UNION ALL
    SELECT 'signals_shared', 'info', format('function %s', f.oid::regprocedure),
           format('sessions of %s serve several tenants, and each of them may end or cancel what the others do', string_agg(quote_ident(s.rolname), ', ' ORDER BY s.rolname)),
           format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.oid::regprocedure)
    FROM shared s
    JOIN pg_proc f ON f.oid IN ('pg_terminate_backend(integer, bigint)'::regprocedure, 'pg_cancel_backend(integer)'::regprocedure)
    WHERE has_function_privilege(s.oid, f.oid, 'EXECUTE')
    GROUP BY f.oid
    UNION ALL
    -- A pooled role's pooler sets the tenant for the session: that is what it is for.
    SELECT 'session_context', 'info', format('role %I', s.rolname),
           'it may keep a tenant context for its session, which behind a pooler the next client would inherit',
           format('SELECT tenancy.grant_app(%L, %L, session_context => false)', quote_ident(s.rolname),
                  CASE WHEN has_function_privilege(s.oid, 'tenancy.set_tenant(uuid, boolean)', 'EXECUTE') THEN 'session' ELSE 'credential' END)
    FROM shared s
    WHERE has_function_privilege(s.oid, 'tenancy.may_keep_context()', 'EXECUTE')
      AND NOT has_parameter_privilege(s.oid, 'tenancy.tenant_id', 'SET')
    UNION ALL
    SELECT 'statements_shared', 'info', format('view %s', c.oid::regclass),
           format('sessions of %s serve several tenants, and each of them reads there what the others ran', string_agg(quote_ident(s.rolname), ', ' ORDER BY s.rolname)),
           format('REVOKE SELECT ON %s FROM PUBLIC', c.oid::regclass)
    FROM shared s
    JOIN pg_extension x ON x.extname = 'pg_stat_statements'
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.objid AND c.relname = 'pg_stat_statements'
    WHERE has_table_privilege(s.oid, c.oid, 'SELECT')
    GROUP BY c.oid
    UNION ALL
    SELECT 'large_objects_open', 'warning', 'parameter lo_compat_privileges', 'it is on, and everybody reads and writes the large objects of everybody',
           'ALTER SYSTEM RESET lo_compat_privileges; SELECT pg_reload_conf()'
    WHERE current_setting('lo_compat_privileges')::boolean AND EXISTS (SELECT FROM shared)
    UNION ALL
    -- The worker that applies changes writes as a role whom policies mostly do not hold, and sets no tenant.
    SELECT 'subscription_writes', 'info', format('subscription %I', b.subname),
           'what its publisher sends is written past the policies, into whichever tenant the rows name',
           'See that the publisher is trusted, and publishes to the tables of this database only what is meant for them.'
    FROM pg_subscription b
    WHERE b.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND b.subenabled
      AND EXISTS (SELECT FROM tenancy.isolated_tables())
$$;

COMMENT ON FUNCTION tenancy.check_sharing() IS 'the part of check() about what sessions of one role share; internal';
