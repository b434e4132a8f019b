-- Everything that a tenant has: which tables hold it, and a copy of it.

CREATE FUNCTION tenancy.run_as_owner(relation regclass, statement text) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_run_as_owner';

COMMENT ON FUNCTION tenancy.run_as_owner(regclass, text) IS
'runs a query that gives one bigint as the owner of a table, whom the policies of own tables do not hold here; internal';

CREATE FUNCTION tenancy.rows_as_owner(relation regclass, statement text) RETURNS SETOF json
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'tenancy_rows_as_owner';

COMMENT ON FUNCTION tenancy.rows_as_owner(regclass, text) IS 'the rows of a query whose columns are json, each as an object, run as run_as_owner() does; no setting of the caller''s changes how values are written, and what jsonb cannot hold is the string of its text; internal';

CREATE FUNCTION tenancy.end_waiting() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_end_waiting';

COMMENT ON FUNCTION tenancy.end_waiting() IS
'SET CONSTRAINTS ALL IMMEDIATE for functions with the rights of the extension''s owner: triggers that wait fire with those of whoever called; internal';

-- What a foreign key to tenants does in tables of others ends in their triggers. They run as the owner of those tables; where it is not
-- one owner alone, as a role that may do nothing.
CREATE FUNCTION tenancy.change_referred(statement text, tenant uuid, key text, triggers_as regrole, search_path text) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_change_referred';

COMMENT ON FUNCTION tenancy.change_referred(text, uuid, text, regrole, text) IS
'runs a statement with two parameters, of which what foreign keys do, and all triggers, run as another role; internal';

CREATE FUNCTION tenancy.change_tenant_row(statement text, tenant uuid, key text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owners oid[];
    schemas text;
BEGIN
    -- Nobody refers to tenants in a new way meanwhile.
    LOCK TABLE tenancy.tenants IN ROW EXCLUSIVE MODE;
    WITH RECURSIVE reached AS (
        SELECT 'tenancy.tenants'::regclass::oid AS relation
        UNION
        SELECT f.conrelid
        FROM reached r
        JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = r.relation
                            AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd')))
    SELECT array_agg(DISTINCT c.relowner), string_agg(DISTINCT quote_ident(n.nspname), ', ')
    INTO owners, schemas
    FROM reached r
    JOIN pg_class c ON c.oid = r.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'tenancy';
    -- Triggers that wait would run as whoever commits.
    PERFORM tenancy.end_waiting();
    PERFORM tenancy.change_referred(statement, tenant, key,
        CASE coalesce(cardinality(owners), 0) WHEN 0 THEN current_user::regrole WHEN 1 THEN owners[1]::regrole ELSE 'pg_checkpoint'::regrole END,
        coalesce(schemas || ', ', '') || 'pg_temp');
END
$$;

COMMENT ON FUNCTION tenancy.change_tenant_row(text, uuid, text) IS
'runs a statement that deletes a row of tenants or changes what others refer to in it, with an id and an external key; triggers of others run as their owner; internal';

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
    WHERE e.extname = 'tenancy' AND c.relname NOT IN ('audit_log', 'audit_seals', 'audit_heads', 'audit_anchors', 'audit_retention');
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
    passed regclass[] := ARRAY[rows_condition.relation];
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
        IF leads_to = ANY (passed) THEN
            RAISE EXCEPTION USING ERRCODE = '55000',
                MESSAGE = format('whose the rows of %s are cannot be told', rows_condition.relation),
                DETAIL = format('Its path comes back to table %s.', leads_to),
                HINT = 'See tenancy.check().';
        END IF;
        step := leads_to;
        passed := passed || step;
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

CREATE FUNCTION tenancy_internal.count_rows(tenant uuid) RETURNS TABLE (relation text, row_count bigint)
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
    PERFORM tenancy.refuse_wrong_tables();
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

SELECT tenancy_internal.expose('count_rows(uuid)');

COMMENT ON FUNCTION tenancy.count_rows(uuid) IS
'how many rows of each table export_tenant() gives; needs tenant.delete';

-- A row is called t in the condition and in the order, and each of its columns is qualified by that: a bare name could be another
-- thing of the application's. An array whose first place is not 1 has no JSON; its text has.
CREATE FUNCTION tenancy.export_query(relation regclass, condition text, row_order text, only_columns name[] DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('SELECT %s FROM %s t WHERE %s ORDER BY %s',
                  string_agg(format(CASE y.typcategory WHEN 'A'
                      THEN 'CASE WHEN pg_catalog.array_dims(t.%1$I) OPERATOR(pg_catalog.~) ''\[(?!1:)'' THEN pg_catalog.to_json(t.%1$I::pg_catalog.text) '
                           'ELSE pg_catalog.to_json(t.%1$I) END AS %1$I'
                      ELSE 'pg_catalog.to_json(t.%1$I) AS %1$I' END, a.attname), ', ' ORDER BY a.attnum),
                  export_query.relation, export_query.condition, export_query.row_order)
    FROM pg_attribute a
    JOIN pg_type y ON y.oid = a.atttypid
    WHERE a.attrelid = export_query.relation AND a.attnum > 0 AND NOT a.attisdropped
      AND (export_query.only_columns IS NULL OR a.attname = ANY (export_query.only_columns));
END;

COMMENT ON FUNCTION tenancy.export_query(regclass, text, text, name[]) IS 'the query that gives the rows of a table, each column as json; internal';

CREATE FUNCTION tenancy.primary_key(relation regclass) RETURNS name[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT array_agg(a.attname ORDER BY k.place)
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = relation AND i.indisprimary;
END;

COMMENT ON FUNCTION tenancy.primary_key(regclass) IS 'the columns of a primary key in their order, or null; internal';

-- What an export stops at is looked for only then: first the column, then the row, by halves.
CREATE FUNCTION tenancy.refuse_export(relation regclass, condition text, row_order text, state text, reason text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part record;
    refused name;
    expression text := 't.*';
    good bigint := 0;
    bad bigint;
    middle bigint;
    place text;
BEGIN
    FOR part IN
        SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = refuse_export.relation AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
    LOOP
        BEGIN
            PERFORM tenancy.run_as_owner(relation, format('SELECT pg_catalog.count(pg_catalog.to_json(t.%I)::pg_catalog.text) FROM %s t WHERE %s',
                                                          part.attname, relation, condition));
        EXCEPTION WHEN OTHERS THEN
            refused := part.attname;
            expression := format('t.%I', refused);
            reason := SQLERRM;
            EXIT;
        END;
    END LOOP;
    bad := tenancy.run_as_owner(relation, format('SELECT pg_catalog.count(*) FROM %s t WHERE %s', relation, condition));
    WHILE bad - good > 1 LOOP
        middle := (good + bad) / 2;
        BEGIN
            PERFORM tenancy.run_as_owner(relation, format(
                'SELECT pg_catalog.count(pg_catalog.to_json(t.*)::pg_catalog.text) FROM (SELECT %s FROM %s t WHERE %s ORDER BY %s LIMIT %s) t',
                expression, relation, condition, row_order, middle));
            good := middle;
        EXCEPTION WHEN OTHERS THEN
            bad := middle;
        END;
    END LOOP;
    BEGIN
        SELECT r.value::text INTO STRICT place
        FROM tenancy.rows_as_owner(relation, format('%s OFFSET %s LIMIT 1',
            tenancy.export_query(relation, condition, row_order, tenancy.primary_key(relation)), good)) AS r (value)
        WHERE tenancy.primary_key(relation) IS NOT NULL;
    EXCEPTION WHEN OTHERS THEN
        place := format('number %s', good + 1);
    END;
    RAISE EXCEPTION USING ERRCODE = state,
        MESSAGE = CASE WHEN refused IS NULL THEN format('cannot export a row of %s', relation)
                       ELSE format('cannot export a value of column %I of %s', refused, relation) END,
        DETAIL = format('Row %s: %s.', place, reason),
        HINT = 'Correct the value, or the type that does not give it; nothing was exported.';
END
$$;

COMMENT ON FUNCTION tenancy.refuse_export(regclass, text, text, text, text) IS
'raises what an export stopped at, with the table, the column and the key of the row; internal';

CREATE FUNCTION tenancy_internal.export_tenant(tenant uuid) RETURNS TABLE (relation text, row_number bigint, data json)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants;
    source record;
    condition text;
    row_order text;
BEGIN
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    -- Whoever may destroy the whole may take it along; policies that an application has beside ours do not hold here.
    PERFORM tenancy.authorize(tenant, 'tenant.delete');
    SELECT t.* INTO whose FROM tenancy.tenants t WHERE t.id = export_tenant.tenant;
    PERFORM tenancy.refuse_wrong_tables();
    FOR source IN SELECT s.* FROM tenancy.tables_to_export() s ORDER BY s.relation::text LOOP
        condition := tenancy.rows_condition(whose, source.relation, source.tenant_column, source.column_type, source.path);
        CONTINUE WHEN condition IS NULL;
        row_order := coalesce((SELECT string_agg(format('t.%I', k.name), ', ' ORDER BY k.place)
                               FROM unnest(tenancy.primary_key(source.relation)) WITH ORDINALITY AS k (name, place)), 't.tableoid, t.ctid');
        -- Never as the extension's owner: planning alone runs functions of an index's predicate. From the owner of the table no
        -- policy hides rows here.
        BEGIN
            RETURN QUERY
                SELECT source.relation::text, row_number() OVER (), r.value
                FROM tenancy.rows_as_owner(source.relation, tenancy.export_query(source.relation, condition, row_order)) AS r (value);
        EXCEPTION WHEN OTHERS THEN
            -- What is the server's trouble, or a conflict with others, is told as it is.
            IF SQLSTATE ~ '^(40|53|55|57|58)' THEN
                RAISE;
            END IF;
            PERFORM tenancy.refuse_export(source.relation, condition, row_order, SQLSTATE, SQLERRM);
        END;
    END LOOP;
END
$$;

SELECT tenancy_internal.expose('export_tenant(uuid)');

COMMENT ON FUNCTION tenancy.export_tenant(uuid) IS
'all rows of a tenant in all protected tables, with its members, roles, agents and their conversations, as they are at one moment, each as a JSON object; tables by name, rows by primary key; credentials are left out; needs tenant.delete';

CREATE FUNCTION tenancy_internal.export_tenant(tenant text) RETURNS TABLE (relation text, row_number bigint, data json)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT e.relation, e.row_number, e.data FROM tenancy.export_tenant(tenancy.tenant_named(tenant)) e;
END;

SELECT tenancy_internal.expose('export_tenant(text)');

COMMENT ON FUNCTION tenancy.export_tenant(text) IS 'the same, by slug or id';
