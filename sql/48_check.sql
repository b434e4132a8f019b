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

CREATE FUNCTION tenancy.check_tables() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'table_gone', 'warning', format('OID %s', p.relation::oid), 'a table that no longer exists is registered as protected',
           format('DELETE FROM tenancy.protected_tables WHERE relation = %s', p.relation::oid)
    FROM tenancy.protected_tables p
    WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relation)
    UNION ALL
    SELECT f.code, f.severity, format('table %s', p.relation), f.problem,
           CASE f.code WHEN 'column_missing' THEN format('Rename the column back, or make it again and fill it; then %s.', s.statement)
                       ELSE s.statement END
    FROM tenancy.protected_tables p
    CROSS JOIN LATERAL tenancy.protection_faults(p.relation) f
    CROSS JOIN LATERAL tenancy.protect_statement(p.relation, p.relation) s (statement)
    UNION ALL
    SELECT 'child_unprotected', 'error', format('table %s', i.inhrelid::regclass),
           format('it is a partition or an inheritance child of %s and is not protected itself', p.relation),
           tenancy.protect_statement(p.relation, p.relation)
    FROM tenancy.protected_tables p
    JOIN pg_inherits i ON i.inhparent = p.relation
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relpersistence <> 't'
    WHERE NOT EXISTS (SELECT FROM tenancy.protected_tables o WHERE o.relation = i.inhrelid)
    UNION ALL
    SELECT 'parent_unprotected', 'error', format('table %s', i.inhparent::regclass),
           format('the rows of its child %s, which is protected, can be read through it', p.relation),
           tenancy.protect_statement(i.inhparent::regclass, p.relation)
    FROM tenancy.protected_tables p
    JOIN pg_inherits i ON i.inhrelid = p.relation
    WHERE NOT EXISTS (SELECT FROM tenancy.protected_tables o WHERE o.relation = i.inhparent)
    UNION ALL
    -- A tenant column shows by its name, that of another protected table's or the usual one, or by its foreign key.
    SELECT 'table_unprotected', 'warning', format('table %s', c.oid::regclass),
           format('it has a tenant column %I and is not protected', min(a.attname)),
           format('SELECT tenancy.protect(%L%s)', c.oid::regclass,
                  CASE WHEN min(a.attname) <> 'tenant_id' THEN format(', %L', min(a.attname)) ELSE '' END)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND tenancy.tenants_column(a.atttypid::regtype) IS NOT NULL
      AND (a.attname = 'tenant_id' OR a.attname IN (SELECT p.tenant_column FROM tenancy.protected_tables p)
           OR tenancy.has_tenant_key(c.oid, a.attname))
      AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
      AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = c.oid)
      AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    GROUP BY c.oid
    UNION ALL
    SELECT 'policy_true', 'warning', format('policy %I on table %s', y.polname, p.relation),
           'it shows all rows of the tenant to everybody it is for, and all tenants'' where the policy tenancy_isolation is lost',
           format('DROP POLICY %I ON %s', y.polname, p.relation)
    FROM tenancy.protected_tables p
    JOIN pg_policy y ON y.polrelid = p.relation AND y.polpermissive
    WHERE 'true' IN (pg_get_expr(y.polqual, y.polrelid), pg_get_expr(y.polwithcheck, y.polrelid))
    UNION ALL
    SELECT 'foreign_key_across', 'warning', format('constraint %I on table %s', f.conname, child.relation),
           format('a row of one tenant can refer to a row of another in %s', parent.relation),
           format('Let it be from (%I, ...) to (%I, ...) of %s, with a unique index on these columns there.',
                  child.tenant_column, parent.tenant_column, parent.relation)
    FROM pg_constraint f
    JOIN tenancy.protected_tables child ON child.relation = f.conrelid
    JOIN tenancy.protected_tables parent ON parent.relation = f.confrelid
    WHERE f.contype = 'f' AND f.conparentid = 0
      AND NOT EXISTS (
          SELECT FROM unnest(f.conkey, f.confkey) AS pair (child_key, parent_key)
          JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = pair.child_key AND a.attname = child.tenant_column
          JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = pair.parent_key AND b.attname = parent.tenant_column)
    UNION ALL
    SELECT 'published_whole', 'info', format('publication %I', b.pubname),
           format('it publishes the rows of all tenants of %s', p.relation),
           CASE WHEN r.prrelid IS NULL THEN 'Name the tables of the publication one by one, with a row filter for the tenant.'
                ELSE format('ALTER PUBLICATION %I DROP TABLE %s', b.pubname, p.relation) END
    FROM tenancy.protected_tables p
    JOIN pg_class c ON c.oid = p.relation
    CROSS JOIN pg_publication b
    LEFT JOIN pg_publication_rel r ON r.prpubid = b.oid AND r.prrelid = c.oid
    WHERE b.puballtables OR r.prrelid IS NOT NULL AND r.prqual IS NULL
       OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = b.oid AND n.pnnspid = c.relnamespace)
    UNION ALL
    SELECT 'guard_off', 'error', format('event trigger %s', e.name), 'changes that weaken a protection are not noticed',
           format('ALTER EVENT TRIGGER %s ENABLE', e.name)
    FROM (VALUES ('tenancy_before_create_table'), ('tenancy_guardrail'), ('tenancy_after_drop')) AS e (name)
    WHERE NOT EXISTS (SELECT FROM pg_event_trigger t WHERE t.evtname = e.name AND t.evtenabled IN ('O', 'A'))
$$;

COMMENT ON FUNCTION tenancy.check_tables() IS 'the part of check() about tables and their policies; internal';

-- Views, materialized views and functions that read with more rights than their caller has.
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
        SELECT g.view, p.relation AS source
        FROM tenancy.protected_tables p JOIN reading g ON g.source = p.relation
        UNION
        SELECT g.view, o.source FROM over_protected o JOIN reading g ON g.source = o.view
    ), views AS (
        SELECT c.oid, c.relkind, c.relacl, c.relowner, w.rolname AS owner, w.rolsuper OR w.rolbypassrls AS owner_bypasses,
               coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) o
                         WHERE o.option_name = 'security_invoker'), false) AS is_invoker,
               (SELECT min(v.source::regclass::text) FROM over_protected v WHERE v.view = c.oid) AS source
        FROM pg_class c
        JOIN pg_roles w ON w.oid = c.relowner
        WHERE c.relkind IN ('v', 'm') AND c.oid IN (SELECT v.view FROM over_protected v)
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
           format('it runs as its owner %I, whom policies do not hold', f.owner),
           format('ALTER ROUTINE %s SECURITY INVOKER', f.oid::regprocedure)
    FROM own_functions f
    WHERE f.prosecdef AND f.owner_bypasses
      AND EXISTS (SELECT FROM tenancy.protected_tables)
      AND EXISTS (SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee <> f.proowner)
    UNION ALL
    -- Its result may be computed once, for one tenant, and used for another.
    SELECT 'context_immutable', 'error', format('function %s', f.oid::regprocedure),
           'it reads the context and is declared IMMUTABLE, so plans keep the tenant that it saw first',
           format('ALTER FUNCTION %s STABLE', f.oid::regprocedure)
    FROM own_functions f
    WHERE f.provolatile = 'i'
      AND (f.prosrc ~* '\m((current|writable)_tenant_(id|key)|current_user_id|current_role_name|has_context)|\mtenancy\.(tenant_id|user_id|role)\M'
           OR EXISTS (SELECT FROM pg_depend d JOIN pg_proc c ON c.oid = d.refobjid
                      WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_proc'::regclass
                        AND c.pronamespace = 'tenancy'::regnamespace AND c.provolatile <> 'i'))
$$;

COMMENT ON FUNCTION tenancy.check_readers() IS 'the part of check() about views and functions; internal';

CREATE FUNCTION tenancy.check_roles() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- `via` is the membership to revoke. A superuser counts as a member of every role: only what was granted is followed.
    WITH RECURSIVE reach AS (
        SELECT r::oid AS app, r::oid AS role, NULL::oid AS via FROM tenancy.app_roles() r
        UNION
        SELECT h.app, m.roleid, coalesce(h.via, m.roleid)
        FROM reach h JOIN pg_auth_members m ON m.member = h.role
    )
    SELECT 'app_role_bypasses', CASE b.attribute WHEN 'CREATEROLE' THEN 'warning' ELSE 'error' END,
           format('role %s', h.app::regrole),
           CASE WHEN h.via IS NULL THEN format('it has the attribute %s', b.attribute)
                ELSE format('it is a member of %s, which %s', h.role::regrole, b.says) END,
           CASE WHEN h.via IS NULL THEN format('ALTER ROLE %s NO%s', h.app::regrole, b.attribute)
                ELSE format('REVOKE %s FROM %s', h.via::regrole, h.app::regrole) END
    FROM reach h
    JOIN pg_roles r ON r.oid = h.role
    CROSS JOIN LATERAL (VALUES
        ('SUPERUSER', r.rolsuper, 'is a superuser'),
        ('BYPASSRLS', r.rolbypassrls, 'bypasses row level security'),
        ('REPLICATION', r.rolreplication, 'may read the write-ahead log of all tenants'),
        ('CREATEROLE', r.rolcreaterole, 'may give itself the rights of other roles'),
        (NULL, r.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'),
         'reaches the files of the server')
    ) AS b (attribute, holds, says)
    WHERE b.holds
    UNION ALL
    SELECT 'app_role_owns', 'warning', format('table %s', p.relation),
           format('its owner %s is an application''s role, or one that it is a member of, and may take the protection away', c.relowner::regrole),
           format('Give the table to a role that no application uses: ALTER TABLE %s OWNER TO ...', p.relation)
    FROM tenancy.protected_tables p
    JOIN pg_class c ON c.oid = p.relation
    WHERE c.relowner IN (SELECT h.role FROM reach h)
    UNION ALL
    -- TRUNCATE empties all tenants' rows, a foreign key or a trigger of one's own tells of them.
    SELECT 'app_role_privilege', 'error', format('table %s', p.relation),
           format('%s holds %s on it, which policies do not restrict',
                  CASE WHEN a.grantee = 0 THEN 'everybody' ELSE 'role ' || a.grantee::regrole END, a.privilege_type),
           format('REVOKE %s%s ON %s FROM %s', a.privilege_type, coalesce(' (' || quote_ident(a.attname) || ')', ''), p.relation,
                  CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM tenancy.protected_tables p
    JOIN pg_class c ON c.oid = p.relation
    CROSS JOIN LATERAL (
        SELECT x.grantee, x.privilege_type, NULL::name AS attname FROM aclexplode(c.relacl) x
        UNION ALL
        SELECT x.grantee, x.privilege_type, t.attname
        FROM pg_attribute t CROSS JOIN aclexplode(t.attacl) x
        WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
    ) a
    WHERE a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') AND a.grantee <> c.relowner
      AND (a.grantee = 0 OR a.grantee IN (SELECT h.role FROM reach h))
$$;

COMMENT ON FUNCTION tenancy.check_roles() IS 'the part of check() about the applications'' roles; internal';

CREATE FUNCTION tenancy.check_settings() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- grant_app(role, 'pooled') gives SET on tenancy.tenant_id, and nothing else.
    SELECT 'parameter_granted', CASE WHEN a.grantee = 0 THEN 'error' WHEN p.parname = 'tenancy.tenant_id' THEN 'info' ELSE 'warning' END,
           format('parameter %s', p.parname),
           format('%s holds %s on it and can claim to be %s',
                  CASE WHEN a.grantee = 0 THEN 'everybody' ELSE 'role ' || a.grantee::regrole END, a.privilege_type,
                  CASE p.parname WHEN 'tenancy.tenant_id' THEN 'any tenant' ELSE 'somebody else' END),
           format('REVOKE %s ON PARAMETER %s FROM %s', a.privilege_type, p.parname,
                  CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM pg_parameter_acl p
    CROSS JOIN aclexplode(p.paracl) a
    WHERE p.parname LIKE 'tenancy.%' AND p.parname <> 'tenancy.missing_tenant'
      AND a.grantee <> 10 -- the bootstrap superuser, who owns all parameters
      AND NOT (p.parname = 'tenancy.tenant_id' AND a.privilege_type = 'SET'
               AND a.grantee IN (SELECT r::oid FROM tenancy.app_roles() r))
    UNION ALL
    SELECT 'context_stored', 'error',
           CASE WHEN s.setrole <> 0 THEN format('role %s', s.setrole::regrole)
                WHEN s.setdatabase <> 0 THEN format('database %I', d.datname) ELSE 'all roles' END,
           format('sessions of it begin in a context: %s is stored', n.name),
           CASE WHEN s.setrole = 0 AND s.setdatabase <> 0 THEN format('ALTER DATABASE %I RESET %s', d.datname, n.name)
                ELSE format('ALTER ROLE %s%s RESET %s', CASE s.setrole WHEN 0 THEN 'ALL' ELSE s.setrole::regrole::text END,
                            coalesce(' IN DATABASE ' || quote_ident(d.datname), ''), n.name) END
    FROM pg_db_role_setting s
    CROSS JOIN unnest(s.setconfig) AS c (entry)
    CROSS JOIN split_part(c.entry, '=', 1) AS n (name)
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE n.name LIKE 'tenancy.%' AND n.name <> 'tenancy.missing_tenant'
      AND s.setdatabase IN (0, (SELECT b.oid FROM pg_database b WHERE b.datname = current_database()))
$$;

COMMENT ON FUNCTION tenancy.check_settings() IS 'the part of check() about settings that say who is asking; internal';

CREATE FUNCTION tenancy.check() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.code, f.severity, f.object, f.problem, f.fix
    FROM (SELECT * FROM tenancy.check_tables()
          UNION ALL SELECT * FROM tenancy.check_readers()
          UNION ALL SELECT * FROM tenancy.check_roles()
          UNION ALL SELECT * FROM tenancy.check_settings()) AS f (code, severity, object, problem, fix)
    ORDER BY array_position(ARRAY['error', 'warning', 'info'], f.severity), f.code, f.object, f.problem
$$;

COMMENT ON FUNCTION tenancy.check() IS
'what stands against the isolation of tenants in this database: error, warning or info, with the statement that repairs it; no rows when nothing does';
