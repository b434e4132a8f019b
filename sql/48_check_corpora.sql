-- check() about what corpora and graphs have become since they were registered, and tables of a migration that is under way.

CREATE FUNCTION tenancy.corpus_parts() RETURNS TABLE (kind text, part text, types text[], required boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    VALUES ('chunks', 'tenant_id', '{uuid,text,varchar,int8,int4}'::text[], true), ('chunks', 'id', '{uuid}', true), ('chunks', 'document_id', '{uuid}', true),
           ('chunks', 'chunk_index', '{int4,int2}', false), ('chunks', 'content', '{text,varchar}', true), ('chunks', 'embedding', '{vector,halfvec}', true),
           ('chunks', 'metadata', '{jsonb}', false), ('chunks', 'tsv', '{tsvector}', false),
           ('documents', 'documents_tenant_id', '{uuid,text,varchar,int8,int4}', true), ('documents', 'documents_id', '{uuid}', true),
           ('documents', 'title', '{text,varchar}', false), ('documents', 'source', '{text,varchar}', false),
           -- Columns of a graph have their names from us.
           ('entities', 'id', '{uuid}', true), ('entities', 'kind', '{text,varchar}', true), ('entities', 'name', '{text,varchar}', true),
           ('entities', 'description', '{text,varchar}', true), ('entities', 'metadata', '{jsonb}', true), ('entities', 'embedding', '{vector,halfvec}', true),
           ('entities', 'words', '{tsvector}', true), ('relations', 'source_id', '{uuid}', true), ('relations', 'target_id', '{uuid}', true),
           ('relations', 'kind', '{text,varchar}', true), ('relations', 'weight', '{float8,float4}', true), ('relations', 'metadata', '{jsonb}', true),
           ('mentions', 'entity_id', '{uuid}', true), ('mentions', 'chunk_id', '{uuid}', true);
END;

COMMENT ON FUNCTION tenancy.corpus_parts() IS 'the columns that the tables of a corpus or its graph have, and of which types; internal';

CREATE FUNCTION tenancy.attach_statement(corpus text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('SELECT tenancy.drop_corpus(%L); SELECT tenancy.attach_corpus(%1$L, %L, %L, columns => %L, metric => %L, text_config => %L)', c.name, c.documents, c.chunks,
                  (SELECT coalesce(jsonb_object_agg(k.key, k.value), '{}') FROM jsonb_each(c.columns) k WHERE k.value <> 'null' AND k.key NOT IN ('tenant_id', 'documents_tenant_id')),
                  c.metric, c.text_config)
    FROM tenancy.corpora c WHERE c.name = attach_statement.corpus
$$;

COMMENT ON FUNCTION tenancy.attach_statement(text) IS 'the statements that register a corpus again as its tables are now; internal';

CREATE FUNCTION tenancy.check_corpora() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH members AS MATERIALIZED (
        SELECT c.name AS corpus, false AS is_graph, m.kind, m.relation, c.columns, c.dimensions
        FROM tenancy.corpora c CROSS JOIN LATERAL (VALUES ('documents', c.documents), ('chunks', c.chunks)) AS m (kind, relation)
        UNION ALL
        SELECT g.corpus, true, m.kind, m.relation, '{}', c.dimensions
        FROM tenancy.graphs g
        LEFT JOIN tenancy.corpora c ON c.name = g.corpus
        CROSS JOIN LATERAL (VALUES ('entities', g.entities), ('relations', g.relations), ('mentions', g.mentions)) AS m (kind, relation)
    ), parts AS MATERIALIZED (
        -- The column that plays a part, as it is now.
        SELECT m.*, p.part, p.types, p.required, w.wanted, t.typname, a.atttypmod, a.attnum IS NOT NULL AS is_there
        FROM members m
        JOIN pg_class c ON c.oid = m.relation
        JOIN tenancy.corpus_parts() p ON p.kind = m.kind
        CROSS JOIN LATERAL (SELECT CASE WHEN m.is_graph THEN p.part ELSE m.columns ->> p.part END AS wanted) w
        LEFT JOIN pg_attribute a ON a.attrelid = m.relation AND a.attname = w.wanted AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_type t ON t.oid = a.atttypid
        WHERE p.required OR w.wanted IS NOT NULL
    )
    SELECT 'corpus_table_gone', 'warning', format('%s "%s"', CASE WHEN m.is_graph THEN 'graph' ELSE 'corpus' END, m.corpus),
           format('its table of %s, OID %s, no longer exists', string_agg(m.kind, ' and of ' ORDER BY m.kind), string_agg(m.relation::oid::text, ' and ' ORDER BY m.kind)),
           format('SELECT tenancy.%s(%L)', CASE WHEN m.is_graph THEN 'drop_graph' ELSE 'drop_corpus' END, m.corpus)
    FROM members m
    WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = m.relation)
    GROUP BY m.corpus, m.is_graph
    UNION ALL
    SELECT 'corpus_column_missing', 'warning', format('%s "%s"', CASE WHEN p.is_graph THEN 'graph' ELSE 'corpus' END, p.corpus),
           CASE WHEN p.wanted IS NULL THEN format('no column of table %s is registered to serve as %s', p.relation, p.part)
                ELSE format('table %s has no column %I any more, which served as %s', p.relation, p.wanted, p.part) END,
           -- One column that could be it, and plays no other part, was renamed.
           CASE WHEN p.wanted IS NOT NULL AND r.candidates = 1 THEN format('ALTER TABLE %s RENAME COLUMN %I TO %I', p.relation, r.candidate, p.wanted)
                WHEN p.is_graph THEN format('Rename the column back, or make the graph anew: SELECT tenancy.drop_graph(%L); SELECT tenancy.create_graph(%1$L).', p.corpus)
                ELSE format('Rename the column back, or say in columns which one it is now: %s.', tenancy.attach_statement(p.corpus)) END
    FROM parts p
    CROSS JOIN LATERAL (
        SELECT count(*) AS candidates, min(a.attname) AS candidate
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = p.relation AND a.attnum > 0 AND NOT a.attisdropped AND t.typname = ANY (p.types)
          AND NOT EXISTS (SELECT FROM parts o WHERE o.corpus = p.corpus AND o.kind = p.kind AND o.wanted = a.attname)) r
    WHERE NOT p.is_there
    UNION ALL
    SELECT 'corpus_column_changed', 'warning', format('%s "%s"', CASE WHEN p.is_graph THEN 'graph' ELSE 'corpus' END, p.corpus),
           format('column %I of table %s, which serves as %s, is of type %s and not %s', p.wanted, p.relation, p.part, p.typname, array_to_string(p.types, ' or ')),
           format('Change the type back: ALTER TABLE %s ALTER COLUMN %I TYPE %s USING ...', p.relation, p.wanted, p.types[1])
    FROM parts p
    WHERE p.is_there AND p.typname <> ALL (p.types)
    UNION ALL
    SELECT 'corpus_column_changed', 'warning', format('%s "%s"', CASE WHEN p.is_graph THEN 'graph' ELSE 'corpus' END, p.corpus),
           format('column %I of table %s has %s, and the corpus has %s', p.wanted, p.relation,
                  CASE WHEN p.atttypmod < 1 THEN 'no number of dimensions' ELSE p.atttypmod || ' dimensions' END, p.dimensions),
           CASE WHEN p.is_graph OR p.atttypmod < 1 THEN format('ALTER TABLE %s ALTER COLUMN %I TYPE %s(%s)', p.relation, p.wanted, p.typname, p.dimensions)
                ELSE tenancy.attach_statement(p.corpus) END
    FROM parts p
    WHERE p.is_there AND p.part = 'embedding' AND p.typname = ANY (p.types) AND p.atttypmod <> p.dimensions
    UNION ALL
    SELECT 'corpus_text_config', 'warning', format('corpus "%s"', c.name),
           format('its text search configuration %s no longer exists', c.text_config),
           format('Make it again: CREATE TEXT SEARCH CONFIGURATION %s (COPY = ...).', c.text_config)
    FROM tenancy.corpora c
    WHERE NOT EXISTS (SELECT FROM pg_ts_config t JOIN pg_namespace n ON n.oid = t.cfgnamespace
                      WHERE c.text_config = format('%I.%I', n.nspname, t.cfgname)
                         OR n.nspname = 'pg_catalog' AND c.text_config = quote_ident(t.cfgname))
    UNION ALL
    SELECT 'corpus_unprotected', 'error', format('%s "%s"', CASE WHEN m.is_graph THEN 'graph' ELSE 'corpus' END, m.corpus),
           format('its table %s is not protected, and everybody who may read it sees the rows of all tenants', m.relation),
           format('SELECT tenancy.protect(%L%s)', m.relation,
                  coalesce(', ' || quote_literal(nullif(coalesce(m.columns ->> CASE m.kind WHEN 'documents' THEN 'documents_tenant_id' ELSE 'tenant_id' END, 'tenant_id'), 'tenant_id')), ''))
    FROM members m
    JOIN pg_class c ON c.oid = m.relation
    WHERE NOT EXISTS (SELECT FROM tenancy.isolated_tables() i (relation) WHERE i.relation = m.relation)
      AND m.relation NOT IN (SELECT t.relation FROM tenancy.tables_in_change() t)
      -- An owner sees the protections of its own tables.
      AND tenancy.may_alter(m.relation)
    UNION ALL
    SELECT 'corpus_key_missing', 'warning', format('corpus "%s"', p.corpus),
           format('column %I of table %s is not unique any more, and a search may answer a chunk twice', p.wanted, p.relation),
           format('ALTER TABLE %s ADD UNIQUE (%I, %I)', p.relation, p.columns ->> 'tenant_id', p.wanted)
    FROM parts p
    WHERE p.kind = 'chunks' AND p.part = 'id' AND p.is_there
      AND EXISTS (SELECT FROM parts o WHERE o.corpus = p.corpus AND o.kind = 'chunks' AND o.part = 'tenant_id' AND o.is_there)
      AND NOT EXISTS (
        SELECT
        FROM pg_index i
        WHERE i.indrelid = p.relation AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND (SELECT array_agg(a.attname::text) <@ ARRAY[p.columns ->> 'tenant_id', p.wanted] AND bool_or(a.attname = p.wanted)
               FROM pg_attribute a
               WHERE a.attrelid = p.relation AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])))
$$;

COMMENT ON FUNCTION tenancy.check_corpora() IS 'the part of check() about corpora and graphs that no longer fit their tables; internal';

-- What an owner may know of it.
CREATE FUNCTION tenancy_internal.migration_faults() RETURNS TABLE (migration integer, relation regclass, missing name)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT m.id, t.relation, NULL::name
    FROM tenancy.migrations m
    JOIN tenancy.migration_tables t ON t.migration = m.id
    WHERE m.state NOT IN ('enforced', 'undone') AND t.action <> 'leave' AND NOT t.undone
      AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.relation)
    UNION ALL
    SELECT m.id, t.relation, k.name
    FROM tenancy.migrations m
    JOIN tenancy.migration_tables t ON t.migration = m.id
    JOIN pg_class c ON c.oid = t.relation
    CROSS JOIN unnest(t.columns) AS k (name)
    WHERE m.state NOT IN ('enforced', 'undone') AND t.action <> 'leave' AND NOT t.undone
      AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.relation AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped);
END;

SELECT tenancy_internal.expose('migration_faults()');

COMMENT ON FUNCTION tenancy.migration_faults() IS
'tables, and columns that say whose their rows are, which a migration that is under way no longer finds; internal';

CREATE FUNCTION tenancy.check_migrations() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'migration_outdated', 'warning', format('migration %s', f.migration),
           CASE WHEN f.missing IS NULL THEN format('its table with OID %s no longer exists', f.relation::oid)
                ELSE format('table %s has no column %I any more, by which it gives rows their tenant', f.relation, f.missing) END,
           CASE WHEN f.missing IS NULL THEN format('DELETE FROM tenancy.migration_tables WHERE migration = %s AND relation = %s', f.migration, f.relation::oid)
                ELSE 'Rename the column back, or take the migration back with tenancyctl migrate undo and plan it anew.' END
    FROM tenancy.migration_faults() f
$$;

COMMENT ON FUNCTION tenancy.check_migrations() IS 'the part of check() about migrations whose tables have changed; internal';
