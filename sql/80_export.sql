-- Everything that a tenant has: which tables hold it, and a copy of it.

CREATE FUNCTION tenancy.run_as_owner(relation regclass, statement text) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_run_as_owner';

COMMENT ON FUNCTION tenancy.run_as_owner(regclass, text) IS
'runs a query that gives one bigint as the owner of a table, whom the policies of own tables do not hold here; internal';

CREATE FUNCTION tenancy.rows_as_owner(relation regclass, statement text) RETURNS SETOF jsonb
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'tenancy_rows_as_owner';

COMMENT ON FUNCTION tenancy.rows_as_owner(regclass, text) IS 'the rows of a query that gives jsonb, run as run_as_owner() does; internal';

CREATE FUNCTION tenancy.end_waiting() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_end_waiting';

COMMENT ON FUNCTION tenancy.end_waiting() IS
'SET CONSTRAINTS ALL IMMEDIATE for functions with the rights of the extension''s owner: triggers that wait fire with those of whoever called; internal';

-- Our own tables as well as the protected ones. The audit log stays: it tells that the tenant was purged, and by whom.
CREATE FUNCTION tenancy.tables_of_tenants() RETURNS TABLE (relation regclass, tenant_column name, column_type regtype, path name, is_own boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.oid::regclass, p.tenant_column, p.column_type, NULL::name, false
    FROM tenancy.protected_tables p
    JOIN pg_class c ON c.oid = p.relation
    UNION ALL
    SELECT c.oid::regclass, NULL, NULL, i.path, false
    FROM tenancy.indirect_tables i
    JOIN pg_class c ON c.oid = i.relation
    WHERE i.kind = 'path'
    UNION ALL
    SELECT c.oid::regclass, a.attname, a.atttypid::regtype, NULL, true
    FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                    AND d.classid = 'pg_class'::regclass AND d.objsubid = 0
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.atttypid = 'uuid'::regtype
    WHERE e.extname = 'tenancy' AND c.relname NOT IN ('audit_log', 'audit_seals', 'audit_heads');
END;

COMMENT ON FUNCTION tenancy.tables_of_tenants() IS
'the tables with rows of tenants: the protected ones, by a column (each partition by itself) or by a path, and the extension''s own; internal';

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

-- The owner of a table that is protected by a path reads the tables on the way too. Nobody else may do it in the owner's place:
-- an index's predicate and the cast that a foreign key compares by are the owner's code.
CREATE FUNCTION tenancy.rows_condition(tenant tenancy.tenants, relation regclass, tenant_column name, column_type regtype, path name)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step regclass := rows_condition.relation;
    by_key name := rows_condition.path;
    leads_to regclass;
BEGIN
    IF by_key IS NULL THEN
        RETURN 't.' || tenancy.tenant_condition(tenant, rows_condition.tenant_column, rows_condition.column_type);
    END IF;
    WHILE by_key IS NOT NULL LOOP
        SELECT f.confrelid INTO leads_to FROM pg_constraint f WHERE f.conrelid = step AND f.conname = by_key AND f.contype = 'f';
        IF leads_to IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = '55000',
                MESSAGE = format('whose the rows of %s are cannot be told', rows_condition.relation),
                DETAIL = format('Table %s has no foreign key %I, by which it is protected.', step, by_key),
                HINT = 'See tenancy.check().';
        ELSIF NOT (SELECT pg_has_role(a.relowner, b.relowner, 'USAGE') FROM pg_class a, pg_class b
                   WHERE a.oid = rows_condition.relation AND b.oid = leads_to) THEN
            RAISE EXCEPTION USING ERRCODE = '55000',
                MESSAGE = format('whose the rows of %s are cannot be told', rows_condition.relation),
                DETAIL = format('They belong to rows of %s, which has another owner.', leads_to),
                HINT = 'Give the tables to one owner, or this one a tenant column.';
        END IF;
        step := leads_to;
        by_key := (SELECT i.path FROM tenancy.indirect_tables i WHERE i.relation = step);
    END LOOP;
    RETURN tenancy.path_condition(rows_condition.relation, rows_condition.path, 't', 1, false, tenant);
END
$$;

COMMENT ON FUNCTION tenancy.rows_condition(tenancy.tenants, regclass, name, regtype, name) IS
'the WHERE that finds a tenant''s rows of a table named t, by its tenant column or its path; null where it can have none; internal';

-- By name, because not everything of ours is for other eyes: credentials, secrets and letters to be sent stay.
CREATE FUNCTION tenancy.tables_to_export() RETURNS TABLE (relation regclass, tenant_column name, column_type regtype, path name)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'tenancy.tenants'::regclass, 'id'::name, 'uuid'::regtype, NULL::name
    UNION ALL
    SELECT t.relation, t.tenant_column, t.column_type, t.path
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
        condition := tenancy.rows_condition(whose, source.relation, source.tenant_column, source.column_type, source.path);
        relation := source.relation::text;
        row_count := 0;
        IF condition IS NOT NULL THEN
            row_count := tenancy.run_as_owner(source.relation, format('SELECT count(*) FROM %s t WHERE %s', source.relation, condition));
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
BEGIN
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    -- Whoever may destroy the whole may take it along; policies that an application has beside ours do not hold here.
    PERFORM tenancy.authorize(tenant, 'tenant.delete');
    SELECT t.* INTO whose FROM tenancy.tenants t WHERE t.id = export_tenant.tenant;
    FOR source IN SELECT s.* FROM tenancy.tables_to_export() s ORDER BY s.relation::text LOOP
        condition := tenancy.rows_condition(whose, source.relation, source.tenant_column, source.column_type, source.path);
        CONTINUE WHEN condition IS NULL;
        SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.position) INTO key
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = source.relation AND i.indisprimary;
        -- Never as the extension's owner: planning alone runs functions of an index's predicate. From the owner of the table no
        -- policy hides rows here.
        RETURN QUERY
            SELECT source.relation::text, row_number() OVER (), r.value
            FROM tenancy.rows_as_owner(source.relation, format('SELECT pg_catalog.to_jsonb(t) FROM %s t WHERE %s%s', source.relation,
                                       condition, coalesce(' ORDER BY ' || key, ''))) AS r (value);
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
