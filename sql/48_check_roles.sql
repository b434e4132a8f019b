-- check() about the roles of applications, what they were granted, and settings that say who is asking.

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
         'reaches the files of the server'),
        (NULL, r.rolname IN ('pg_read_all_data', 'pg_write_all_data'), 'reads or writes the tables of tenancy itself'),
        (NULL, r.rolname = 'pg_create_subscription', 'may have rows written past the policies')
    ) AS b (attribute, holds, says)
    WHERE b.holds
    UNION ALL
    SELECT 'app_role_sees', 'warning', format('role %s', h.app::regrole),
           format('it is a member of %s, which %s', h.role::regrole, b.says),
           format('REVOKE %s FROM %s', h.via::regrole, h.app::regrole)
    FROM reach h
    JOIN (VALUES ('pg_read_all_stats', 'reads the statements of all sessions'),
                 ('pg_stat_scan_tables', 'reads statistics of the rows of all tenants, and locks tables for it'),
                 ('pg_signal_backend', 'may end the sessions of other roles'),
                 ('pg_maintain', 'may lock every table, and refresh every materialized view')) AS b (name, says)
      ON h.role::regrole::text = b.name
    UNION ALL
    SELECT 'app_role_owns', 'warning', format('table %s', p.relation),
           format('its owner %s is an application''s role, or one that it is a member of, and may take the protection away', c.relowner::regrole),
           format('Give the table to a role that no application uses: ALTER TABLE %s OWNER TO ...', p.relation)
    FROM tenancy.isolated_tables() p (relation)
    JOIN pg_class c ON c.oid = p.relation
    WHERE c.relowner IN (SELECT h.role FROM reach h)
    UNION ALL
    -- Who owns a schema or the database may drop what is in it, and the owner of the database counts as the owner of public.
    SELECT 'app_role_owns', 'warning', format('schema %I', n.nspname),
           format('its owner %s is an application''s role, or one that it is a member of, and may drop the protected tables in it',
                  n.nspowner::regrole),
           format('ALTER SCHEMA %I OWNER TO %I', n.nspname, b.rolname)
    FROM pg_namespace n
    CROSS JOIN pg_roles b
    WHERE b.oid = 10 -- the bootstrap superuser, who is always there
      AND n.nspowner IN (SELECT h.role FROM reach h)
      AND EXISTS (SELECT FROM tenancy.isolated_tables() p (relation) JOIN pg_class c ON c.oid = p.relation WHERE c.relnamespace = n.oid)
    UNION ALL
    SELECT 'app_role_owns', 'warning', format('database %I', d.datname),
           format('its owner %s is an application''s role, or one that it is a member of, and may drop it and store settings for it', d.datdba::regrole),
           format('ALTER DATABASE %I OWNER TO %I', d.datname, b.rolname)
    FROM pg_database d
    CROSS JOIN pg_roles b
    WHERE b.oid = 10 AND d.datname = current_database() AND d.datdba IN (SELECT h.role FROM reach h)
    UNION ALL
    -- Nothing of ours is for everybody, and its tables are reached by its functions.
    SELECT 'function_public', 'error', format('function %s', f.oid::regprocedure), 'everybody may call it',
           format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', f.oid::regprocedure)
    FROM pg_proc f
    WHERE f.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace)
      AND EXISTS (SELECT FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee = 0)
    UNION ALL
    SELECT 'catalogue_granted', 'error', format('table %s', c.oid::regclass),
           format('%s holds %s on it, and need not call the functions that check it',
                  CASE WHEN a.grantee = 0 THEN 'everybody' ELSE 'role ' || a.grantee::regrole END, a.privilege_type),
           format('REVOKE %s ON %s FROM %s', a.privilege_type, c.oid::regclass,
                  CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM pg_class c
    CROSS JOIN aclexplode(c.relacl) a
    WHERE c.relnamespace = 'tenancy'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
      AND (a.grantee = 0 OR a.grantee IN (SELECT h.app FROM reach h))
      AND NOT (c.oid IN ('tenancy.corpora'::regclass, 'tenancy.graphs'::regclass) AND a.privilege_type = 'SELECT')
      -- A role that is an owner too holds what grant_owner() gives.
      AND NOT (a.grantee <> 0 AND has_function_privilege(a.grantee, 'tenancy.drop_corpus(text, boolean)', 'EXECUTE'))
    UNION ALL
    -- TRUNCATE empties all tenants' rows, a foreign key or a trigger of one's own tells of them.
    SELECT 'app_role_privilege', 'error', format('table %s', p.relation),
           format('%s holds %s on it, which policies do not restrict',
                  CASE WHEN a.grantee = 0 THEN 'everybody' ELSE 'role ' || a.grantee::regrole END, a.privilege_type),
           format('REVOKE %s%s ON %s FROM %s', a.privilege_type, coalesce(' (' || quote_ident(a.attname) || ')', ''), p.relation,
                  CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM tenancy.isolated_tables() p (relation)
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
    WHERE p.parname LIKE 'tenancy.%' AND p.parname NOT IN ('tenancy.missing_tenant', 'tenancy.refuse_explain')
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
    WHERE n.name LIKE 'tenancy.%' AND n.name NOT IN ('tenancy.missing_tenant', 'tenancy.refuse_explain', 'tenancy.approximate_above', 'tenancy.use_stores', 'tenancy.bm25_k1', 'tenancy.bm25_b')
      AND s.setdatabase IN (0, (SELECT b.oid FROM pg_database b WHERE b.datname = current_database()))
$$;

COMMENT ON FUNCTION tenancy.check_settings() IS 'the part of check() about settings that say who is asking; internal';
