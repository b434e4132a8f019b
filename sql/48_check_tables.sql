-- check() about tables, their children and their policies.

-- What an owner may know of the tables that are on their way in or out.
CREATE FUNCTION tenancy_internal.tables_in_change() RETURNS TABLE (relation regclass, migration integer, state text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.relation, m.id, m.state
    FROM tenancy.migrations m JOIN tenancy.migration_tables t ON t.migration = m.id
    WHERE m.state NOT IN ('enforced', 'undone') AND t.action IN ('column', 'path', 'share')
    UNION ALL
    SELECT d.relation, NULL, 'disabled' FROM tenancy.disabled_tables d;
END;

SELECT tenancy_internal.expose('tables_in_change()');

COMMENT ON FUNCTION tenancy.tables_in_change() IS
'tables of a migration that is under way, and those that disable_tenancy() opened; internal';

-- A table whose row in a registry cannot be read is named, and the others are looked at.
CREATE FUNCTION tenancy.check_failed_on(relation regclass, state text, message text) RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'check_failed', 'error', format('table %s', check_failed_on.relation),
           format('what its protection lacks is not known, since looking at it failed: %s: %s', check_failed_on.state, check_failed_on.message),
           'Look at its row in tenancy.protected_tables or tenancy.indirect_tables, take the table out with unprotect(), and protect it again.'
$$;

COMMENT ON FUNCTION tenancy.check_failed_on(regclass, text, text) IS 'the finding that a table could not be looked at; internal';

CREATE FUNCTION tenancy.protection_repair(relation regclass, code text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE protection_repair.code WHEN 'column_missing' THEN format('Rename the column back, or make it again and fill it; then %s.', s.statement)
                                       ELSE s.statement END
    FROM tenancy.protect_statement(protection_repair.relation, protection_repair.relation) s (statement);
END;

COMMENT ON FUNCTION tenancy.protection_repair(regclass, text) IS 'what repairs a fault of a registered table; internal';

CREATE FUNCTION tenancy.check_protections() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    looked_at regclass;
BEGIN
    -- All at once is fast with thousands of partitions. One by one tells which of them it fails at.
    BEGIN
        RETURN QUERY
        SELECT f.code, f.severity, format('table %s', f.relation), f.problem, tenancy.protection_repair(f.relation, f.code) FROM tenancy.all_faults() f;
        RETURN;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    FOR looked_at IN SELECT p.relation FROM tenancy.protected_tables p LOOP
        BEGIN
            RETURN QUERY
            SELECT f.code, f.severity, format('table %s', looked_at), f.problem, tenancy.protection_repair(looked_at, f.code)
            FROM tenancy.protection_faults(looked_at) f;
        EXCEPTION WHEN OTHERS THEN
            RETURN QUERY SELECT * FROM tenancy.check_failed_on(looked_at, SQLSTATE, SQLERRM);
        END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.check_protections() IS 'the part of check() about what protected tables lack; internal';

CREATE FUNCTION tenancy.check_paths() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.indirect_tables;
BEGIN
    FOR registered IN SELECT i.* FROM tenancy.indirect_tables i LOOP
        BEGIN
            RETURN QUERY
            SELECT f.code, f.severity, format('table %s', registered.relation), f.problem,
                   CASE WHEN registered.kind = 'shared' THEN format('SELECT tenancy.share(%L)', registered.relation)
                        WHEN f.code = 'path_missing' THEN format('Make the foreign key again; then SELECT tenancy.protect_by_path(%L, %L).', registered.relation, registered.path)
                        ELSE format('SELECT tenancy.protect_by_path(%L, %L)', registered.relation, registered.path) END
            FROM tenancy.indirect_faults(registered.relation) f;
        EXCEPTION WHEN OTHERS THEN
            RETURN QUERY SELECT * FROM tenancy.check_failed_on(registered.relation, SQLSTATE, SQLERRM);
        END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.check_paths() IS 'the part of check() about tables that are protected by a path or shared; internal';

CREATE FUNCTION tenancy.check_tables() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'table_gone', 'warning', format('OID %s', p.relation::oid), 'a table that no longer exists is registered as protected',
           format('DELETE FROM tenancy.protected_tables WHERE relation = %s', p.relation::oid)
    FROM tenancy.protected_tables p
    WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relation)
    UNION ALL
    SELECT 'table_gone', 'warning', format('OID %s', i.relation::oid), 'a table that no longer exists is registered as protected',
           format('DELETE FROM tenancy.indirect_tables WHERE relation = %s', i.relation::oid)
    FROM tenancy.indirect_tables i
    WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = i.relation)
    UNION ALL
    SELECT 'table_gone', 'warning', format('OID %s', d.relation::oid), 'a table that no longer exists is registered as one that enable_tenancy() protects again',
           format('DELETE FROM tenancy.disabled_tables WHERE relation = %s', d.relation::oid)
    FROM tenancy.tables_in_change() d
    WHERE d.migration IS NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.relation)
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
      AND NOT EXISTS (SELECT FROM tenancy.indirect_tables p WHERE p.relation = c.oid)
      AND c.oid NOT IN (SELECT t.relation FROM tenancy.tables_in_change() t)
      AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    GROUP BY c.oid
    UNION ALL
    SELECT 'migration_open', 'info', format('migration %s', t.migration),
           format('it is %s, and %s of its tables are not protected yet', t.state,
                  count(*) FILTER (WHERE t.relation NOT IN (SELECT i FROM tenancy.isolated_tables() i))),
           'Run it to the end with tenancyctl migrate run --to enforced, or take it back with tenancyctl migrate undo.'
    FROM tenancy.tables_in_change() t
    WHERE t.migration IS NOT NULL
    GROUP BY t.migration, t.state
    UNION ALL
    SELECT 'tenancy_disabled', 'info', format('database %I', current_database()),
           format('tenancy is turned off, and %s tables are open as in an application with one tenant', count(*)),
           'SELECT tenancy.enable_tenancy()'
    FROM tenancy.tables_in_change() t
    WHERE t.migration IS NULL
    HAVING count(*) > 0
    UNION ALL
    -- Policies do not reach the rows of another server.
    SELECT 'foreign_table_granted', 'error', format('foreign table %s', c.oid::regclass),
           format('it has a tenant column, no policy can protect it, and %s holds %s on it',
                  CASE WHEN g.grantee = 0 THEN 'everybody' ELSE 'role ' || g.grantee::regrole END, g.privilege_type),
           format('REVOKE %s ON %s FROM %s', g.privilege_type, c.oid::regclass,
                  CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
    FROM pg_class c
    CROSS JOIN aclexplode(c.relacl) g
    WHERE c.relkind = 'f' AND g.grantee <> c.relowner
      AND EXISTS (SELECT FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    AND (a.attname = 'tenant_id' OR a.attname IN (SELECT p.tenant_column FROM tenancy.protected_tables p)))
    UNION ALL
    SELECT 'policy_true', 'warning', format('policy %I on table %s', y.polname, p.relation),
           'it shows all rows of the tenant to everybody it is for, and all tenants'' where the policy tenancy_isolation is lost',
           format('DROP POLICY %I ON %s', y.polname, p.relation)
    FROM tenancy.protected_tables p
    JOIN pg_policy y ON y.polrelid = p.relation AND y.polpermissive
    WHERE 'true' IN (pg_get_expr(y.polqual, y.polrelid), pg_get_expr(y.polwithcheck, y.polrelid))
    UNION ALL
    -- Partitions are published with their table, by whose filter.
    SELECT 'published_whole', 'info', format('publication %I', b.pubname),
           format('it publishes the rows of all tenants of %s', p.relation),
           CASE WHEN r.prrelid IS NULL THEN 'Name the tables of the publication one by one with a row filter for the tenant, as tenancy.publish_tenant() does.'
                ELSE format('ALTER PUBLICATION %I DROP TABLE %s', b.pubname, p.relation) END
    FROM (SELECT p.relation, p.tenant_column FROM tenancy.protected_tables p
          UNION ALL
          SELECT i.relation, NULL FROM tenancy.indirect_tables i WHERE i.kind = 'path') p
    JOIN pg_class c ON c.oid = p.relation
    CROSS JOIN pg_publication b
    LEFT JOIN pg_publication_rel r ON r.prpubid = b.oid AND r.prrelid = c.oid
    WHERE b.puballtables
       OR r.prrelid IS NOT NULL
          AND (p.tenant_column IS NULL OR strpos(coalesce(pg_get_expr(r.prqual, r.prrelid), ''), quote_ident(p.tenant_column)) = 0)
       OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = b.oid AND n.pnnspid = c.relnamespace)
    UNION ALL
    SELECT 'guard_off', 'error', format('event trigger %I', t.evtname), 'changes that weaken a protection are not noticed',
           format('ALTER EVENT TRIGGER %I ENABLE', t.evtname)
    FROM pg_event_trigger t
    JOIN pg_depend d ON d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e'
                    AND d.refclassid = 'pg_extension'::regclass
    JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'tenancy'
    WHERE t.evtenabled NOT IN ('O', 'A')
$$;

COMMENT ON FUNCTION tenancy.check_tables() IS 'the part of check() about tables and their policies; internal';
