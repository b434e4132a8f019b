-- A knowledge graph beside a corpus: entities, the relations between them, and the chunks that mention them. The tables
-- are ordinary ones of the application, protected, dumped and restored like the corpus's own; search walks them as the
-- caller, under the caller's policies.

CREATE TABLE tenancy.graphs (
    corpus text COLLATE "C" NOT NULL,
    entities regclass NOT NULL,
    relations regclass NOT NULL,
    mentions regclass NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT graphs_pkey PRIMARY KEY (corpus),
    CONSTRAINT graphs_corpus_fkey FOREIGN KEY (corpus) REFERENCES tenancy.corpora (name) ON DELETE CASCADE
);

COMMENT ON TABLE tenancy.graphs IS 'the tables of the knowledge graphs of corpora; written by create_graph and drop_graph, by the owners of the tables';

SELECT pg_catalog.pg_extension_config_dump('tenancy.graphs', '');

ALTER TABLE tenancy.graphs ENABLE ROW LEVEL SECURITY;

CREATE POLICY graphs_read ON tenancy.graphs FOR SELECT USING (true);

CREATE POLICY graphs_insert ON tenancy.graphs FOR INSERT
WITH CHECK (tenancy.may_alter(entities) AND tenancy.may_alter(relations) AND tenancy.may_alter(mentions)
            -- What applications store in the graph of a corpus goes to whom the corpus belongs.
            AND EXISTS (SELECT FROM tenancy.corpora c WHERE c.name = corpus AND tenancy.may_alter(c.chunks)));

CREATE POLICY graphs_delete ON tenancy.graphs FOR DELETE
USING (coalesce(tenancy.may_alter(entities), true) AND coalesce(tenancy.may_alter(relations), true) AND coalesce(tenancy.may_alter(mentions), true));

CREATE FUNCTION tenancy.graph_tenant_column(of_chunks text) RETURNS name
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (CASE WHEN of_chunks IN ('id', 'kind', 'name', 'description', 'metadata', 'embedding', 'words', 'created_at', 'source_id', 'target_id',
                                'weight', 'entity_id', 'chunk_id') THEN 'tenant_id' ELSE of_chunks END)::name;

COMMENT ON FUNCTION tenancy.graph_tenant_column(text) IS
'the tenant column of a graph''s tables: named as that of the chunks, unless another column here has that name; internal';

CREATE FUNCTION tenancy.create_graph(corpus text DEFAULT 'default') RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    registered tenancy.corpora;
    prefix text := CASE WHEN corpus = 'default' THEN '' ELSE corpus || '_' END;
    schema name;
    tenant name;
    chunk_tenant name;
    tenant_type regtype;
    embedding_type text;
    chunk_id name;
    made text;
    tables text[];
    app regrole;
BEGIN
    IF corpus IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'corpus must not be null';
    END IF;
    SELECT c.* INTO registered FROM tenancy.corpora c WHERE c.name = create_graph.corpus;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus "%s" is not configured', left(corpus, 80)),
            HINT = 'Make it with tenancy.create_corpus() first.';
    END IF;
    IF NOT coalesce(tenancy.may_alter(registered.chunks), false) THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of the tables of corpus "%s"', corpus);
    END IF;
    IF EXISTS (SELECT FROM tenancy.graphs g WHERE g.corpus = create_graph.corpus) THEN
        RAISE EXCEPTION USING ERRCODE = '42710',
            MESSAGE = format('corpus "%s" already has a graph', corpus),
            HINT = 'Remove it with tenancy.drop_graph() first.';
    END IF;

    tenant := tenancy.graph_tenant_column(registered.columns ->> 'tenant_id');
    chunk_tenant := registered.columns ->> 'tenant_id';
    chunk_id := registered.columns ->> 'id';
    SELECT n.nspname,
           max(CASE WHEN a.attname = chunk_tenant THEN CASE a.atttypid WHEN 'varchar'::regtype THEN 'text'::regtype ELSE a.atttypid::regtype END::oid END)::regtype,
           max(CASE WHEN a.attname = registered.columns ->> 'embedding' THEN format('%s(%s)',
               (SELECT format('%I.%I', tn.nspname, t.typname) FROM pg_type t JOIN pg_namespace tn ON tn.oid = t.typnamespace WHERE t.oid = a.atttypid), a.atttypmod) END)
      INTO schema, tenant_type, embedding_type
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.oid = registered.chunks
    GROUP BY n.nspname;
    IF NOT EXISTS (
        SELECT
        FROM pg_index i
        WHERE i.indrelid = registered.chunks AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
          AND (SELECT array_agg(a.attname ORDER BY a.attname) = ARRAY(SELECT k FROM unnest(ARRAY[chunk_tenant, chunk_id]) k ORDER BY k)
               FROM pg_attribute a
               WHERE a.attrelid = registered.chunks AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('table %s has no unique key of its tenant and its id', registered.chunks),
            DETAIL = 'Mentions refer to the chunks of their own tenant by it.',
            HINT = format('Make a unique constraint on (%I, %I).', chunk_tenant, chunk_id);
    END IF;

    tables := ARRAY[format('%I.%I', schema, prefix || 'entities'), format('%I.%I', schema, prefix || 'relations'), format('%I.%I', schema, prefix || 'mentions')];
    EXECUTE format($ddl$
        CREATE TABLE %s (
            %I %s NOT NULL,
            id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
            kind text NOT NULL DEFAULT '',
            name text NOT NULL CHECK (name <> ''),
            description text,
            metadata jsonb NOT NULL DEFAULT '{}',
            embedding %s,
            words tsvector GENERATED ALWAYS AS (to_tsvector(%L::regconfig, name || ' ' || coalesce(description, ''))) STORED,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (%2$I, id),
            UNIQUE (%2$I, kind, name)
        )$ddl$, tables[1], tenant, tenant_type, embedding_type, registered.text_config);
    EXECUTE format($ddl$
        CREATE TABLE %s (
            %I %s NOT NULL,
            source_id uuid NOT NULL,
            target_id uuid NOT NULL,
            kind text NOT NULL DEFAULT '',
            weight double precision NOT NULL DEFAULT 1 CHECK (weight > 0 AND weight <= 1),
            metadata jsonb NOT NULL DEFAULT '{}',
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (%2$I, source_id, target_id, kind),
            FOREIGN KEY (%2$I, source_id) REFERENCES %4$s (%2$I, id) ON DELETE CASCADE,
            FOREIGN KEY (%2$I, target_id) REFERENCES %4$s (%2$I, id) ON DELETE CASCADE
        )$ddl$, tables[2], tenant, tenant_type, tables[1]);
    EXECUTE format('CREATE INDEX ON %s (%I, target_id)', tables[2], tenant);
    EXECUTE format($ddl$
        CREATE TABLE %s (
            %I %s NOT NULL,
            entity_id uuid NOT NULL,
            chunk_id uuid NOT NULL,
            PRIMARY KEY (%2$I, entity_id, chunk_id),
            FOREIGN KEY (%2$I, entity_id) REFERENCES %4$s (%2$I, id) ON DELETE CASCADE,
            FOREIGN KEY (%2$I, chunk_id) REFERENCES %5$s (%7$I, %6$I) ON DELETE CASCADE
        )$ddl$, tables[3], tenant, tenant_type, tables[1], registered.chunks, chunk_id, chunk_tenant);
    EXECUTE format('CREATE INDEX ON %s (%I, chunk_id)', tables[3], tenant);
    FOREACH made IN ARRAY tables LOOP
        PERFORM tenancy.protect(made::regclass, tenant, tenant_type);
    END LOOP;

    INSERT INTO tenancy.graphs (corpus, entities, relations, mentions)
    VALUES (create_graph.corpus, tables[1]::regclass, tables[2]::regclass, tables[3]::regclass);
    FOR app IN SELECT a FROM tenancy.app_roles() a LOOP
        PERFORM tenancy.grant_corpus(create_graph.corpus, app);
    END LOOP;
    RETURN create_graph.corpus;
END
$$;

COMMENT ON FUNCTION tenancy.create_graph(text) IS
'makes the protected tables entities, relations and mentions (with the corpus''s name before them, unless that is default) beside a corpus of the caller, and lets the application''s roles read and write them; returns the corpus''s name';

CREATE FUNCTION tenancy.drop_graph(corpus text DEFAULT 'default', drop_tables boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.graphs;
    relation regclass;
BEGIN
    IF drop_tables IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'drop_tables must not be null';
    END IF;
    SELECT g.* INTO registered FROM tenancy.graphs g WHERE g.corpus = drop_graph.corpus;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus %s has no graph', coalesce('"' || left(drop_graph.corpus, 80) || '"', 'NULL')),
            HINT = 'SELECT corpus FROM tenancy.graphs shows those that have one.';
    END IF;
    DELETE FROM tenancy.graphs g WHERE g.corpus = drop_graph.corpus;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of the tables of the graph of corpus "%s"', drop_graph.corpus);
    END IF;
    IF drop_tables THEN
        FOR relation IN SELECT t.oid FROM pg_class t WHERE t.oid IN (registered.mentions, registered.relations, registered.entities)
                        ORDER BY array_position(ARRAY[registered.mentions, registered.relations, registered.entities], t.oid::regclass) LOOP
            EXECUTE format('DROP TABLE %s', relation);
        END LOOP;
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.drop_graph(text, boolean) IS
'takes the graph of a corpus out of the registry, and with drop_tables its tables out of the database; without, they stay, protected and granted as they were';

CREATE FUNCTION tenancy.graph_layout(corpus text) RETURNS TABLE (
    entities text, relations text, mentions text, tenant text, here text, text_config regconfig, vectors text, embedding_type text, dimensions integer
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    graph tenancy.graphs;
    registered tenancy.corpora;
BEGIN
    IF corpus IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'corpus must not be null';
    END IF;
    SELECT g.* INTO graph FROM tenancy.graphs g WHERE g.corpus = graph_layout.corpus;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus "%s" has no graph', left(corpus, 80)),
            HINT = 'Make one with tenancy.create_graph().';
    END IF;
    SELECT c.* INTO registered FROM tenancy.corpora c WHERE c.name = graph_layout.corpus;
    RETURN QUERY
    SELECT graph.entities::text, graph.relations::text, graph.mentions::text, quote_ident(t.attname), format('tenancy.current_tenant_%s()',
               CASE t.atttypid WHEN 'uuid'::regtype THEN 'id' WHEN 'bigint'::regtype THEN 'key_bigint' WHEN 'integer'::regtype THEN 'key_integer' ELSE 'key' END),
           registered.text_config::regconfig, quote_ident(vn.nspname), v.typname::text, registered.dimensions
    FROM pg_attribute t
    JOIN pg_attribute e ON e.attrelid = t.attrelid AND e.attname = 'embedding'
    JOIN pg_type v ON v.oid = e.atttypid
    JOIN pg_namespace vn ON vn.oid = v.typnamespace
    -- As create_graph() named it: like that of the chunks, or tenant_id where another column had that name.
    WHERE t.attrelid = graph.entities
      AND t.attname = coalesce((SELECT d.attname FROM pg_attribute d WHERE d.attrelid = graph.entities AND d.attname = 'tenant_id' AND NOT d.attisdropped),
                               registered.columns ->> 'tenant_id')
      AND (SELECT count(*) FROM pg_class c WHERE c.oid IN (graph.relations, graph.mentions)) = 2;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('the graph of corpus "%s" no longer fits its tables', corpus),
            HINT = 'Take it out with tenancy.drop_graph() and make it again.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.graph_layout(text) IS 'the tables of a graph as the statements over it need them; internal';

CREATE FUNCTION tenancy.refuse_bad_items(items jsonb, part text, required text[]) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bad record;
BEGIN
    IF items IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('%s must not be null', part);
    END IF;
    IF jsonb_typeof(items) <> 'array' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('%s must be a JSON array, not %s', part, jsonb_typeof(items));
    END IF;
    SELECT i.place, i.item, r.key INTO bad
    FROM jsonb_array_elements(items) WITH ORDINALITY AS i (item, place)
    LEFT JOIN unnest(required) AS r (key) ON jsonb_typeof(i.item) = 'object' AND coalesce(nullif(i.item ->> split_part(r.key, '|', 1), ''), nullif(i.item ->> split_part(r.key, '|', 2), '')) IS NULL
    WHERE jsonb_typeof(i.item) <> 'object' OR r.key IS NOT NULL
    ORDER BY i.place LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = CASE WHEN bad.key IS NULL THEN format('%s must be JSON objects, not %s', part, jsonb_typeof(bad.item))
                           ELSE format('each of %s must have a %s', part, replace(bad.key, '|', ' or ')) END,
            DETAIL = format('It is number %s of %s.', bad.place, jsonb_array_length(items));
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_items(jsonb, text, text[]) IS 'raises what is wrong with a list of entities or relations; internal';

CREATE FUNCTION tenancy.upsert_entities(entities jsonb, corpus text DEFAULT 'default')
RETURNS TABLE (entity_id uuid, kind text, name text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    graph record;
BEGIN
    SELECT g.* INTO graph FROM tenancy.graph_layout(corpus) g;
    PERFORM tenancy.refuse_bad_items(entities, 'entities', '{name}');
    RETURN QUERY EXECUTE format($dml$
        WITH given AS (
            SELECT i.item ->> 'name' AS name, coalesce(i.item ->> 'kind', '') AS kind, i.item, i.place
            FROM jsonb_array_elements($1) WITH ORDINALITY AS i (item, place)
        ), written AS (
            -- The last of equals wins, as it would one by one.
            INSERT INTO %1$s AS e (%4$s, kind, name, description, metadata, embedding)
            SELECT DISTINCT ON (g.kind, g.name) %5$s, g.kind, g.name, g.item ->> 'description', coalesce(g.item -> 'metadata', '{}'),
                   (g.item ->> 'embedding')::%6$s.%7$s
            FROM given g
            ORDER BY g.kind, g.name, g.place DESC
            ON CONFLICT (%4$s, kind, name) DO UPDATE
            SET description = coalesce(EXCLUDED.description, e.description), metadata = e.metadata || EXCLUDED.metadata,
                embedding = coalesce(EXCLUDED.embedding, e.embedding)
            RETURNING e.id, e.kind, e.name
        ), mentioned AS (
            INSERT INTO %3$s (%4$s, entity_id, chunk_id)
            SELECT DISTINCT %5$s, w.id, c.id::uuid
            FROM given g
            JOIN written w ON w.kind = g.kind AND w.name = g.name
            CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(g.item -> 'chunk_ids') = 'array' THEN g.item -> 'chunk_ids' ELSE '[]' END) AS c (id)
            ON CONFLICT DO NOTHING
        )
        SELECT w.id, w.kind, w.name FROM written w ORDER BY w.kind, w.name
        $dml$, graph.entities, graph.relations, graph.mentions, graph.tenant, graph.here, graph.vectors, graph.embedding_type)
    USING entities;
END
$$;

COMMENT ON FUNCTION tenancy.upsert_entities(jsonb, text) IS
'adds entities to the current tenant''s graph, or changes those that have the same kind and name: an array of objects with name and optionally kind, description, metadata (merged), embedding and chunk_ids (chunks that mention it, added); returns their ids';

CREATE FUNCTION tenancy.upsert_relations(relations jsonb, corpus text DEFAULT 'default') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    graph record;
    missing record;
    written bigint;
BEGIN
    SELECT g.* INTO graph FROM tenancy.graph_layout(corpus) g;
    PERFORM tenancy.refuse_bad_items(relations, 'relations', '{source|source_id,target|target_id}');
    EXECUTE format($dml$
        SELECT i.place, p.part
        FROM jsonb_array_elements($1) WITH ORDINALITY AS i (item, place)
        CROSS JOIN unnest('{source,target}'::text[]) AS p (part)
        LEFT JOIN %1$s e ON e.%2$s = %3$s AND CASE WHEN i.item ->> (p.part || '_id') IS NOT NULL THEN e.id = (i.item ->> (p.part || '_id'))::uuid
            ELSE e.name = i.item ->> p.part AND e.kind = coalesce(i.item ->> (p.part || '_kind'), '') END
        WHERE e.id IS NULL
        ORDER BY i.place, p.part LIMIT 1
        $dml$, graph.entities, graph.tenant, graph.here)
    INTO missing USING relations;
    IF missing.place IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23503',
            MESSAGE = format('the %s of a relation is not an entity', missing.part),
            DETAIL = format('It is number %s of %s.', missing.place, jsonb_array_length(relations)),
            HINT = 'Add its entity with tenancy.upsert_entities() first; source_kind and target_kind say of which kind it is.';
    END IF;
    EXECUTE format($dml$
        INSERT INTO %1$s AS r (%3$s, source_id, target_id, kind, weight, metadata)
        SELECT DISTINCT ON (s.id, t.id, coalesce(i.item ->> 'kind', '')) %4$s, s.id, t.id, coalesce(i.item ->> 'kind', ''),
               coalesce((i.item ->> 'weight')::double precision, 1), coalesce(i.item -> 'metadata', '{}')
        FROM jsonb_array_elements($1) WITH ORDINALITY AS i (item, place)
        JOIN %2$s s ON s.%3$s = %4$s AND CASE WHEN i.item ->> 'source_id' IS NOT NULL THEN s.id = (i.item ->> 'source_id')::uuid
            ELSE s.name = i.item ->> 'source' AND s.kind = coalesce(i.item ->> 'source_kind', '') END
        JOIN %2$s t ON t.%3$s = %4$s AND CASE WHEN i.item ->> 'target_id' IS NOT NULL THEN t.id = (i.item ->> 'target_id')::uuid
            ELSE t.name = i.item ->> 'target' AND t.kind = coalesce(i.item ->> 'target_kind', '') END
        ORDER BY s.id, t.id, coalesce(i.item ->> 'kind', ''), i.place DESC
        ON CONFLICT (%3$s, source_id, target_id, kind) DO UPDATE
        SET weight = EXCLUDED.weight, metadata = r.metadata || EXCLUDED.metadata
        $dml$, graph.relations, graph.entities, graph.tenant, graph.here)
    USING relations;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;

COMMENT ON FUNCTION tenancy.upsert_relations(jsonb, text) IS
'adds relations to the current tenant''s graph, or changes those between the same entities of the same kind: an array of objects with source or source_id, target or target_id and optionally source_kind, target_kind, kind, weight (above 0, at most 1) and metadata (merged); returns how many were written';

-- Until the path is set again, the type vector is found in pgvector's schema. Types of PostgreSQL come first, and functions and
-- operators are not named here.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', n.nspname), true)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector';

CREATE FUNCTION tenancy.graph_search(
    query_text text DEFAULT NULL, entity uuid DEFAULT NULL, depth integer DEFAULT 2, match_count integer DEFAULT 20,
    corpus text DEFAULT 'default', relation_kinds text[] DEFAULT NULL, query_embedding vector DEFAULT NULL
) RETURNS TABLE (
    entity_id uuid, kind text, name text, description text, score double precision, distance integer, path uuid[],
    path_kinds text[], chunk_ids uuid[], metadata jsonb
)
LANGUAGE plpgsql STABLE ROWS 20 COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- What a walk carries from one level to the next, at most, and how much of an entity's score its neighbours have.
    most_seeds constant integer := 50;
    most_carried constant integer := 1000;
    handed_on constant double precision := 0.5;
    graph record;
    lexemes text[];
    given integer;
    -- Found so far, in the order of finding: parent is a place in these lists, 0 for where the walk began.
    ids uuid[] := '{}';
    scores double precision[] := '{}';
    parents integer[] := '{}';
    kinds text[] := '{}';
    distances integer[] := '{}';
    begin_of_level integer := 1;
    next record;
BEGIN
    IF query_text IS NULL AND entity IS NULL AND query_embedding IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = 'query_text, entity and query_embedding must not all be null',
            HINT = 'Say where to begin: with words, with an entity''s id, or with an embedding.';
    END IF;
    IF depth IS NULL OR depth NOT BETWEEN 0 AND 8 THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN depth IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = coalesce(format('depth must be between 0 and 8, not %s', depth), 'depth must not be null');
    END IF;
    IF match_count IS NULL OR match_count NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN match_count IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = CASE WHEN match_count IS NULL THEN 'match_count must not be null'
                           ELSE format('match_count must be between 1 and 10000, not %s', match_count) END;
    END IF;
    SELECT g.* INTO graph FROM tenancy.graph_layout(corpus) g;
    lexemes := tsvector_to_array(to_tsvector(graph.text_config, coalesce(query_text, '')));
    IF query_embedding IS NOT NULL THEN
        EXECUTE format('SELECT %s.vector_dims($1)', graph.vectors) INTO given USING query_embedding;
        IF given <> graph.dimensions THEN
            RAISE EXCEPTION USING ERRCODE = 'TN010',
                MESSAGE = format('expected %s dimensions, not %s', graph.dimensions, given),
                HINT = 'Embed the query with the model that embedded the entities.';
        END IF;
    END IF;

    -- Where the walk begins: the entity asked for; those whose name is the query, whose words are in it, that chunks which
    -- answer it mention, or whose embedding is near.
    EXECUTE format($seeds$
        SELECT array_agg(b.id ORDER BY b.place), array_agg(b.score ORDER BY b.place)
        FROM (
            SELECT f.id, max(f.score) AS score, row_number() OVER (ORDER BY max(f.score) DESC, f.id) AS place
            FROM (
                SELECT e.id, 1::double precision AS score FROM %1$s e WHERE e.%3$s = %4$s AND e.id = $1
                UNION ALL
                SELECT e.id, 2 FROM %1$s e WHERE e.%3$s = %4$s AND lower(e.name) = lower(btrim($2))
                UNION ALL
                (SELECT w.id, w.score
                 FROM (SELECT e.id, (SELECT count(*) FROM unnest(e.words) l WHERE l.lexeme = ANY ($3))::double precision / cardinality($3) AS score
                       FROM %1$s e WHERE e.%3$s = %4$s AND cardinality($3) > 0) w
                 WHERE w.score > 0 ORDER BY w.score DESC, w.id LIMIT %7$s)
                UNION ALL
                SELECT m.entity_id, 0.5 * max(k.similarity) / max(max(k.similarity)) OVER ()
                FROM tenancy.keyword_search($2, 20, corpus => $4) k
                JOIN %2$s m ON m.%3$s = %4$s AND m.chunk_id = k.chunk_id
                GROUP BY m.entity_id
                UNION ALL
                (SELECT n.id, 1 - n.distance
                 FROM (SELECT e.id, e.embedding OPERATOR(%5$s.<=>) $5::%5$s.%6$s AS distance
                       FROM %1$s e WHERE e.%3$s = %4$s AND e.embedding IS NOT NULL AND $5 IS NOT NULL OFFSET 0) n
                 WHERE n.distance < 1 ORDER BY n.distance, n.id LIMIT 20)
            ) f
            GROUP BY f.id
        ) b
        WHERE b.place <= %7$s
        $seeds$, graph.entities, graph.mentions, graph.tenant, graph.here, graph.vectors, graph.embedding_type, most_seeds)
    INTO ids, scores USING entity, coalesce(query_text, ''), lexemes, corpus, query_embedding;
    ids := coalesce(ids, '{}');
    parents := array_fill(0, ARRAY[cardinality(ids)]);
    kinds := array_fill(NULL::text, ARRAY[cardinality(ids)]);
    distances := parents;

    -- Level by level, so that an entity is found by the fewest steps, and once: cycles end by themselves.
    FOR level IN 1..depth LOOP
        EXIT WHEN begin_of_level > cardinality(ids);
        EXECUTE format($level$
            SELECT array_agg(c.id ORDER BY c.score DESC, c.id) AS ids, array_agg(c.score ORDER BY c.score DESC, c.id) AS scores,
                   array_agg(c.parent ORDER BY c.score DESC, c.id) AS parents, array_agg(c.kind ORDER BY c.score DESC, c.id) AS kinds
            FROM (
                SELECT b.id, b.score, b.parent, b.kind
                FROM (
                    SELECT DISTINCT ON (e.id) e.id, s.score, s.parent, s.kind
                    FROM (
                        SELECT r.target_id AS next, r.kind, f.score * r.weight * %5$s AS score, f.place::integer AS parent
                        FROM unnest($1, $2, $3) AS f (id, score, place) JOIN %2$s r ON r.%3$s = %4$s AND r.source_id = f.id
                        WHERE $5 IS NULL OR r.kind = ANY ($5)
                        UNION ALL
                        SELECT r.source_id, r.kind, f.score * r.weight * %5$s, f.place::integer
                        FROM unnest($1, $2, $3) AS f (id, score, place) JOIN %2$s r ON r.%3$s = %4$s AND r.target_id = f.id
                        WHERE $5 IS NULL OR r.kind = ANY ($5)
                    ) s
                    JOIN %1$s e ON e.%3$s = %4$s AND e.id = s.next
                    WHERE NOT EXISTS (SELECT FROM unnest($4) k (id) WHERE k.id = s.next)
                    ORDER BY e.id, s.score DESC, s.parent, s.kind
                ) b
                ORDER BY b.score DESC, b.id LIMIT %6$s
            ) c
            $level$, graph.entities, graph.relations, graph.tenant, graph.here, handed_on, most_carried)
        INTO next
        USING ids[begin_of_level:], scores[begin_of_level:], ARRAY(SELECT generate_series(begin_of_level, cardinality(ids))), ids, relation_kinds;
        begin_of_level := cardinality(ids) + 1;
        IF next.ids IS NOT NULL THEN
            ids := ids || next.ids;
            scores := scores || next.scores;
            parents := parents || next.parents;
            kinds := kinds || next.kinds;
            distances := distances || array_fill(level, ARRAY[cardinality(next.ids)]);
        END IF;
    END LOOP;

    RETURN QUERY EXECUTE format($rows$
        WITH RECURSIVE found AS (
            SELECT f.* FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY AS f (id, score, parent, kind, distance, place)
        ), best AS (
            SELECT f.* FROM found f ORDER BY f.score DESC, f.distance, f.id LIMIT $6
        ), way AS (
            SELECT b.place, b.parent, ARRAY[b.id] AS path, ARRAY[b.kind] AS kinds FROM best b
            UNION ALL
            SELECT w.place, f.parent, f.id || w.path, f.kind || w.kinds FROM way w JOIN found f ON f.place = w.parent
        )
        SELECT e.id, e.kind, e.name, e.description, b.score, b.distance, w.path, w.kinds[2:],
               ARRAY(SELECT m.chunk_id FROM %2$s m WHERE m.%3$s = %4$s AND m.entity_id = e.id ORDER BY m.chunk_id LIMIT 100), e.metadata
        FROM best b
        JOIN way w ON w.place = b.place AND w.parent = 0
        JOIN %1$s e ON e.%3$s = %4$s AND e.id = b.id
        ORDER BY b.score DESC, b.distance, b.id
        $rows$, graph.entities, graph.mentions, graph.tenant, graph.here)
    USING ids, scores, parents, kinds, distances, match_count;
END
$$;

COMMENT ON FUNCTION tenancy.graph_search(text, uuid, integer, integer, text, text[], vector) IS
'the current tenant''s entities around those that a query, an embedding or an id finds, along relations in both directions and of the given kinds, at most depth steps away; best score first, which each step halves and multiplies by the relation''s weight; with the way there and up to 100 chunks that mention each';

SET LOCAL search_path = pg_catalog, pg_temp;
