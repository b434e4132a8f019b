-- A whole database that is single-tenant again, and back.

-- What stood in protected_tables: a table without a parent among them is protected again with the rest of its tree.
CREATE TABLE tenancy.disabled_tables (
    relation regclass NOT NULL,
    is_root boolean NOT NULL,
    registered jsonb NOT NULL,
    CONSTRAINT disabled_tables_pkey PRIMARY KEY (relation)
);

COMMENT ON TABLE tenancy.disabled_tables IS 'the tables that disable_tenancy() took the protection from, as they were registered, until enable_tenancy()';

ALTER TABLE tenancy.disabled_tables ENABLE ROW LEVEL SECURITY;

SELECT pg_catalog.pg_extension_config_dump('tenancy.disabled_tables', '');

-- The tables of a corpus are read by search functions, which know nothing but tenants: they stay as they are.
CREATE FUNCTION tenancy.disable_tenancy(keep_columns boolean DEFAULT true, dry_run boolean DEFAULT false) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    roots regclass[];
    root regclass;
    paths regclass[];
BEGIN
    PERFORM tenancy.refuse_null(disable_tenancy.keep_columns IS NULL, 'keep_columns');
    PERFORM tenancy.refuse_null(disable_tenancy.dry_run IS NULL, 'dry_run');
    IF NOT disable_tenancy.dry_run THEN
        LOCK TABLE tenancy.protected_tables IN SHARE UPDATE EXCLUSIVE MODE;
    END IF;
    roots := ARRAY(
        SELECT p.relation
        FROM tenancy.protected_tables p
        WHERE NOT EXISTS (SELECT FROM pg_inherits i JOIN tenancy.protected_tables o ON o.relation = i.inhparent
                          WHERE i.inhrelid = p.relation)
          AND NOT EXISTS (SELECT FROM tenancy.corpora c WHERE p.relation IN (c.documents, c.chunks))
          AND EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relation)
        ORDER BY p.relation::text);
    -- Those furthest from their tenants first.
    paths := ARRAY(
        WITH RECURSIVE away AS (
            SELECT i.relation, 1 AS steps
            FROM tenancy.indirect_tables i
            JOIN pg_constraint f ON f.conrelid = i.relation AND f.conname = i.path
            WHERE NOT EXISTS (SELECT FROM tenancy.indirect_tables o WHERE o.relation = f.confrelid)
            UNION ALL
            SELECT i.relation, a.steps + 1
            FROM away a
            JOIN pg_constraint f ON f.confrelid = a.relation
            JOIN tenancy.indirect_tables i ON i.relation = f.conrelid AND i.path = f.conname
        )
        -- Those whose path leads nowhere, or in a circle, first of all.
        SELECT i.relation
        FROM tenancy.indirect_tables i
        JOIN pg_class c ON c.oid = i.relation
        LEFT JOIN away a ON a.relation = i.relation
        WHERE i.kind = 'path'
        ORDER BY a.steps DESC NULLS FIRST, i.relation::text);
    IF disable_tenancy.dry_run THEN
        RETURN QUERY SELECT s FROM unnest(paths) p CROSS JOIN tenancy.unprotect_indirect(p, paths, true) s;
        RETURN QUERY SELECT tenancy.unprotect_tables(roots, disable_tenancy.keep_columns, true);
        RETURN;
    END IF;
    FOREACH root IN ARRAY paths LOOP
        INSERT INTO tenancy.disabled_tables (relation, is_root, registered)
        SELECT i.relation, false, to_jsonb(i) - 'relation' - 'policies' FROM tenancy.indirect_tables i WHERE i.relation = root
        ON CONFLICT ON CONSTRAINT disabled_tables_pkey DO UPDATE SET is_root = excluded.is_root, registered = excluded.registered;
        RETURN QUERY SELECT tenancy.unprotect_indirect(root, paths, false);
    END LOOP;
    FOREACH root IN ARRAY roots LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', root);
    END LOOP;
    INSERT INTO tenancy.disabled_tables (relation, is_root, registered)
    SELECT p.relation, p.relation = ANY (roots), to_jsonb(p) - 'relation'
    FROM unnest(roots) r
    CROSS JOIN tenancy.tree_of(r) t
    JOIN tenancy.protected_tables p ON p.relation = t.relation
    ON CONFLICT ON CONSTRAINT disabled_tables_pkey DO UPDATE SET is_root = excluded.is_root, registered = excluded.registered;
    RETURN QUERY SELECT tenancy.unprotect_tables(roots, disable_tenancy.keep_columns, false);
    PERFORM tenancy.set_enabled(false);
END
$$;

COMMENT ON FUNCTION tenancy.disable_tenancy(boolean, boolean) IS
'makes the database single-tenant again: takes the protection from all tables but those of corpora, of which the tenant columns that protect() added stay as history (or go: keep_columns), and turns the tenant''s step of resolve_agent() off; returns the statements that it ran (dry_run: would run); for superusers';

-- Rows that came while there were no tenants are of the tenant of what they refer to.
CREATE FUNCTION tenancy.inherit_tenants(relations regclass[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    link record;
    touched bigint;
    total bigint := 0;
BEGIN
    FOR link IN
        SELECT f.conrelid::regclass AS child, f.confrelid::regclass AS parent, c.registered ->> 'tenant_column' AS child_column,
               p.registered ->> 'tenant_column' AS parent_column,
               string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND ' ORDER BY k.place) AS matching
        FROM tenancy.disabled_tables c
        JOIN pg_constraint f ON f.conrelid = c.relation AND f.contype = 'f' AND f.conparentid = 0
        JOIN tenancy.disabled_tables p ON p.relation = f.confrelid
            AND p.registered ->> 'column_type' = c.registered ->> 'column_type'
        CROSS JOIN unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (child_number, parent_number, place)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.child_number
        JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.parent_number
        WHERE c.relation = ANY (relations) AND p.relation = ANY (relations)
        GROUP BY f.oid, c.registered, p.registered
        ORDER BY f.conrelid, f.conname
    LOOP
        EXECUTE format('UPDATE %s c SET %I = p.%I FROM %s p WHERE %s AND c.%I IS NULL AND p.%I IS NOT NULL', link.child,
                       link.child_column, link.parent_column, link.parent, link.matching, link.child_column, link.parent_column);
        GET DIAGNOSTICS touched = ROW_COUNT;
        total := total + touched;
    END LOOP;
    RETURN total;
END
$$;

COMMENT ON FUNCTION tenancy.inherit_tenants(regclass[]) IS
'gives rows without a tenant that of the rows that they refer to, one step far, and says how many; internal';

CREATE FUNCTION tenancy.enable_tenancy(backfill text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    entry record;
    fill text;
    with_column regclass[] := '{}';
    switches text[] := '{}';
    statement text;
BEGIN
    DELETE FROM tenancy.disabled_tables d
    WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.relation)
       OR EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = d.relation)
       OR EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = d.relation);
    LOCK TABLE tenancy.protected_tables IN SHARE UPDATE EXCLUSIVE MODE;
    FOR entry IN
        SELECT d.relation, r.tenant_column,
               EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = d.relation AND a.attname = r.tenant_column AND NOT a.attisdropped) AS has_column
        FROM tenancy.disabled_tables d
        CROSS JOIN jsonb_populate_record(NULL::tenancy.protected_tables, d.registered) r
        WHERE d.is_root
        ORDER BY d.relation::text
    LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', entry.relation);
        IF entry.has_column THEN
            with_column := with_column || entry.relation;
            switches := switches || ARRAY(SELECT tenancy.trigger_statements(entry.relation, true));
            FOR statement IN SELECT tenancy.trigger_statements(entry.relation, false) LOOP
                EXECUTE statement;
            END LOOP;
        END IF;
    END LOOP;
    LOOP
        EXIT WHEN tenancy.inherit_tenants(with_column) = 0;
    END LOOP;
    FOREACH statement IN ARRAY switches LOOP
        EXECUTE statement;
    END LOOP;

    -- What these tables were before they were first protected is what unprotect() will go back to.
    INSERT INTO tenancy.state_before_migration (relation, tenant_column, undo)
    SELECT d.relation, r.tenant_column, r.undo
    FROM tenancy.disabled_tables d
    CROSS JOIN jsonb_populate_record(NULL::tenancy.protected_tables, d.registered) r
    WHERE NOT d.registered ? 'path'
    ON CONFLICT ON CONSTRAINT state_before_migration_pkey DO UPDATE SET tenant_column = excluded.tenant_column, undo = excluded.undo;
    FOR entry IN
        SELECT d.relation, r.tenant_column, r.column_type, r.own_policies, r.foreign_key, r.index,
               -- Keys that are gone meanwhile need no exemption.
               ARRAY(SELECT g FROM unnest(r.global_keys) g
                     WHERE g IN (SELECT k.name FROM tenancy.unique_keys(ARRAY(SELECT t.relation FROM tenancy.tree_of(d.relation) t)) k)) AS global_keys
        FROM tenancy.disabled_tables d
        CROSS JOIN jsonb_populate_record(NULL::tenancy.protected_tables, d.registered) r
        WHERE d.is_root
        ORDER BY d.relation::text
    LOOP
        fill := coalesce(enable_tenancy.backfill, quote_literal(tenancy.default_tenant_value(entry.column_type)));
        RETURN QUERY SELECT tenancy.protect(entry.relation, entry.tenant_column, entry.column_type, fill, entry.own_policies,
                                            entry.foreign_key, entry.index, entry.global_keys);
    END LOOP;
    LOOP
        SELECT d.relation, d.registered ->> 'path' AS path, d.registered -> 'undo' AS undo INTO entry
        FROM tenancy.disabled_tables d
        JOIN pg_constraint f ON f.conrelid = d.relation AND f.conname = d.registered ->> 'path' AND f.contype = 'f'
        WHERE NOT EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = d.relation)
          AND (EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = f.confrelid)
               OR EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = f.confrelid))
        ORDER BY d.relation::text
        LIMIT 1;
        EXIT WHEN entry.relation IS NULL;
        RETURN QUERY SELECT tenancy.protect_by_path(entry.relation, entry.path, entry.undo ? 'index');
    END LOOP;
    DELETE FROM tenancy.disabled_tables;
    PERFORM tenancy.set_enabled(true);
END
$$;

COMMENT ON FUNCTION tenancy.enable_tenancy(text) IS
'brings back what disable_tenancy() took: protects the tables as they were, gives rows that came meanwhile the tenant of what they refer to, and others that of backfill, an SQL expression over the row, or the default tenant, and turns the tenant''s step of resolve_agent() on; returns the statements that protect() ran; for superusers';
