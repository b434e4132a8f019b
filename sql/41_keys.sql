-- Keys of protected tables as statements: what a unique key that holds for all rows, and a foreign key between two protected tables,
-- become when rows belong to tenants. A unique key gets the tenant as its first column, so that one tenant cannot learn
-- another's values by a duplicate-key error; a foreign key refers to (tenant, key), since its checks bypass policies.
--
-- Nothing of what was there is kept as text. The registry remembers which keys were changed, by name, and the way back is
-- read from the catalogue: the tenant is the first column, and taken out again. So columns and tables may be renamed
-- meanwhile, and nothing that a table's owner wrote into a registry is ever executed.

-- Unique keys -------------------------------------------------------------------------------------------------------

-- Indexes of partitions that belong to an index of the parent's are part of that one.
CREATE FUNCTION tenancy.unique_keys(relations regclass[])
RETURNS TABLE (relation regclass, index_id oid, name name, constraint_id oid, columns name[], is_plain boolean, tree oid[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT i.indrelid::regclass, i.indexrelid, x.relname, f.oid,
           ARRAY(SELECT a.attname
                 FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (number, place)
                 LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
                 ORDER BY k.place),
           -- What a foreign key can refer to.
           i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL,
           CASE WHEN x.relkind = 'I' THEN ARRAY(SELECT p.relid::oid FROM pg_partition_tree(x.oid) p ORDER BY p.level DESC, p.relid)
                ELSE ARRAY[x.oid] END
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid AND NOT x.relispartition
    LEFT JOIN pg_constraint f ON f.conrelid = i.indrelid AND f.conindid = i.indexrelid AND f.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = ANY (relations) AND i.indisunique AND NOT i.indisexclusion;
END;

COMMENT ON FUNCTION tenancy.unique_keys(regclass[]) IS
'the unique constraints and unique indexes of tables, with the indexes of partitions that belong to each, these first; columns are null for expressions; internal';

-- Prepared keys and foreign keys are found by this name.
CREATE FUNCTION tenancy.prepared_name(name name) RETURNS name
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(name::text) <= 52 THEN name || '_per_tenant'
            ELSE 'tenancy_' || md5(name::text) || '_per_tenant' END;

COMMENT ON FUNCTION tenancy.prepared_name(name) IS
'the name under which the successor of a key is made while the key still stands; internal';

-- These small functions are called for every key of every table: in plpgsql their plans are kept.
CREATE FUNCTION tenancy.prepared_index(index_id oid) RETURNS oid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT n.oid
            FROM pg_class x
            JOIN pg_class n ON n.relnamespace = x.relnamespace AND n.relname = tenancy.prepared_name(x.relname)
            JOIN pg_index i ON i.indexrelid = x.oid
            JOIN pg_index m ON m.indexrelid = n.oid AND m.indrelid = i.indrelid AND m.indisunique
            WHERE x.oid = index_id);
END
$$;

COMMENT ON FUNCTION tenancy.prepared_index(oid) IS 'the index that was made to succeed a unique key, or null; internal';

CREATE FUNCTION tenancy.index_text(index_id oid, new_name name, tenant_column name, change text, online boolean) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    definition text := pg_get_indexdef(index_id);
    beginning text;
    ending text;
BEGIN
    SELECT x.relname, x.relkind, i.indrelid::regclass AS relation, s.spcname,
           coalesce(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), '') AS condition
    INTO found
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
    WHERE i.indexrelid = index_id;
    beginning := format('CREATE UNIQUE INDEX %I ON %s%s USING btree (', found.relname,
                        CASE WHEN found.relkind = 'I' THEN 'ONLY ' ELSE '' END, found.relation);
    ending := substr(definition, length(beginning) + 1);
    IF NOT starts_with(definition, beginning) OR right(definition, length(found.condition)) <> found.condition
       OR change = 'remove' AND NOT starts_with(ending, quote_ident(tenant_column) || ', ') THEN
        RAISE EXCEPTION 'unexpected definition of index %: %', index_id::regclass, definition;
    END IF;
    IF change = 'add' THEN
        ending := quote_ident(tenant_column) || ', ' || ending;
    ELSIF change = 'remove' THEN
        ending := substr(ending, length(quote_ident(tenant_column) || ', ') + 1);
    END IF;
    IF found.spcname IS NOT NULL THEN
        ending := left(ending, length(ending) - length(found.condition)) || format(' TABLESPACE %I', found.spcname)
                  || found.condition;
    END IF;
    RETURN format('CREATE UNIQUE INDEX %s%I ON %s USING btree (%s', CASE WHEN online THEN 'CONCURRENTLY ' ELSE '' END,
                  new_name, found.relation, ending);
END
$$;

COMMENT ON FUNCTION tenancy.index_text(oid, name, name, text, boolean) IS
'the statement that makes the like of a unique index under a name, with the tenant column as it is or after add or remove; internal';

CREATE FUNCTION tenancy.constraint_text(constraint_id oid, tenant_column name, change text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    definition text := pg_get_constraintdef(constraint_id);
    beginning text;
    columns text;
BEGIN
    SELECT CASE WHEN f.condeferrable THEN ' DEFERRABLE' ELSE '' END
               || CASE WHEN f.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferral,
           coalesce(' WITH (' || (SELECT string_agg(format('%I=%L', o.option_name, o.option_value), ', ')
                                  FROM pg_options_to_table(x.reloptions) o) || ')', '')
               || coalesce(' USING INDEX TABLESPACE ' || quote_ident(s.spcname), '') AS storage
    INTO found
    FROM pg_constraint f
    JOIN pg_class x ON x.oid = f.conindid
    LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
    WHERE f.oid = constraint_id;
    definition := left(definition, length(definition) - length(found.deferral));
    beginning := left(definition, position('(' IN definition));
    columns := substr(definition, length(beginning) + 1);
    IF change = 'remove' AND NOT starts_with(columns, quote_ident(tenant_column) || ', ') THEN
        RAISE EXCEPTION 'unexpected definition of constraint %: %', constraint_id, definition;
    END IF;
    IF change = 'add' THEN
        columns := quote_ident(tenant_column) || ', ' || columns;
    ELSIF change = 'remove' THEN
        columns := substr(columns, length(quote_ident(tenant_column) || ', ') + 1);
    END IF;
    RETURN beginning || columns || found.storage || found.deferral;
END
$$;

COMMENT ON FUNCTION tenancy.constraint_text(oid, name, text) IS
'a primary key or unique constraint as ADD CONSTRAINT wants it, with the tenant column as it is or after add or remove; internal';

-- What hangs on an index and goes with it.
CREATE FUNCTION tenancy.index_belongings(index_id oid, change text) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT s.statement
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    LEFT JOIN pg_constraint f ON f.conrelid = i.indrelid AND f.conindid = i.indexrelid AND f.contype IN ('p', 'u')
    CROSS JOIN LATERAL (
        SELECT 1, 0, format('COMMENT ON CONSTRAINT %I ON %s IS %L', f.conname, i.indrelid::regclass, d.description)
        FROM pg_description d WHERE d.classoid = 'pg_constraint'::regclass AND d.objoid = f.oid
        UNION ALL
        SELECT 2, 0, format('COMMENT ON INDEX %s IS %L', x.oid::regclass, d.description)
        FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = x.oid AND d.objsubid = 0
        UNION ALL
        SELECT 3, a.attnum, format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', x.oid::regclass,
                                   a.attnum + CASE change WHEN 'add' THEN 1 WHEN 'remove' THEN -1 ELSE 0 END, a.attstattarget)
        FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attstattarget >= 0
        UNION ALL
        SELECT 4, 0, format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', i.indrelid::regclass, x.relname)
        WHERE i.indisreplident
        UNION ALL
        SELECT 5, 0, format('ALTER TABLE %s CLUSTER ON %I', i.indrelid::regclass, x.relname)
        WHERE i.indisclustered
        UNION ALL
        SELECT 6, 0, format('ALTER INDEX %s DEPENDS ON EXTENSION %I', x.oid::regclass, e.extname)
        FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = x.oid AND d.refclassid = 'pg_extension'::regclass
          AND d.deptype = 'x'
    ) AS s (step, number, statement)
    WHERE i.indexrelid = index_id
    ORDER BY s.step, s.number;
END
$$;

COMMENT ON FUNCTION tenancy.index_belongings(oid, text) IS
'the statements that give back what a unique key has besides its definition; internal';

-- The last of a tree is its root, which takes its parts along when it goes; the parts come first when they are made, so
-- that the root finds them and they keep their names. A prepared index is taken over, but not by a partitioned table,
-- whose constraints PostgreSQL makes from their definition.
CREATE FUNCTION tenancy.key_statements(tree oid[], tenant_column name, change text) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part record;
    dropping text;
BEGIN
    FOR part IN
        SELECT x.oid, x.relname, x.relnamespace::regnamespace AS schema, i.indrelid::regclass AS relation,
               f.oid AS constraint_id, f.contype, f.condeferrable, f.condeferred, n.relname AS successor
        FROM unnest(tree) WITH ORDINALITY AS k (index_id, place)
        JOIN pg_class x ON x.oid = k.index_id
        JOIN pg_index i ON i.indexrelid = x.oid
        LEFT JOIN pg_constraint f ON f.conrelid = i.indrelid AND f.conindid = i.indexrelid AND f.contype IN ('p', 'u')
        LEFT JOIN pg_index m ON m.indexrelid = tenancy.prepared_index(x.oid) AND m.indisvalid AND change = 'add' AND x.relkind = 'i'
        LEFT JOIN pg_class n ON n.oid = m.indexrelid AND NOT n.relispartition
        ORDER BY k.place
    LOOP
        IF dropping IS NULL THEN
            SELECT CASE WHEN f.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
                        ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, f.conname) END
            INTO dropping
            FROM pg_index i
            LEFT JOIN pg_constraint f ON f.conrelid = i.indrelid AND f.conindid = i.indexrelid AND f.contype IN ('p', 'u')
            WHERE i.indexrelid = tree[cardinality(tree)];
            RETURN NEXT dropping;
        END IF;
        IF part.constraint_id IS NULL THEN
            RETURN NEXT CASE WHEN part.successor IS NULL THEN tenancy.index_text(part.oid, part.relname, tenant_column, change, false)
                             ELSE format('ALTER INDEX %s.%I RENAME TO %I', part.schema, part.successor, part.relname) END;
        ELSE
            RETURN NEXT format('ALTER TABLE %s ADD CONSTRAINT %I %s', part.relation, part.relname,
                CASE WHEN part.successor IS NULL THEN tenancy.constraint_text(part.constraint_id, tenant_column, change)
                     ELSE format('%s USING INDEX %I%s%s',
                                 CASE part.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, part.successor,
                                 CASE WHEN part.condeferrable THEN ' DEFERRABLE' ELSE '' END,
                                 CASE WHEN part.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END) END);
        END IF;
    END LOOP;
    RETURN QUERY SELECT s FROM unnest(tree) k CROSS JOIN tenancy.index_belongings(k, change) s;
END
$$;

COMMENT ON FUNCTION tenancy.key_statements(oid[], name, text) IS
'the statements that replace a unique key by the like with the tenant column as it is or after add or remove; internal';

-- A prepared index of a partitioned table is made in one go, as it cannot be made online.
CREATE FUNCTION tenancy.prepare_key_statements(tree oid[], tenant_column name, online boolean) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT s.statement
    FROM unnest(tree) WITH ORDINALITY AS k (index_id, place)
    JOIN pg_class x ON x.oid = k.index_id
    LEFT JOIN pg_index m ON m.indexrelid = tenancy.prepared_index(x.oid)
    CROSS JOIN LATERAL (
        SELECT 1, format('DROP INDEX %s%s', CASE WHEN online THEN 'CONCURRENTLY ' ELSE '' END, m.indexrelid::regclass)
        WHERE NOT m.indisvalid
        UNION ALL
        SELECT 2, tenancy.index_text(x.oid, tenancy.prepared_name(x.relname), tenant_column, 'add', online)
        WHERE m.indisvalid IS NOT TRUE
    ) AS s (step, statement)
    WHERE CASE WHEN online THEN x.relkind = 'i' ELSE k.place = cardinality(tree) END
      -- An index beside it would not wait for the end of the statement or transaction, as the application counts on.
      AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conindid = tree[cardinality(tree)] AND f.contype IN ('p', 'u') AND f.condeferrable)
    ORDER BY k.place, s.step;
END
$$;

COMMENT ON FUNCTION tenancy.prepare_key_statements(oid[], name, boolean) IS
'the statements that make the successor of a unique key while the key still stands; none where it is made; internal';

-- Foreign keys ------------------------------------------------------------------------------------------------------

-- Found by the indexes that they depend on, as pg_constraint has no index on the table that is referred to.
CREATE FUNCTION tenancy.foreign_keys_on(indexes oid[])
RETURNS TABLE (constraint_id oid, name name, child regclass, parent regclass, index_id oid, columns name[], parent_columns name[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.oid, f.conname, f.conrelid::regclass, f.confrelid::regclass, f.conindid,
           ARRAY(SELECT a.attname FROM unnest(f.conkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number ORDER BY k.place),
           ARRAY(SELECT a.attname FROM unnest(f.confkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number ORDER BY k.place)
    FROM unnest(indexes) AS x (index_id)
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = x.index_id
                    AND d.classid = 'pg_constraint'::regclass AND d.deptype = 'n'
    JOIN pg_constraint f ON f.oid = d.objid AND f.contype = 'f' AND f.conparentid = 0 AND f.conindid = x.index_id;
END;

COMMENT ON FUNCTION tenancy.foreign_keys_on(oid[]) IS 'the foreign keys that refer to unique indexes; internal';

CREATE FUNCTION tenancy.may_hold_null(constraint_id oid) RETURNS boolean
LANGUAGE sql STABLE
RETURN (SELECT bool_or(NOT a.attnotnull)
        FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)
        WHERE f.oid = constraint_id);

COMMENT ON FUNCTION tenancy.may_hold_null(oid) IS 'whether a column of a foreign key may be null; internal';

-- The actions of the tenant's part are those that leave it as it is: a deleted parent sets the other columns to null, and a
-- parent whose key changes is refused where it would have set all to null, because ON UPDATE takes no list of columns.
-- Of one column MATCH FULL is MATCH SIMPLE; of more it stays where none may be null, and is a check constraint else.
CREATE FUNCTION tenancy.foreign_key_text(constraint_id oid, child_column name, parent_column name, change text, was jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    link record;
    match text;
    on_update "char";
    delete_columns text;
BEGIN
    IF change = 'same' THEN
        RETURN pg_get_constraintdef(constraint_id);
    END IF;
    SELECT f.*, to_jsonb(f) ->> 'conenforced' AS enforced,
           CASE WHEN change = 'add' THEN quote_ident(child_column) || ', ' ELSE '' END
               || string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) FILTER (WHERE change = 'add' OR a.attname <> child_column)
               AS columns,
           CASE WHEN change = 'add' THEN quote_ident(parent_column) || ', ' ELSE '' END
               || string_agg(quote_ident(b.attname), ', ' ORDER BY k.place) FILTER (WHERE change = 'add' OR a.attname <> child_column)
               AS parent_columns,
           string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
               FILTER (WHERE a.attnum = ANY (f.confdelsetcols) OR f.confdelsetcols IS NULL AND a.attname <> child_column)
               AS set_columns
    INTO link
    FROM pg_constraint f
    CROSS JOIN unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (child_number, parent_number, place)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.child_number
    JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.parent_number
    WHERE f.oid = constraint_id
    GROUP BY f.oid;
    IF change = 'add' THEN
        match := CASE WHEN link.confmatchtype = 'f' AND tenancy.may_hold_null(constraint_id) IS FALSE THEN ' MATCH FULL' ELSE '' END;
        on_update := CASE link.confupdtype WHEN 'n' THEN 'a' ELSE link.confupdtype END;
        delete_columns := ' (' || link.set_columns || ')';
    ELSE
        match := CASE WHEN (was ->> 'match_full')::boolean THEN ' MATCH FULL' ELSE '' END;
        on_update := CASE WHEN (was ->> 'update_null')::boolean THEN 'n' ELSE link.confupdtype END;
        delete_columns := CASE WHEN (was ->> 'delete_list')::boolean THEN ' (' || link.set_columns || ')' ELSE '' END;
    END IF;
    RETURN format('FOREIGN KEY (%s) REFERENCES %s(%s)%s', link.columns, link.confrelid::regclass, link.parent_columns, match)
        || CASE on_update WHEN 'r' THEN ' ON UPDATE RESTRICT' WHEN 'c' THEN ' ON UPDATE CASCADE'
                          WHEN 'n' THEN ' ON UPDATE SET NULL' WHEN 'd' THEN ' ON UPDATE SET DEFAULT' ELSE '' END
        || CASE link.confdeltype WHEN 'r' THEN ' ON DELETE RESTRICT' WHEN 'c' THEN ' ON DELETE CASCADE'
                                 WHEN 'n' THEN ' ON DELETE SET NULL' || delete_columns
                                 WHEN 'd' THEN ' ON DELETE SET DEFAULT' || delete_columns ELSE '' END
        || CASE WHEN link.condeferrable THEN ' DEFERRABLE' ELSE '' END
        || CASE WHEN link.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END
        || CASE WHEN link.enforced = 'false' THEN ' NOT ENFORCED' WHEN NOT link.convalidated THEN ' NOT VALID' ELSE '' END;
END
$$;

COMMENT ON FUNCTION tenancy.foreign_key_text(oid, name, name, text, jsonb) IS
'a foreign key as ADD CONSTRAINT wants it, as it is or after add or remove of the tenant columns; was is what the way back cannot read from the catalogue; internal';
