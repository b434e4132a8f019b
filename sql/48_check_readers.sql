-- check() about what reads with more rights than its caller has: views, materialized views and functions.

CREATE FUNCTION tenancy.reads_as_caller(relation regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.relkind = 'v' AND EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o
                                       WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
    FROM pg_class c WHERE c.oid = reads_as_caller.relation;
END;

COMMENT ON FUNCTION tenancy.reads_as_caller(regclass) IS 'whether it is a view with security_invoker; internal';

CREATE FUNCTION tenancy.check_readers() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE reading AS (
        SELECT r.ev_class AS view, d.refobjid AS source
        FROM pg_rewrite r
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    ), over_protected AS (
        SELECT g.view, p.relation AS source, NOT tenancy.reads_as_caller(g.view) AS is_open
        FROM tenancy.isolated_tables() p (relation) JOIN reading g ON g.source = p.relation
        UNION
        -- What a view reads as its caller is read as the same caller through a view over it, but kept by a materialized one.
        SELECT g.view, o.source, o.is_open OR c.relkind = 'm'
        FROM over_protected o
        JOIN reading g ON g.source = o.view
        JOIN pg_class c ON c.oid = g.view
    ), views AS (
        SELECT c.oid, c.relkind, c.relacl, c.relowner, w.rolname AS owner, w.rolsuper OR w.rolbypassrls AS owner_bypasses,
               tenancy.reads_as_caller(c.oid) AS is_invoker,
               (SELECT min(v.source::regclass::text) FROM over_protected v WHERE v.view = c.oid AND v.is_open) AS source
        FROM pg_class c
        JOIN pg_roles w ON w.oid = c.relowner
        WHERE c.relkind IN ('v', 'm') AND c.oid IN (SELECT v.view FROM over_protected v WHERE v.is_open)
    ), own_functions AS (
        SELECT f.*, w.rolname AS owner, w.rolsuper OR w.rolbypassrls AS owner_bypasses
        FROM pg_proc f
        JOIN pg_roles w ON w.oid = f.proowner
        WHERE f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
    )
    SELECT 'view_as_owner', CASE WHEN v.owner_bypasses THEN 'error' ELSE 'info' END, format('view %s', v.oid::regclass),
           format('it reads %s as its owner %I%s', v.source, v.owner,
                  CASE WHEN v.owner_bypasses THEN ', whom policies do not hold' ELSE '' END),
           format('ALTER VIEW %s SET (security_invoker = true)', v.oid::regclass)
    FROM views v
    WHERE v.relkind = 'v' AND NOT v.is_invoker
    UNION ALL
    -- Whoever refreshes it decides whose rows it holds, and everybody who may read it sees them.
    SELECT 'materialized_view', 'error', format('materialized view %s', v.oid::regclass),
           format('%s sees rows of %s as they were when it was refreshed, of whichever tenant',
                  CASE WHEN a.grantee = 0 THEN 'everybody' ELSE a.grantee::regrole::text END, v.source),
           format('REVOKE SELECT ON %s FROM %s', v.oid::regclass,
                  CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM views v
    CROSS JOIN aclexplode(v.relacl) a
    WHERE v.relkind = 'm' AND a.privilege_type = 'SELECT' AND a.grantee <> v.relowner
    UNION ALL
    SELECT 'materialized_view', 'error', format('materialized view %s', v.oid::regclass),
           format('its owner %I is an application''s role and sees rows of %s as they were when it was refreshed, of whichever tenant',
                  v.owner, v.source),
           format('DROP MATERIALIZED VIEW %s', v.oid::regclass)
    FROM views v
    WHERE v.relkind = 'm' AND v.relowner IN (SELECT r::oid FROM tenancy.app_roles() r)
    UNION ALL
    SELECT 'function_as_owner', 'warning', format('function %s', f.oid::regprocedure),
           format('it runs as its owner %I, whom policies do not hold%s', f.owner, coalesce(', for whoever uses ' || u.user, '')),
           format('ALTER ROUTINE %s SECURITY INVOKER', f.oid::regprocedure)
    FROM own_functions f
    CROSS JOIN LATERAL (
        -- What calls it for everybody, without asking for EXECUTE: aggregates, operator classes, range types, event triggers and the
        -- like. Where it stands in an expression or below an operator or a cast, EXECUTE is asked for. Triggers are told of elsewhere.
        SELECT min(pg_describe_object(d.classid, d.objid, d.objsubid)) AS user
        FROM pg_depend d
        WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid
          AND d.classid NOT IN ('pg_trigger'::regclass, 'pg_class'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass,
                                'pg_rewrite'::regclass, 'pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass, 'pg_cast'::regclass,
                                'pg_operator'::regclass)
          AND (d.classid <> 'pg_proc'::regclass OR d.objid IN (SELECT g.oid FROM pg_proc g WHERE g.prokind = 'a'))) u
    WHERE f.prosecdef AND f.owner_bypasses
      AND EXISTS (SELECT FROM tenancy.isolated_tables())
      AND f.oid NOT IN (SELECT t.function FROM tenancy.triggers_as_owner(ARRAY(SELECT i FROM tenancy.isolated_tables() i)) t WHERE t.foreign_key IS NULL)
      AND (u.user IS NOT NULL
           OR EXISTS (SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee <> f.proowner))
    UNION ALL
    -- The planner lets it see rows before the policies do.
    SELECT 'function_leakproof', 'warning', format('function %s', f.oid::regprocedure),
           'it is declared LEAKPROOF, so it is called with values of rows that policies hide',
           format('ALTER FUNCTION %s NOT LEAKPROOF', f.oid::regprocedure)
    FROM own_functions f
    WHERE f.proleakproof
    UNION ALL
    -- Its result may be computed once, for one tenant, and used for another.
    SELECT 'context_immutable', 'error', format('function %s', f.oid::regprocedure),
           'it reads the context and is declared IMMUTABLE, so plans keep the tenant that it saw first',
           format('ALTER FUNCTION %s STABLE', f.oid::regprocedure)
    FROM own_functions f
    WHERE f.provolatile = 'i'
      AND (f.prosrc ~* E'\\m((current|writable)_tenant_(id|key)|current_user_id|current_role_name|has_context)|\\mtenancy[.](tenant_id|user_id|role)\\M'
           OR EXISTS (SELECT FROM pg_depend d JOIN pg_proc c ON c.oid = d.refobjid
                      WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_proc'::regclass
                        AND c.pronamespace = 'tenancy'::regnamespace AND c.provolatile <> 'i'))
$$;

COMMENT ON FUNCTION tenancy.check_readers() IS 'the part of check() about views and functions; internal';
