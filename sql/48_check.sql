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

CREATE FUNCTION tenancy.check() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
    SELECT f.code, f.severity, f.object, f.problem, f.fix
    FROM (SELECT * FROM tenancy.check_tables()
          UNION ALL SELECT * FROM tenancy.check_registry()
          UNION ALL SELECT * FROM tenancy.check_keys()
          UNION ALL SELECT * FROM tenancy.check_readers()
          UNION ALL SELECT * FROM tenancy.check_code()
          UNION ALL SELECT * FROM tenancy.check_roles()
          UNION ALL SELECT * FROM tenancy.check_settings()
          UNION ALL SELECT * FROM tenancy.check_server()
          UNION ALL SELECT * FROM tenancy.check_counts()
          UNION ALL SELECT * FROM tenancy.check_restore()
          UNION ALL SELECT * FROM tenancy.store_faults()) AS f (code, severity, object, problem, fix)
    ORDER BY array_position(ARRAY['error', 'warning', 'info'], f.severity), f.code, f.object, f.problem
$$;

COMMENT ON FUNCTION tenancy.check() IS
'what stands against the isolation of tenants in this database: error, warning or info, with the statement that repairs it; no rows when nothing does';
