-- plan_migration(): what the catalogue says about how an application's tables become multi-tenant. Works on sets, since
-- there may be thousands of tables.

CREATE FUNCTION tenancy.refuse_plan(reason text, advice text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = 'migration cannot be planned', DETAIL = reason, HINT = advice;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_plan(text, text) IS 'raises TN009; internal';

-- Roots only: partitions and inheritance children go with them.
CREATE FUNCTION tenancy.migration_candidates(schemas name[]) RETURNS SETOF regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.oid::regclass
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'tenancy')
      AND (migration_candidates.schemas IS NULL OR n.nspname = ANY (migration_candidates.schemas))
      AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                        AND d.deptype = 'e');
END;

COMMENT ON FUNCTION tenancy.migration_candidates(name[]) IS 'the tables that a migration is about; internal';

CREATE FUNCTION tenancy.columns_named(relation regclass, numbers smallint[]) RETURNS name[]
LANGUAGE sql STABLE
RETURN (SELECT array_agg(a.attname ORDER BY k.place)
        FROM unnest(numbers) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = k.number);

COMMENT ON FUNCTION tenancy.columns_named(regclass, smallint[]) IS 'names of columns by their numbers; internal';

CREATE FUNCTION tenancy.single_key(relation regclass) RETURNS name
LANGUAGE sql STABLE
RETURN (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = relation AND i.indisprimary AND i.indnkeyatts = 1);

COMMENT ON FUNCTION tenancy.single_key(regclass) IS 'the column of a primary key of one column; internal';

-- A table among the candidates by the name that a person gave it: with its schema, or without where that is enough.
CREATE FUNCTION tenancy.migration_table_named(name text, schemas name[]) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found regclass[];
BEGIN
    SELECT array_agg(c) INTO found
    FROM tenancy.migration_candidates(schemas) c
    JOIN pg_class r ON r.oid = c
    WHERE name IN (c::text, r.relname, r.relnamespace::regnamespace || '.' || quote_ident(r.relname));
    IF found IS NULL THEN
        PERFORM tenancy.refuse_plan(format('There is no table %L to be migrated.', left(name, 130)),
                                    'Name ordinary or partitioned tables, with their schemas; partitions go with their parents.');
    ELSIF cardinality(found) > 1 THEN
        PERFORM tenancy.refuse_plan(format('Table %L is in more than one schema.', left(name, 130)), 'Name it with its schema.');
    END IF;
    RETURN found[1];
END
$$;

COMMENT ON FUNCTION tenancy.migration_table_named(text, name[]) IS 'the table that a person named; internal';

-- The table of users: referred to most, of those that look it by name or by an e-mail column.
CREATE FUNCTION tenancy.likely_users(schemas name[]) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT u.relation
    FROM (SELECT c AS relation,
                 r.relname ~* '^(app_?|auth_?|tbl_?)?(users?|usr|accounts?|members?|people|persons?|principals?|customers?|profiles?|logins?)$' AS named,
                 EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c AND a.attnum > 0
                           AND a.attname ~* '^(e_?mail(_address)?|mail|user_?name|login)$') AS has_name,
                 (SELECT count(*) FROM pg_constraint f WHERE f.confrelid = c AND f.contype = 'f' AND f.conparentid = 0
                    AND f.conrelid <> c) AS references_
          FROM tenancy.migration_candidates(schemas) c
          JOIN pg_class r ON r.oid = c
          WHERE tenancy.single_key(c) IS NOT NULL) u
    WHERE u.named OR u.has_name AND u.references_ > 0
    ORDER BY u.named AND u.has_name DESC, u.named DESC, u.references_ DESC, u.relation::text
    LIMIT 1;
END;

COMMENT ON FUNCTION tenancy.likely_users(name[]) IS 'the table that looks most like that of the users, or null; internal';

-- The column that says the organization already: the one that most tables have.
CREATE FUNCTION tenancy.likely_column(schemas name[]) RETURNS name
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.attname
    FROM tenancy.migration_candidates(schemas) c
    JOIN pg_attribute a ON a.attrelid = c AND a.attnum > 0 AND NOT a.attisdropped
    WHERE a.attname ~* '^(tenant|org|organi[sz]ation|workspace|company|team|account)_?(id|key)?$'
      AND tenancy.tenants_column(a.atttypid::regtype) IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c AND k.contype = 'p' AND k.conkey = ARRAY[a.attnum])
    GROUP BY a.attname
    HAVING count(*) > 1 OR bool_or(EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = c AND f.contype = 'f'
                                             AND f.conkey = ARRAY[a.attnum]))
    ORDER BY count(*) DESC, a.attname
    LIMIT 1;
END;

COMMENT ON FUNCTION tenancy.likely_column(name[]) IS 'the column by which most tables say whose a row is, or null; internal';

-- What was asked for, checked, with a choice made where it was left open.
CREATE FUNCTION tenancy.migration_options(strategy text, tables jsonb, users regclass, source_column name, tenant_column name,
                                          schemas name[])
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen text := strategy;
    anchor regclass := users;
    source name := nullif(source_column, '');
    type regtype := 'uuid';
    types regtype[];
    entry record;
    value jsonb;
    resolved jsonb := '{}';
    unknown text;
BEGIN
    PERFORM tenancy.refuse_null(strategy IS NULL, 'strategy'), tenancy.refuse_null(tables IS NULL, 'tables');
    IF strategy NOT IN ('auto', 'system', 'personal', 'column') THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid strategy %L', left(strategy, 80)),
            HINT = 'Use auto, system, personal or column.';
    ELSIF jsonb_typeof(tables) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid tables: expected an object, not %s', jsonb_typeof(tables)),
            HINT = 'Pass {"table": "leave"} or {"table": {"column": "owner_id", ...}}.';
    END IF;
    SELECT s INTO unknown FROM unnest(schemas) s WHERE NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = s) LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '3F000', MESSAGE = format('schema %L does not exist', unknown);
    END IF;

    IF chosen = 'auto' THEN
        chosen := CASE WHEN source IS NOT NULL THEN 'column' WHEN anchor IS NOT NULL THEN 'personal'
                       WHEN tenancy.likely_column(schemas) IS NOT NULL THEN 'column'
                       WHEN tenancy.likely_users(schemas) IS NOT NULL THEN 'personal' ELSE 'system' END;
    END IF;
    IF chosen = 'personal' THEN
        anchor := coalesce(anchor, tenancy.likely_users(schemas));
        IF anchor IS NULL THEN
            PERFORM tenancy.refuse_plan('No table looks like that of the users.', 'Name it with users, or choose another strategy.');
        ELSIF anchor NOT IN (SELECT tenancy.migration_candidates(schemas)) THEN
            PERFORM tenancy.refuse_plan(format('%s is no table that can be migrated.', anchor), 'Name an ordinary or partitioned table.');
        ELSIF tenancy.single_key(anchor) IS NULL THEN
            PERFORM tenancy.refuse_plan(format('%s has no primary key of one column.', anchor),
                                        'A user''s key becomes the tenant''s external key; give the table such a primary key.');
        END IF;
    ELSIF chosen = 'column' THEN
        source := coalesce(source, tenancy.likely_column(schemas));
        IF source IS NULL THEN
            PERFORM tenancy.refuse_plan('No column looks like that of an organization or workspace.', 'Name it with source_column.');
        END IF;
        SELECT array_agg(DISTINCT a.atttypid::regtype) INTO types
        FROM tenancy.migration_candidates(schemas) c
        JOIN pg_attribute a ON a.attrelid = c AND a.attname = source AND a.attnum > 0 AND NOT a.attisdropped;
        IF types IS NULL THEN
            PERFORM tenancy.refuse_plan(format('No table has a column %I.', source), 'Name another one with source_column.');
        ELSIF cardinality(types) > 1 OR tenancy.tenants_column(types[1]) IS NULL THEN
            PERFORM tenancy.refuse_plan(format('Column %I is of type %s.', source, array_to_string(types, ', ')),
                                        'It must be uuid, bigint, integer or text, and the same in all tables.');
        ELSIF coalesce(tenant_column, source) <> source THEN
            PERFORM tenancy.refuse_plan(format('The tenant column would be %I, and column %I says it already.', tenant_column, source),
                                        'Leave tenant_column out: the existing column becomes the tenant column.');
        END IF;
        type := types[1];
    END IF;

    FOR entry IN SELECT e.key, e.value FROM jsonb_each(tables) e LOOP
        value := CASE jsonb_typeof(entry.value) WHEN 'string' THEN jsonb_build_object('action', entry.value) ELSE entry.value END;
        IF jsonb_typeof(value) <> 'object' THEN
            RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid choice for table %L: %s', left(entry.key, 130), entry.value),
                HINT = 'Use the name of an action, or an object.';
        END IF;
        SELECT k INTO unknown FROM jsonb_object_keys(value) k
        WHERE k NOT IN ('action', 'column', 'parent', 'strategy', 'expression', 'global_keys', 'foreign_key', 'fallback', 'name') LIMIT 1;
        IF unknown IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('unknown choice %L for table %L', unknown, left(entry.key, 130)),
                HINT = 'Use action, strategy, column, parent, expression, name, global_keys, foreign_key or fallback.';
        ELSIF coalesce(value ->> 'action', 'column') NOT IN ('column', 'column_only', 'path', 'share', 'leave') THEN
            RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid action %L for table %L', value ->> 'action', left(entry.key, 130)),
                HINT = 'Use column, column_only, path, share or leave.';
        ELSIF coalesce(value ->> 'strategy', 'system') NOT IN ('system', 'expression', 'path') THEN
            RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid strategy %L for table %L', value ->> 'strategy', left(entry.key, 130)),
                HINT = 'Use system, expression or path.';
        ELSIF coalesce(value ->> 'fallback', 'system') NOT IN ('system', 'refuse') THEN
            RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid fallback %L for table %L', value ->> 'fallback', left(entry.key, 130)),
                HINT = 'Use system or refuse.';
        END IF;
        IF value ? 'column' AND NOT EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = tenancy.migration_table_named(entry.key, schemas) AND a.attname = value ->> 'column' AND a.attnum > 0
              AND NOT a.attisdropped) THEN
            PERFORM tenancy.refuse_plan(format('Table %s has no column %L.', tenancy.migration_table_named(entry.key, schemas),
                                               value ->> 'column'), 'Name a column that says whose a row is.');
        END IF;
        IF value ? 'parent' THEN
            value := value || jsonb_build_object('parent', tenancy.migration_table_named(value ->> 'parent', schemas)::text);
        END IF;
        resolved := resolved || jsonb_build_object(tenancy.migration_table_named(entry.key, schemas)::text, value);
    END LOOP;

    RETURN jsonb_build_object(
        'strategy', chosen, 'users', anchor::text, 'source_column', CASE chosen WHEN 'column' THEN source END,
        'tenant_column', coalesce(nullif(tenant_column, ''), CASE chosen WHEN 'column' THEN source END, 'tenant_id'),
        'column_type', type::text, 'schemas', to_jsonb(schemas), 'tables', resolved);
END
$$;

COMMENT ON FUNCTION tenancy.migration_options(text, jsonb, regclass, name, name, name[]) IS
'the options of a migration, complete; raises TN009 or 22023 where they cannot be; internal';

-- The references by which a row leads to another table's row: foreign keys, and columns that are named after the
-- anchor's table and key without being one.
CREATE FUNCTION tenancy.migration_references(options jsonb)
RETURNS TABLE (child regclass, columns name[], parent regclass, parent_columns name[], not_null boolean, owning boolean,
               implied boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH candidates AS MATERIALIZED (
        SELECT c AS relation, r.relname FROM tenancy.migration_candidates(
            (SELECT array_agg(s.value::name) FROM jsonb_array_elements_text(
                CASE jsonb_typeof(options -> 'schemas') WHEN 'array' THEN options -> 'schemas' ELSE '[]' END) s)) c
        JOIN pg_class r ON r.oid = c)
    SELECT f.conrelid::regclass, tenancy.columns_named(f.conrelid, f.conkey), f.confrelid::regclass,
           tenancy.columns_named(f.confrelid, f.confkey),
           NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey) AND NOT a.attnotnull),
           f.confdeltype = 'c', false
    FROM pg_constraint f
    JOIN candidates c ON c.relation = f.conrelid
    JOIN candidates p ON p.relation = f.confrelid
    WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid <> f.confrelid
    UNION ALL
    SELECT c.relation, ARRAY[a.attname], u.relation, ARRAY[u.key], a.attnotnull, false, true
    FROM (SELECT c.relation, c.relname, tenancy.single_key(c.relation) AS key
          FROM candidates c WHERE c.relation::text = options ->> 'users') u
    JOIN pg_attribute k ON k.attrelid = u.relation AND k.attname = u.key
    JOIN candidates c ON c.relation <> u.relation
    JOIN pg_attribute a ON a.attrelid = c.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = k.atttypid
    WHERE a.attname IN (u.relname || '_' || u.key, regexp_replace(u.relname, 's$', '') || '_' || u.key,
                        'user_' || u.key, 'owner_' || u.key, CASE WHEN u.key <> 'id' THEN u.key END)
      AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = c.relation AND f.contype = 'f' AND a.attnum = ANY (f.conkey))
$$;

COMMENT ON FUNCTION tenancy.migration_references(jsonb) IS 'which table''s rows refer to which table''s; internal';

CREATE FUNCTION tenancy.plan_tables(options jsonb) RETURNS SETOF tenancy.migration_tables
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    schemas name[] := ARRAY(SELECT s.value::name FROM jsonb_array_elements_text(
        CASE jsonb_typeof(options -> 'schemas') WHEN 'array' THEN options -> 'schemas' ELSE '[]' END) s);
    strategy text := options ->> 'strategy';
    tenant_column name := options ->> 'tenant_column';
    planned tenancy.migration_tables[] := '{}';
    found tenancy.migration_tables[];
    edges jsonb;
    round integer := 0;
BEGIN
    IF schemas = '{}' THEN
        schemas := NULL;
    END IF;
    -- What is settled without looking at others: the anchor, existing columns, and what the caller chose.
    SELECT coalesce(array_agg(ROW(0, 0, t.relation, t.action, t.source, t.columns, NULL, '{}', t.expression, t.detail,
                                  t.chosen, NULL, false)::tenancy.migration_tables), '{}') INTO planned
    FROM (
        SELECT c AS relation, k.action, k.chosen, s.source,
               CASE s.source WHEN 'anchor' THEN ARRAY[tenancy.single_key(c)]
                             WHEN 'existing' THEN ARRAY[tenant_column] ELSE '{}' END AS columns,
               CASE s.source WHEN 'expression' THEN k.chosen ->> 'expression' END AS expression,
               CASE WHEN k.action = 'protected' THEN 'is protected already'
                    WHEN EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = c) THEN 'is shared or protected by a path already'
                    WHEN k.action IN ('leave', 'share') THEN 'as was asked for'
                    WHEN s.source = 'anchor' THEN format('each row is a tenant of its own, by column %I', tenancy.single_key(c))
                    WHEN s.source = 'existing' THEN format('its column %I says the tenant', tenant_column)
                    WHEN s.source = 'expression' THEN format('by the expression %s', k.chosen ->> 'expression')
                    ELSE 'its rows belong to the default tenant' END AS detail
        FROM tenancy.migration_candidates(schemas) c
        CROSS JOIN LATERAL (
            SELECT CASE WHEN EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = c) THEN '{"action": "leave"}'
                        ELSE coalesce(options -> 'tables' -> c::text, '{}') END AS chosen,
                   CASE WHEN EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = c) THEN 'protected'
                        WHEN EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = c) THEN 'leave'
                        ELSE coalesce(options -> 'tables' -> c::text ->> 'action', 'column') END AS action,
                   EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c AND a.attname = tenant_column AND a.attnum > 0
                             AND NOT a.attisdropped) AS has_column) k
        CROSS JOIN LATERAL (
            SELECT CASE WHEN k.action IN ('leave', 'share', 'protected') THEN NULL
                        WHEN k.chosen ? 'expression' THEN 'expression'
                        WHEN k.chosen ->> 'strategy' = 'system' THEN 'system'
                        WHEN k.chosen ? 'column' OR k.chosen ? 'parent' THEN NULL
                        WHEN k.has_column THEN 'existing'
                        WHEN c::text = options ->> 'users' AND strategy = 'personal' THEN 'anchor'
                        WHEN strategy = 'system' THEN CASE WHEN k.action = 'path' THEN NULL ELSE 'system' END
                        WHEN strategy = 'column' AND EXISTS (
                            SELECT FROM pg_constraint f
                            JOIN pg_attribute a ON a.attrelid = f.conrelid AND f.conkey = ARRAY[a.attnum] AND a.attname = tenant_column
                            WHERE f.confrelid = c AND f.contype = 'f'
                              AND f.confkey = (SELECT o.conkey FROM pg_constraint o WHERE o.conrelid = c AND o.contype = 'p'))
                            THEN 'anchor' END AS source) s
        WHERE s.source IS NOT NULL OR k.action IN ('leave', 'share', 'protected')
    ) t;

    -- Then those that refer to them, and those that refer to these, and so on. A reference that cannot be null is taken
    -- before one that can, one that deletes with its parent before one that does not.
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'child', r.child::oid, 'columns', r.columns, 'parent', r.parent::oid, 'parent_columns', r.parent_columns,
        'not_null', r.not_null, 'owning', r.owning, 'implied', r.implied)), '[]') INTO edges
    FROM tenancy.migration_references(options) r
    CROSS JOIN LATERAL (SELECT coalesce(options -> 'tables' -> r.child::text, '{}') AS chosen) o
    WHERE NOT EXISTS (SELECT FROM unnest(planned) p WHERE p.relation = r.child)
      AND NOT o.chosen ? 'column' AND coalesce(o.chosen ->> 'parent' = r.parent::text, true);
    -- The caller may say which column leads where.
    edges := edges || coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'child', c::oid, 'columns', ARRAY[o ->> 'column'], 'parent', p.parent::oid,
            'parent_columns', ARRAY[coalesce(k.key, tenancy.single_key(p.parent))], 'not_null', true, 'owning', true,
            'implied', false, 'chosen', true))
        FROM tenancy.migration_candidates(schemas) c
        CROSS JOIN LATERAL (SELECT options -> 'tables' -> c::text AS o) x
        CROSS JOIN LATERAL (
            SELECT coalesce((o ->> 'parent')::regclass,
                            (SELECT f.confrelid FROM pg_constraint f
                             JOIN pg_attribute a ON a.attrelid = c AND f.conkey = ARRAY[a.attnum] AND a.attname = o ->> 'column'
                             WHERE f.conrelid = c AND f.contype = 'f' AND f.conparentid = 0 LIMIT 1)::regclass,
                            (options ->> 'users')::regclass) AS parent) p
        LEFT JOIN LATERAL (
            SELECT tenancy.columns_named(f.confrelid, f.confkey) AS keys FROM pg_constraint f
            JOIN pg_attribute a ON a.attrelid = c AND f.conkey = ARRAY[a.attnum] AND a.attname = o ->> 'column'
            WHERE f.conrelid = c AND f.confrelid = p.parent AND f.contype = 'f' LIMIT 1) f ON true
        CROSS JOIN LATERAL (SELECT f.keys[1] AS key) k
        WHERE o ? 'column' AND p.parent IS NOT NULL), '[]');
    LOOP
        round := round + 1;
        SELECT array_agg(ROW(0, round, e.child, e.action, e.source, e.columns, e.parent, e.parent_columns, NULL,
                             e.detail, e.overrides, NULL, false)::tenancy.migration_tables) INTO found
        FROM (
            SELECT DISTINCT ON (x.child) x.child::regclass AS child, x.columns, x.parent::regclass AS parent, x.parent_columns,
                   coalesce(o.chosen ->> 'action', 'column') AS action, o.chosen AS overrides,
                   CASE p.source WHEN 'anchor' THEN 'owner' ELSE 'path' END AS source,
                   format('follows %s by %s%s', x.parent::regclass, array_to_string(x.columns, ', '),
                          CASE WHEN x.implied THEN ' (by its name, there is no foreign key)' ELSE '' END) AS detail
            FROM jsonb_to_recordset(edges) AS x (child oid, columns name[], parent oid, parent_columns name[], not_null boolean,
                                                 owning boolean, implied boolean, chosen boolean)
            JOIN unnest(planned) p ON p.relation = x.parent AND p.action IN ('column', 'column_only', 'path', 'protected')
            CROSS JOIN LATERAL (SELECT coalesce(options -> 'tables' -> x.child::regclass::text, '{}') AS chosen) o
            WHERE NOT EXISTS (SELECT FROM unnest(planned) q WHERE q.relation = x.child)
            ORDER BY x.child, x.chosen DESC NULLS LAST, x.not_null DESC, x.implied, x.owning DESC,
                     (x.columns[1] ~* '^(user|owner)') DESC, x.columns::text
        ) e
        -- What may be null waits until nothing else is left to be reached.
        WHERE e.child IN (SELECT y.child FROM jsonb_to_recordset(edges) AS y (child oid, columns name[], parent oid, not_null boolean)
                          WHERE y.columns = e.columns AND y.parent = e.parent AND y.not_null)
           OR NOT EXISTS (
               SELECT FROM jsonb_to_recordset(edges) AS y (child oid, parent oid, not_null boolean)
               JOIN unnest(planned) p ON p.relation = y.parent AND p.action IN ('column', 'column_only', 'path', 'protected')
               WHERE y.not_null AND NOT EXISTS (SELECT FROM unnest(planned) q WHERE q.relation = y.child));
        EXIT WHEN found IS NULL;
        planned := planned || found;
    END LOOP;

    -- What nothing leads to. Anchors come first of all: they name the tenants.
    RETURN QUERY
    SELECT 0, row_number() OVER (ORDER BY p.ordinal, p.source IS DISTINCT FROM 'anchor', p.relation::text)::integer, p.relation, p.action, p.source, p.columns, p.parent,
           p.parent_columns, p.expression, p.detail, p.overrides, p.before, false
    FROM (SELECT (u).* FROM unnest(planned) u
          UNION ALL
          SELECT 0, round, c, 'leave', NULL, '{}', NULL, '{}', NULL,
                 format('no reference leads from it to %s', CASE strategy WHEN 'personal' THEN 'the users in ' || (options ->> 'users')
                                                             ELSE format('a table with column %I', tenant_column) END),
                 coalesce(options -> 'tables' -> c::text, '{}'), NULL, false
          FROM tenancy.migration_candidates(schemas) c
          WHERE NOT EXISTS (SELECT FROM unnest(planned) q WHERE q.relation = c)) p;
END
$$;

COMMENT ON FUNCTION tenancy.plan_tables(jsonb) IS 'what a migration with these options makes of each table, parents first; internal';
