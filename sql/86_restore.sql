-- Restoring a dump: foreign keys that bear any order of loading, and what verifies them afterwards.

-- Of keys that a restore created before the rows they refer to, until these are there.
CREATE TABLE tenancy.unverified_keys (
    relation regclass NOT NULL,
    name name NOT NULL,
    CONSTRAINT unverified_keys_pkey PRIMARY KEY (relation, name)
);

COMMENT ON TABLE tenancy.unverified_keys IS
'foreign keys to the catalogue that a restore created when their parents were not loaded yet, and that nothing has verified since';

ALTER TABLE tenancy.unverified_keys ENABLE ROW LEVEL SECURITY;

-- A row with a null refers to nothing. What hangs on a table of an application is its owner's code, which the planner may run:
-- its keys are read as the owner, and compared here with those of the parent.
CREATE FUNCTION tenancy.count_orphans(child regclass, columns text[], parent regclass, parent_columns text[]) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_own boolean;
    child_rows text;
    has_all text := (SELECT string_agg(format('child_row.%I IS NOT NULL', c), ' AND ') FROM unnest(columns) c);
    found bigint;
BEGIN
    SELECT c.relnamespace = 'tenancy'::regnamespace, format(CASE c.relkind WHEN 'r' THEN 'ONLY %s' ELSE '%s' END, child)
    INTO is_own, child_rows
    FROM pg_class c WHERE c.oid = child;
    IF is_own THEN
        EXECUTE format('SELECT count(*) FROM %s AS child_row WHERE %s AND NOT EXISTS (SELECT FROM ONLY %s AS parent_row WHERE %s)',
                       child_rows, has_all, parent,
                       (SELECT string_agg(format('parent_row.%I OPERATOR(pg_catalog.=) child_row.%I', k.there, k.here), ' AND ')
                        FROM unnest(columns, parent_columns) AS k (here, there))) INTO found;
    ELSE
        EXECUTE format('SELECT coalesce(sum((k.of_child ->> ''rows'')::bigint), 0) FROM tenancy.rows_as_owner($1, $2) AS k (of_child) '
                       'WHERE (k.of_child -> ''key'')::jsonb NOT IN (SELECT jsonb_build_array(%s) FROM ONLY %s AS parent_row WHERE %s)',
                       (SELECT string_agg(format('parent_row.%I', c), ', ' ORDER BY place) FROM unnest(parent_columns) WITH ORDINALITY AS u (c, place)),
                       parent, (SELECT string_agg(format('parent_row.%I IS NOT NULL', c), ' AND ') FROM unnest(parent_columns) c))
        INTO found
        USING child, format('SELECT pg_catalog.json_build_array(%1$s) AS key, pg_catalog.to_json(pg_catalog.count(*)) AS rows FROM %2$s AS child_row WHERE %3$s GROUP BY %1$s',
                            (SELECT string_agg(format('child_row.%I', c), ', ' ORDER BY place) FROM unnest(columns) WITH ORDINALITY AS u (c, place)),
                            child_rows, has_all);
    END IF;
    RETURN found;
END
$$;

COMMENT ON FUNCTION tenancy.count_orphans(regclass, text[], regclass, text[]) IS 'how many rows refer to a row that is not there; internal';

CREATE FUNCTION tenancy.references_to_catalogue() RETURNS TABLE (key oid, child regclass, name name, columns text[], parent regclass, parent_columns text[])
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT f.oid, f.conrelid::regclass, f.conname,
           ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number ORDER BY k.place),
           f.confrelid::regclass,
           ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number ORDER BY k.place)
    FROM pg_constraint f
    JOIN pg_class p ON p.oid = f.confrelid AND p.relnamespace = 'tenancy'::regnamespace
    -- The key of a partition is its parent's.
    WHERE f.contype = 'f' AND f.conparentid = 0;
END;

COMMENT ON FUNCTION tenancy.references_to_catalogue() IS 'the foreign keys that lead to the catalogue, those of applications too; internal';

CREATE FUNCTION tenancy.check_reference() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_check_reference';

COMMENT ON FUNCTION tenancy.check_reference() IS
'trigger: runs PostgreSQL''s check of the foreign key that its argument names, unless a dump is being restored';

CREATE FUNCTION tenancy.parents_restored() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting record;
BEGIN
    FOR waiting IN
        SELECT r.* FROM tenancy.references_to_catalogue() r
        JOIN tenancy.unverified_keys u ON u.relation = r.child AND u.name = r.name
        WHERE r.parent = TG_RELID
    LOOP
        BEGIN
            -- Never waits: another worker of the restore may hold the table and wait for this one.
            EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE NOWAIT', waiting.child);
            IF tenancy.count_orphans(waiting.child, waiting.columns, waiting.parent, waiting.parent_columns) = 0 THEN
                DELETE FROM tenancy.unverified_keys u WHERE (u.relation, u.name) = (waiting.child, waiting.name);
            END IF;
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION tenancy.parents_restored() IS 'trigger: verifies the foreign keys that waited for these rows';

CREATE FUNCTION tenancy.note_restored_key(child regclass, name name, columns text[], parent regclass, parent_columns text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.count_orphans(child, columns, parent, parent_columns) > 0 THEN
        INSERT INTO tenancy.unverified_keys AS u (relation, name) VALUES (child, note_restored_key.name)
        ON CONFLICT ON CONSTRAINT unverified_keys_pkey DO NOTHING;
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.note_restored_key(regclass, name, text[], regclass, text[]) IS
'looks whether a restored foreign key to the catalogue holds, and notes one whose parents are not loaded yet; called by the event trigger; internal';

-- What pg_restore --disable-triggers turns off and on again must not lose what we rely on.
CREATE FUNCTION tenancy.settle_triggers(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s %s TRIGGER %I', relation,
                      CASE w.state WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'DISABLE' END, t.tgname)
        FROM pg_trigger t
        CROSS JOIN LATERAL (SELECT CASE
            WHEN t.tgfoid IN ('"RI_FKey_check_ins"'::regproc, '"RI_FKey_check_upd"'::regproc)
                 AND EXISTS (SELECT FROM pg_trigger o WHERE o.tgrelid = t.tgrelid AND o.tgfoid = 'tenancy.check_reference'::regproc) THEN 'D'
            WHEN t.tgname = 'append_only' OR starts_with(t.tgname, 'merge_') THEN 'A' END::"char" AS state) w
        WHERE t.tgrelid = relation AND w.state <> t.tgenabled
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.settle_triggers(regclass) IS
'turns triggers of a table of the catalogue on or off as they are made: what merges restored rows and what keeps the audit log always fire, checks of foreign keys that check_reference() runs never; internal';

CREATE FUNCTION tenancy.before_alter_table() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_before_alter_table';

COMMENT ON FUNCTION tenancy.before_alter_table() IS
'event trigger: lets a restore create foreign keys to the catalogue before the rows that they refer to are loaded';

CREATE FUNCTION tenancy.after_alter_table() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_after_alter_table';

COMMENT ON FUNCTION tenancy.after_alter_table() IS
'event trigger: keeps the state of the catalogue''s triggers where all triggers of a table are turned off or on';

CREATE EVENT TRIGGER tenancy_before_alter_table ON ddl_command_start
WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION tenancy.before_alter_table();

CREATE EVENT TRIGGER tenancy_after_alter_table ON ddl_command_end
WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION tenancy.after_alter_table();

COMMENT ON EVENT TRIGGER tenancy_before_alter_table IS 'lets a restore create foreign keys before the rows that they refer to';
COMMENT ON EVENT TRIGGER tenancy_after_alter_table IS 'keeps the state of the catalogue''s triggers';

CREATE FUNCTION tenancy_internal.check_restore() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'rows_without_parent', 'error', format('table %s', r.child),
           format('%s rows refer to rows of %s that are not there (foreign key %I)', n.orphans, r.parent, r.name),
           format('Restore the data of %s, or delete these rows; SELECT * FROM tenancy.verify_restore() says what else is missing.', r.parent)
    FROM tenancy.references_to_catalogue() r
    CROSS JOIN LATERAL tenancy.count_orphans(r.child, r.columns, r.parent, r.parent_columns) AS n (orphans)
    WHERE r.child IN (SELECT unnest(e.extconfig) FROM pg_extension e WHERE e.extname = 'tenancy') AND n.orphans > 0
    UNION ALL
    SELECT 'key_unverified', 'error', format('table %s', r.child),
           format('foreign key %I was restored before the rows of %s that it refers to, and nothing has verified it since', r.name, r.parent),
           'SELECT * FROM tenancy.verify_restore()'
    FROM tenancy.references_to_catalogue() r
    JOIN tenancy.unverified_keys u ON u.relation = r.child AND u.name = r.name;
END;

SELECT tenancy_internal.expose('check_restore()');

COMMENT ON FUNCTION tenancy.check_restore() IS 'the part of check() about what a restore left behind; reads tables of the extension only; internal';

CREATE FUNCTION tenancy.verify_restore() RETURNS TABLE (object text, problem text, fix text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    orphans bigint;
BEGIN
    IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'permission denied to verify a restore',
            DETAIL = 'It reads all rows of all tables that refer to the catalogue.',
            HINT = 'Call it as a superuser, as the dump was restored.';
    END IF;
    FOR found IN SELECT r.* FROM tenancy.references_to_catalogue() r ORDER BY r.child::text, r.name LOOP
        orphans := tenancy.count_orphans(found.child, found.columns, found.parent, found.parent_columns);
        IF orphans > 0 THEN
            RETURN QUERY SELECT format('table %s', found.child),
                format('%s rows refer to rows of %s that are not there (foreign key %I)', orphans, found.parent, found.name),
                format('Restore the data of %s, or delete these rows, and verify again.', found.parent);
        ELSE
            DELETE FROM tenancy.unverified_keys u WHERE (u.relation, u.name) = (found.child, found.name);
        END IF;
    END LOOP;

    FOR found IN
        SELECT DISTINCT t.tgrelid::regclass AS relation FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'tenancy'::regnamespace
    LOOP
        PERFORM tenancy.settle_triggers(found.relation);
    END LOOP;
    RETURN QUERY
        SELECT format('table %s', t.tgrelid::regclass), format('trigger %I is turned off', t.tgname),
               format('ALTER TABLE %s ENABLE TRIGGER ALL', t.tgrelid::regclass)
        FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid
        LEFT JOIN pg_proc f ON f.oid = t.tgfoid
        WHERE t.tgenabled = 'D'
          AND CASE WHEN c.relnamespace = 'tenancy'::regnamespace THEN t.tgfoid NOT IN ('"RI_FKey_check_ins"'::regproc, '"RI_FKey_check_upd"'::regproc)
                   ELSE f.pronamespace = 'tenancy'::regnamespace
                        OR t.tgisinternal AND t.tgrelid IN (SELECT i FROM tenancy.isolated_tables() i) END
        ORDER BY 1, 2;

    RETURN QUERY
        SELECT format('tenant %s', d.tenant_slug), format('%s documents are counted, and there are %s', d.counted, d.actual),
               'SELECT tenancy.recount_documents()'
        FROM tenancy.document_drift() d;

    RETURN QUERY
        SELECT format('audit log of tenant %s', l.tenant_id), v.problem, 'Compare it with an export_audit() from elsewhere.'
        FROM (SELECT h.tenant_id FROM tenancy.audit_heads h UNION SELECT a.tenant_id FROM tenancy.audit_log a) l
        CROSS JOIN LATERAL tenancy.verify_audit(l.tenant_id) v
        WHERE NOT v.intact
        ORDER BY 1;

    RETURN QUERY
        SELECT format('pepper %s', k.pepper_id), format('%s API keys were made with it, and it is not there: they cannot enter', count(*)),
               'Restore the data of tenancy.secrets, which only a superuser''s dump holds, or rotate the keys.'
        FROM tenancy.api_keys k
        WHERE NOT EXISTS (SELECT FROM tenancy.secrets s WHERE s.kind = 'pepper' AND s.id = k.pepper_id)
        GROUP BY k.pepper_id
        ORDER BY 1;

    RETURN QUERY
        SELECT format('corpus %s', quote_ident(c.name)), 'its stores are not part of a dump: searches read the rows meanwhile',
               format('CALL tenancy.rebuild_corpus(%L)', c.name)
        FROM tenancy.corpora c
        WHERE EXISTS (SELECT FROM tenancy.store_kinds(c.name) k
                      WHERE NOT EXISTS (SELECT FROM tenancy.stores s WHERE s.corpus = c.name AND s.kind = k))
        ORDER BY 1;
END
$$;

COMMENT ON FUNCTION tenancy.verify_restore() IS
'what a restored database lacks: rows that refer to nothing, triggers that are off, documents that are counted wrong, broken audit logs, missing secrets and stores; no rows when nothing does; verifies foreign keys that a restore could not';

-- The tables that a dump holds rows of, whatever was added to them above.
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT r.child, r.name, (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ') FROM pg_catalog.unnest(r.columns) c) AS columns
        FROM tenancy.references_to_catalogue() r
        WHERE r.child IN (SELECT unnest(e.extconfig) FROM pg_catalog.pg_extension e WHERE e.extname = 'tenancy')
        ORDER BY r.child::text, r.name
    LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER %I AFTER INSERT OR UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION tenancy.check_reference(%L)',
                                  'check_' || made.name, made.columns, made.child, made.name);
    END LOOP;
    FOR made IN SELECT DISTINCT r.parent FROM tenancy.references_to_catalogue() r ORDER BY 1 LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER zz_parents_restored AFTER INSERT ON %s FOR EACH STATEMENT WHEN (tenancy.is_restoring()) '
                                  'EXECUTE FUNCTION tenancy.parents_restored()', made.parent);
    END LOOP;
    FOR made IN SELECT DISTINCT pg_catalog.unnest(e.extconfig)::pg_catalog.regclass AS relation FROM pg_catalog.pg_extension e WHERE e.extname = 'tenancy' LOOP
        PERFORM tenancy.settle_triggers(made.relation);
    END LOOP;
END
$$;
