-- Everything that a tenant has: which tables hold it, and a copy of it.

CREATE FUNCTION tenancy.run_as_owner(relation regclass, statement text) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_run_as_owner';

COMMENT ON FUNCTION tenancy.run_as_owner(regclass, text) IS
'runs a query that gives one bigint as the owner of a table, whom the policies of own tables do not hold here; internal';

CREATE FUNCTION tenancy.rows_as_owner(relation regclass, statement text) RETURNS SETOF jsonb
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'tenancy_rows_as_owner';

COMMENT ON FUNCTION tenancy.rows_as_owner(regclass, text) IS 'the rows of a query that gives jsonb, run as run_as_owner() does; internal';

-- Our own tables as well as the protected ones. The audit log stays: it tells that the tenant was purged, and by whom.
CREATE FUNCTION tenancy.tables_of_tenants() RETURNS TABLE (relation regclass, tenant_column name, column_type regtype, is_own boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.oid::regclass, p.tenant_column, p.column_type, false
    FROM tenancy.protected_tables p
    JOIN pg_class c ON c.oid = p.relation
    UNION ALL
    SELECT c.oid::regclass, a.attname, a.atttypid::regtype, true
    FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                    AND d.classid = 'pg_class'::regclass AND d.objsubid = 0
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.atttypid = 'uuid'::regtype
    WHERE e.extname = 'tenancy' AND c.relname NOT IN ('audit_log', 'audit_seals', 'audit_heads');
END;

COMMENT ON FUNCTION tenancy.tables_of_tenants() IS
'the tables with rows of tenants: the protected ones, each partition by itself, and the extension''s own; internal';

-- Null for a table that can hold no row of the tenant: its column has keys, and the tenant has none of that type.
CREATE FUNCTION tenancy.tenant_condition(tenant tenancy.tenants, tenant_column name, column_type regtype) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN k.key IS NOT NULL THEN format('%I = %L::%s', tenant_column, k.key, column_type) END
    FROM (SELECT CASE column_type
        WHEN 'uuid'::regtype THEN (tenant).id::text
        WHEN 'text'::regtype THEN (tenant).external_key
        WHEN 'bigint'::regtype THEN (tenant).external_key_bigint::text
        WHEN 'integer'::regtype THEN
            CASE WHEN (tenant).external_key_bigint BETWEEN -2147483648 AND 2147483647 THEN (tenant).external_key_bigint::text END
        END AS key) k;
END;

COMMENT ON FUNCTION tenancy.tenant_condition(tenancy.tenants, name, regtype) IS 'the WHERE that finds a tenant''s rows by its tenant column; internal';

-- By name, because not everything of ours is for other eyes: credentials, secrets and letters to be sent stay.
CREATE FUNCTION tenancy.tables_to_export() RETURNS TABLE (relation regclass, tenant_column name, column_type regtype)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'tenancy.tenants'::regclass, 'id'::name, 'uuid'::regtype
    UNION ALL
    SELECT t.relation, t.tenant_column, t.column_type
    FROM tenancy.tables_of_tenants() t
    JOIN pg_class c ON c.oid = t.relation
    WHERE t.is_own AND c.relname IN ('memberships', 'roles', 'agents', 'agent_sessions', 'agent_messages', 'agent_runs')
       OR NOT t.is_own AND NOT EXISTS (
            SELECT FROM pg_inherits i JOIN tenancy.protected_tables p ON p.relation = i.inhparent WHERE i.inhrelid = t.relation);
END;

COMMENT ON FUNCTION tenancy.tables_to_export() IS
'what export_tenant() reads: protected tables, with their partitions, and the extension''s own that hold no secrets; internal';

CREATE FUNCTION tenancy.count_rows(tenant uuid) RETURNS TABLE (relation text, row_count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants;
    source record;
    condition text;
BEGIN
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize(tenant, 'tenant.delete');
    SELECT t.* INTO whose FROM tenancy.tenants t WHERE t.id = count_rows.tenant;
    FOR source IN SELECT s.* FROM tenancy.tables_to_export() s ORDER BY s.relation::text LOOP
        condition := tenancy.tenant_condition(whose, source.tenant_column, source.column_type);
        relation := source.relation::text;
        row_count := 0;
        IF condition IS NOT NULL THEN
            row_count := tenancy.run_as_owner(source.relation, format('SELECT count(*) FROM %s WHERE %s', source.relation, condition));
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.count_rows(uuid) IS
'how many rows of each table export_tenant() gives; needs tenant.delete';

CREATE FUNCTION tenancy.export_tenant(tenant uuid) RETURNS TABLE (relation text, row_number bigint, data jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants;
    source record;
    condition text;
    key text;
    exported bigint;
    counted bigint;
BEGIN
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    -- Whoever may destroy the whole may take it along; policies that an application has beside ours do not hold here.
    PERFORM tenancy.authorize(tenant, 'tenant.delete');
    SELECT t.* INTO whose FROM tenancy.tenants t WHERE t.id = export_tenant.tenant;
    FOR source IN SELECT s.* FROM tenancy.tables_to_export() s ORDER BY s.relation::text LOOP
        condition := tenancy.tenant_condition(whose, source.tenant_column, source.column_type);
        CONTINUE WHEN condition IS NULL;
        SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.position) INTO key
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = source.relation AND i.indisprimary;
        RETURN QUERY
            SELECT source.relation::text, row_number() OVER (), r.value
            FROM tenancy.rows_as_owner(source.relation, format('SELECT to_jsonb(t) FROM %s t WHERE t.%s%s', source.relation,
                                       condition, coalesce(' ORDER BY ' || key, ''))) AS r (value);
        GET DIAGNOSTICS exported = ROW_COUNT;
        -- Counted apart, as the extension's owner, whom no policy holds: a table that hides rows from its owner must not go unseen.
        EXECUTE format('SELECT count(*) FROM %s WHERE %s', source.relation, condition) INTO counted;
        IF exported <> counted THEN
            RAISE EXCEPTION USING ERRCODE = '55000',
                MESSAGE = format('export of %s is not complete: %s of %s rows', source.relation, exported, counted),
                HINT = 'Look for policies and rights that keep rows from the owner of the table.';
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.export_tenant(uuid) IS
'all rows of a tenant in all protected tables, with its members, roles, agents and their conversations, as they are at one moment; tables by name, rows by primary key; credentials are left out; needs tenant.delete';

CREATE FUNCTION tenancy.export_tenant(tenant text) RETURNS TABLE (relation text, row_number bigint, data jsonb)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT e.relation, e.row_number, e.data FROM tenancy.export_tenant(tenancy.tenant_named(tenant)) e;
END;

COMMENT ON FUNCTION tenancy.export_tenant(text) IS 'the same, by slug or id';
