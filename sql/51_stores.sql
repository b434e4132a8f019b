-- The stores that make search fast are derived from the corpora's tables, as indexes are: kept by triggers, never dumped,
-- rebuilt by rebuild_corpus(). Where one is missing, search reads the tables themselves and finds the same.
-- extension/src/store/state.cpp reads this registry by column number: columns are only appended.

CREATE TABLE tenancy.stores (
    corpus text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    number integer NOT NULL GENERATED ALWAYS AS IDENTITY,
    state text COLLATE "C" NOT NULL,
    progress jsonb,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stores_pkey PRIMARY KEY (corpus, kind),
    CONSTRAINT stores_corpus_fkey FOREIGN KEY (corpus) REFERENCES tenancy.corpora (name) ON DELETE CASCADE,
    CONSTRAINT stores_kind_check CHECK (kind IN ('vectors', 'words')),
    CONSTRAINT stores_state_check CHECK (state IN ('building', 'built', 'stale'))
);

COMMENT ON TABLE tenancy.stores IS
'the stores of corpora: building (triggers keep it, what was there before is being added), built (search reads it) or stale (something passed its triggers by; rebuild_corpus builds it anew); none for a restored database';
COMMENT ON COLUMN tenancy.stores.number IS 'by which the rows of this store are found in the tables of its kind; a store that is built anew gets a new one';
COMMENT ON COLUMN tenancy.stores.progress IS 'how far a build has come; lost: chunks went with a partition, whose codes are in the vector store still';

-- Without policies: nobody reads it but the extension.
ALTER TABLE tenancy.stores ENABLE ROW LEVEL SECURITY;

CREATE TRIGGER stores_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.stores
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.corpora_changed();

CREATE FUNCTION tenancy.store_kinds(corpus text) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- The limit is vectors::most_dimensions.
    SELECT 'vectors' FROM tenancy.corpora c WHERE c.name = store_kinds.corpus AND c.dimensions <= 4000
    UNION ALL
    -- What is computed when it is read is not there when a trigger looks.
    SELECT 'words'
    FROM tenancy.corpora c
    WHERE c.name = store_kinds.corpus
      AND NOT EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = c.chunks AND a.attgenerated = 'v' AND a.attname IN (c.columns ->> 'content', c.columns ->> 'tsv'));
END;

COMMENT ON FUNCTION tenancy.store_kinds(text) IS 'the kinds of stores that a corpus can have; internal';

CREATE FUNCTION tenancy.store_trigger_prefix(corpus text, kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN format('tenancy_%s_%s_', kind, left(encode(sha256(convert_to(corpus, 'UTF8')), 'hex'), 8));

COMMENT ON FUNCTION tenancy.store_trigger_prefix(text, text) IS
'what the names of the triggers that keep a store begin with; a corpus may have a longer name than fits; internal';

CREATE FUNCTION tenancy.install_store_triggers(relation regclass, corpus text, kind text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    prefix text := tenancy.store_trigger_prefix(corpus, kind);
    made record;
BEGIN
    FOR made IN
        SELECT prefix || e.event AS name, e.event, e.definition
        FROM (VALUES
            ('begin', 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT'),
            ('insert', 'AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT'),
            ('update', 'AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT'),
            ('delete', 'AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT'),
            ('truncate', 'AFTER TRUNCATE ON %s FOR EACH STATEMENT'),
            ('apply', 'AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW')
        ) AS e (event, definition)
        WHERE (e.event <> 'apply' OR (SELECT c.relkind FROM pg_class c WHERE c.oid = relation) = 'r')
          AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = prefix || e.event)
    LOOP
        PERFORM tenancy.run_own_ddl(format('CREATE TRIGGER %I ' || made.definition || ' EXECUTE FUNCTION tenancy.%I(%L)',
                                           made.name, relation, 'keep_' || kind, corpus));
    END LOOP;
    -- Whatever session_replication_role is. The workers of logical replication fire triggers for each row only.
    FOR made IN
        SELECT t.tgname AS name, CASE WHEN t.tgname = prefix || 'apply' THEN 'REPLICA' ELSE 'ALWAYS' END AS mode
        FROM pg_trigger t
        WHERE t.tgrelid = relation AND starts_with(t.tgname, prefix)
          AND t.tgenabled <> CASE WHEN t.tgname = prefix || 'apply' THEN 'R' ELSE 'A' END
    LOOP
        PERFORM tenancy.run_own_ddl(format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', relation, made.mode, made.name));
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.install_store_triggers(regclass, text, text) IS
'creates the triggers that keep a store on one table, those that it has not, and enables all of them; internal';

CREATE FUNCTION tenancy.lacks_store_triggers(relation regclass, corpus text, kind text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT count(*) <> CASE c.relkind WHEN 'r' THEN 6 ELSE 5 END
    FROM pg_class c
    LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND starts_with(t.tgname, tenancy.store_trigger_prefix(corpus, kind))
        AND t.tgenabled = CASE WHEN right(t.tgname, 6) = '_apply' THEN 'R' ELSE 'A' END
    WHERE c.oid = relation
    GROUP BY c.relkind);

COMMENT ON FUNCTION tenancy.lacks_store_triggers(regclass, text, text) IS 'whether a table has not all triggers of a store, enabled as they must be; internal';

-- As the table's owner: planning alone runs functions of an index's predicate.
CREATE FUNCTION tenancy.holds_rows(relation regclass) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN tenancy.run_as_owner(relation, format('SELECT count(*) FROM (SELECT FROM ONLY %s LIMIT 1) found', relation)) > 0;
END
$$;

COMMENT ON FUNCTION tenancy.holds_rows(regclass) IS 'whether a table itself has rows, asked with its owner''s rights and with no one else''s; internal';

CREATE FUNCTION tenancy.begin_store(corpus text, kind text, resume boolean) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
    has_rows boolean := false;
BEGIN
    -- Ends all writing that the triggers do not see, and lets what follows wait.
    FOR member IN
        SELECT t.relation
        FROM tenancy.corpora c CROSS JOIN LATERAL tenancy.tree_of(c.chunks) t
        WHERE c.name = begin_store.corpus
        ORDER BY t.depth, t.relation
    LOOP
        EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', member);
        PERFORM tenancy.install_store_triggers(member, begin_store.corpus, begin_store.kind);
        has_rows := has_rows OR tenancy.holds_rows(member);
    END LOOP;
    IF resume AND EXISTS (SELECT FROM tenancy.stores s WHERE s.corpus = begin_store.corpus AND s.kind = begin_store.kind AND s.state = 'building') THEN
        RETURN true;
    END IF;
    DELETE FROM tenancy.stores s WHERE s.corpus = begin_store.corpus AND s.kind = begin_store.kind;
    INSERT INTO tenancy.stores (corpus, kind, state)
    VALUES (begin_store.corpus, begin_store.kind, CASE WHEN has_rows THEN 'building' ELSE 'built' END);
    RETURN has_rows;
END
$$;

COMMENT ON FUNCTION tenancy.begin_store(text, text, boolean) IS
'has a store kept from now on, anew or with resume where a build was left; returns whether there are rows to build it from; internal';

CREATE FUNCTION tenancy_internal.keep_stores(corpus text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chunks regclass;
    found text;
BEGIN
    SELECT c.chunks INTO chunks FROM tenancy.corpora c WHERE c.name = keep_stores.corpus;
    PERFORM tenancy.refuse_other_caller(chunks);
    FOR found IN SELECT tenancy.store_kinds(keep_stores.corpus) LOOP
        IF tenancy.begin_store(keep_stores.corpus, found, false) THEN
            -- Kept for nothing until then: a large table is not read here.
            DELETE FROM tenancy.stores s WHERE s.corpus = keep_stores.corpus AND s.kind = found;
            RAISE NOTICE 'the search store of corpus "%" is to be built', keep_stores.corpus
                USING DETAIL = 'Search reads the table itself until then, with the same results.',
                      HINT = format('CALL tenancy.rebuild_corpus(%L);', keep_stores.corpus);
            RETURN;
        END IF;
    END LOOP;
END
$$;

SELECT tenancy_internal.expose('keep_stores(text)');

COMMENT ON FUNCTION tenancy.keep_stores(text) IS
'gives a new corpus of the caller its stores, or says that they are to be built when there are rows already; attach_corpus() calls it';

CREATE FUNCTION tenancy_internal.forget_stores(corpus text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    root regclass;
    member regclass;
    found text;
BEGIN
    SELECT c.chunks INTO root FROM tenancy.corpora c JOIN pg_class t ON t.oid = c.chunks WHERE c.name = forget_stores.corpus;
    IF root IS NOT NULL THEN
        PERFORM tenancy.refuse_other_caller(root);
    END IF;
    -- Before its triggers: nobody is to be told that it becomes stale.
    DELETE FROM tenancy.stores s WHERE s.corpus = forget_stores.corpus;
    IF root IS NOT NULL THEN
        FOR member IN SELECT t.relation FROM tenancy.tree_of(root) t LOOP
            FOR found IN SELECT tenancy.store_kinds(forget_stores.corpus) LOOP
                PERFORM tenancy.drop_triggers(member, tenancy.store_trigger_prefix(forget_stores.corpus, found));
            END LOOP;
        END LOOP;
    END IF;
END
$$;

SELECT tenancy_internal.expose('forget_stores(text)');

COMMENT ON FUNCTION tenancy.forget_stores(text) IS 'takes the stores of a corpus of the caller away, with their triggers; drop_corpus() calls it';

CREATE FUNCTION tenancy_internal.rebuild_begin(corpus text, kind text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chunks regclass;
BEGIN
    SELECT c.chunks INTO chunks FROM tenancy.corpora c WHERE c.name = rebuild_begin.corpus;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus %s is not configured', coalesce('"' || left(rebuild_begin.corpus, 80) || '"', 'NULL')),
            HINT = 'SELECT name FROM tenancy.corpora shows those that are.';
    END IF;
    PERFORM tenancy.refuse_other_caller(chunks);
    -- It becomes part of statements with more rights than the caller has.
    IF kind IS NULL OR kind NOT IN (SELECT k FROM tenancy.store_kinds(rebuild_begin.corpus) k) THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid kind %s', coalesce(quote_literal(left(kind, 80)), 'NULL')),
            HINT = 'tenancy.rebuild_corpus() builds the stores that a corpus can have.';
    END IF;
    RETURN tenancy.begin_store(rebuild_begin.corpus, rebuild_begin.kind, true);
END
$$;

SELECT tenancy_internal.expose('rebuild_begin(text, text)');

COMMENT ON FUNCTION tenancy.rebuild_begin(text, text) IS 'part of rebuild_corpus()';

CREATE FUNCTION tenancy_internal.rebuild_step(corpus text, kind text, batch_rows integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.corpora;
    store tenancy.stores;
    result jsonb;
BEGIN
    SELECT c.* INTO registered FROM tenancy.corpora c WHERE c.name = rebuild_step.corpus;
    PERFORM tenancy.refuse_other_caller(registered.chunks);
    -- Two who build the same store take turns.
    SELECT s.* INTO store FROM tenancy.stores s WHERE s.corpus = rebuild_step.corpus AND s.kind = rebuild_step.kind FOR UPDATE;
    IF store.state IS DISTINCT FROM 'building' THEN
        RETURN 0;
    END IF;
    EXECUTE format('SELECT tenancy.%I($1, $2, $3)', 'build_' || store.kind) INTO result
        USING rebuild_step.corpus, store.progress, batch_rows;
    UPDATE tenancy.stores s
    SET progress = result || CASE WHEN store.progress ? 'lost' THEN '{"lost": true}' ELSE '{}' END::jsonb, changed_at = now(), state = CASE WHEN (result ->> 'done')::boolean THEN 'built' ELSE 'building' END
    WHERE s.corpus = rebuild_step.corpus AND s.kind = rebuild_step.kind;
    RETURN (result ->> 'rows')::bigint;
END
$$;

SELECT tenancy_internal.expose('rebuild_step(text, text, integer)');

COMMENT ON FUNCTION tenancy.rebuild_step(text, text, integer) IS 'part of rebuild_corpus(): adds so many rows to the store, and opens it for search after the last';

CREATE PROCEDURE tenancy.rebuild_corpus(corpus text DEFAULT 'default', batch_rows integer DEFAULT 10000)
LANGUAGE plpgsql
AS $$
DECLARE
    path_before pg_catalog.text := pg_catalog.current_setting('search_path');
    wanted pg_catalog.text;
    is_more pg_catalog.bool;
    added pg_catalog.int8;
    total pg_catalog.int8;
BEGIN
    -- A procedure that commits can have no SET clause, and each commit ends this one.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF corpus IS NULL OR batch_rows IS NULL OR batch_rows < 1 THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN corpus IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = CASE WHEN corpus IS NULL THEN 'corpus must not be null' ELSE format('invalid batch_rows %s', coalesce(batch_rows::text, 'NULL')) END,
            HINT = 'Use the name of a corpus, and how many rows one transaction may read, 1 or more.';
    END IF;
    FOREACH wanted IN ARRAY tenancy.rebuildable_stores(corpus) LOOP
        is_more := tenancy.rebuild_begin(corpus, wanted);
        -- Here and now, so that inside a transaction block it fails before anything was done.
        COMMIT;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        total := 0;
        WHILE is_more LOOP
            added := tenancy.rebuild_step(corpus, wanted, batch_rows);
            COMMIT;
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            total := total + added;
            is_more := added > 0;
        END LOOP;
        RAISE NOTICE 'corpus "%": store of % built from % rows', corpus, wanted, total;
    END LOOP;
    PERFORM pg_catalog.set_config('search_path', path_before, true);
END
$$;

COMMENT ON PROCEDURE tenancy.rebuild_corpus(text, integer) IS
'builds the stores of a corpus of the caller from its table, in transactions of so many rows, while others read and write; search reads the table itself until it is done; what stops half-way goes on with the next call';

CREATE FUNCTION tenancy_internal.rebuildable_stores(corpus text) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chunks regclass;
BEGIN
    SELECT c.chunks INTO chunks FROM tenancy.corpora c WHERE c.name = rebuildable_stores.corpus;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus "%s" is not configured', left(rebuildable_stores.corpus, 80)),
            HINT = 'SELECT name FROM tenancy.corpora shows those that are.';
    END IF;
    PERFORM tenancy.refuse_other_caller(chunks);
    RETURN ARRAY(SELECT k FROM tenancy.store_kinds(rebuildable_stores.corpus) k);
END
$$;

SELECT tenancy_internal.expose('rebuildable_stores(text)');

COMMENT ON FUNCTION tenancy.rebuildable_stores(text) IS 'the kinds of stores that a corpus of the caller can have; part of rebuild_corpus()';

CREATE FUNCTION tenancy_internal.store_faults() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'store_missing', 'info', format('corpus %I', c.name),
           format('its store of %s is %s: search is exact, and reads all of a tenant''s chunks each time', k.kind,
                  CASE s.state WHEN 'stale' THEN 'stale, because something passed its triggers by'
                               WHEN 'building' THEN 'being built' ELSE 'not built' END),
           format('CALL tenancy.rebuild_corpus(%L)', c.name)
    FROM tenancy.corpora c
    JOIN pg_class t ON t.oid = c.chunks
    CROSS JOIN LATERAL tenancy.store_kinds(c.name) AS k (kind)
    LEFT JOIN tenancy.stores s ON s.corpus = c.name AND s.kind = k.kind
    WHERE s.state IS DISTINCT FROM 'built'
    UNION ALL
    SELECT 'store_dead', 'info', format('corpus %I', c.name),
           'its store of vectors has codes of chunks that went with a partition: search is exact, and reads them in vain',
           format('CALL tenancy.rebuild_corpus(%L)', c.name)
    FROM tenancy.corpora c
    JOIN pg_class t ON t.oid = c.chunks
    JOIN tenancy.stores s ON s.corpus = c.name AND s.kind = 'vectors'
    WHERE s.state = 'built' AND s.progress ? 'lost'
$$;

SELECT tenancy_internal.expose('store_faults()');

COMMENT ON FUNCTION tenancy.store_faults() IS 'the part of check() about the stores of corpora; internal';

CREATE FUNCTION tenancy_internal.watch_stores() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member record;
    has_rows boolean;
BEGIN
    -- What this does itself comes here, too, before it is done.
    IF tenancy.is_own_ddl() THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM tenancy.stores s WHERE s.state <> 'stale') THEN
        RETURN;
    END IF;
    IF TG_EVENT = 'table_rewrite' THEN
        UPDATE tenancy.stores s SET state = 'stale', changed_at = now()
        FROM tenancy.corpora c
        WHERE c.name = s.corpus AND s.state <> 'stale'
          AND pg_event_trigger_table_rewrite_oid() IN (SELECT t.relation FROM tenancy.tree_of(c.chunks) t);
        RETURN;
    END IF;
    FOR member IN
        SELECT DISTINCT s.corpus, s.kind, t.relation, t.depth
        FROM tenancy.stores s
        JOIN tenancy.corpora c ON c.name = s.corpus
        JOIN pg_class r ON r.oid = c.chunks
        CROSS JOIN LATERAL tenancy.tree_of(c.chunks) t
        WHERE s.state <> 'stale' AND tenancy.lacks_store_triggers(t.relation, s.corpus, s.kind)
        ORDER BY s.corpus, s.kind, t.depth, t.relation
    LOOP
        -- A new partition without rows only needs its triggers. Where rows may have come or gone unseen, nobody knows which.
        has_rows := tenancy.holds_rows(member.relation);
        IF has_rows OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = member.relation
                               AND starts_with(t.tgname, tenancy.store_trigger_prefix(member.corpus, member.kind))) THEN
            UPDATE tenancy.stores s SET state = 'stale', changed_at = now()
            WHERE s.corpus = member.corpus AND s.kind = member.kind AND s.state <> 'stale';
            IF FOUND THEN
                RAISE WARNING 'the store of % of corpus "%" is stale: % can change without it', member.kind, member.corpus, member.relation
                    USING HINT = format('CALL tenancy.rebuild_corpus(%L);', member.corpus);
            END IF;
        ELSE
            PERFORM tenancy.install_store_triggers(member.relation, member.corpus, member.kind);
        END IF;
    END LOOP;
    -- A column that was renamed or dropped: the corpus no longer fits, and the triggers cannot read it.
    UPDATE tenancy.stores s SET state = 'stale', changed_at = now()
    FROM tenancy.corpora c
    WHERE c.name = s.corpus AND s.state <> 'stale'
      AND EXISTS (SELECT FROM jsonb_each_text(c.columns) p
                  WHERE p.key IN ('tenant_id', 'id', 'content', 'embedding', 'tsv') AND p.value IS NOT NULL
                    AND NOT EXISTS (SELECT FROM pg_attribute a
                                    WHERE a.attrelid = c.chunks AND a.attname = p.value AND a.attnum > 0 AND NOT a.attisdropped));
END
$$;

SELECT tenancy_internal.expose('watch_stores()');

COMMENT ON FUNCTION tenancy.watch_stores() IS
'event trigger: gives new partitions of chunks tables the triggers of their stores, and marks a store stale when something passes its triggers by';

-- Named to run after those that protect and extend.
CREATE EVENT TRIGGER tenancy_zz_stores ON ddl_command_end
WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE TRIGGER', 'ALTER TRIGGER', 'DROP TRIGGER')
EXECUTE FUNCTION tenancy.watch_stores();

CREATE EVENT TRIGGER tenancy_zz_stores_rewrite ON table_rewrite
EXECUTE FUNCTION tenancy.watch_stores();

CREATE FUNCTION tenancy.triggers_of_strangers(corpus text, kind text) RETURNS TABLE (relation regclass, name text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.tgrelid, t.tgname
    FROM tenancy.corpora c
    JOIN pg_trigger t ON starts_with(t.tgname, tenancy.store_trigger_prefix(triggers_of_strangers.corpus, triggers_of_strangers.kind))
    JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'tenancy'::regnamespace AND p.proname = 'keep_' || triggers_of_strangers.kind
    WHERE c.name = triggers_of_strangers.corpus
      AND t.tgrelid NOT IN (SELECT m.relation FROM tenancy.tree_of(c.chunks) m);
END;

COMMENT ON FUNCTION tenancy.triggers_of_strangers(text, text) IS 'triggers of a store on tables that are no part of its corpus any more; internal';

CREATE FUNCTION tenancy_internal.watch_lost_chunks() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lost record;
BEGIN
    IF NOT EXISTS (SELECT FROM tenancy.stores s WHERE s.state <> 'stale') THEN
        RETURN;
    END IF;
    -- A partition that goes takes chunks along. It is known by its triggers.
    FOR lost IN
        SELECT s.corpus, s.kind
        FROM tenancy.stores s
        JOIN tenancy.corpora c ON c.name = s.corpus
        WHERE s.state <> 'stale'
          AND CASE WHEN TG_EVENT = 'sql_drop'
                   THEN EXISTS (SELECT FROM pg_event_trigger_dropped_objects() d
                                WHERE d.object_type = 'trigger' AND starts_with(d.address_names[3], tenancy.store_trigger_prefix(s.corpus, s.kind)))
                   ELSE EXISTS (SELECT FROM tenancy.triggers_of_strangers(s.corpus, s.kind) t WHERE tenancy.holds_rows(t.relation)) END
    LOOP
        -- Words that went still count; codes are passed over.
        IF lost.kind = 'words' THEN
            UPDATE tenancy.stores s SET state = 'stale', changed_at = now() WHERE s.corpus = lost.corpus AND s.kind = lost.kind;
            RAISE WARNING 'the store of words of corpus "%" is stale: chunks went without it', lost.corpus
                USING HINT = format('CALL tenancy.rebuild_corpus(%L);', lost.corpus);
        ELSE
            UPDATE tenancy.stores s SET progress = coalesce(s.progress, '{}') || '{"lost": true}', changed_at = now()
            WHERE s.corpus = lost.corpus AND s.kind = lost.kind AND NOT coalesce(s.progress ? 'lost', false);
        END IF;
    END LOOP;
    -- What is no part of the corpus any more no longer writes to its stores.
    IF TG_EVENT = 'ddl_command_end' THEN
        PERFORM tenancy.drop_triggers(t.relation, t.name)
        FROM tenancy.stores s, LATERAL tenancy.triggers_of_strangers(s.corpus, s.kind) t;
    END IF;
END
$$;

SELECT tenancy_internal.expose('watch_lost_chunks()');

COMMENT ON FUNCTION tenancy.watch_lost_chunks() IS
'event trigger: when a partition leaves a chunks table marks the keyword store stale, where its words counted, and the vector store as one with dead codes';

CREATE EVENT TRIGGER tenancy_zz_stores_left ON ddl_command_end WHEN TAG IN ('ALTER TABLE')
EXECUTE FUNCTION tenancy.watch_lost_chunks();

CREATE EVENT TRIGGER tenancy_zz_stores_drop ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP SCHEMA', 'DROP OWNED')
EXECUTE FUNCTION tenancy.watch_lost_chunks();
