-- match_chunks answers what reading every visible row and sorting would: all metrics, both types, any index beside it.
BEGIN;
SELECT plan(41);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT setseed(0.25);

CREATE FUNCTION pg_temp.random_vector(dimensions integer) RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT '[' || string_agg(round((random() * 2 - 1)::numeric, 2)::text, ',') || ']' FROM generate_series(1, dimensions)
$$;

-- Corpora of all kinds, 300 chunks of A and 300 of B in each; values of two digits make ties.
CREATE TEMP TABLE kinds (corpus text, dimensions integer, metric text, type text, operator text, query text);
INSERT INTO kinds (corpus, dimensions, metric, type, operator) VALUES
    ('default', 3, 'cosine', 'vector', '<=>'), ('wide', 70, 'cosine', 'vector', '<=>'), ('one', 1, 'l2', 'vector', '<->'),
    ('ip', 17, 'inner_product', 'vector', '<#>'), ('half', 8, 'l2', 'halfvec', '<->'), ('halfcos', 5, 'cosine', 'halfvec', '<=>'),
    ('halfip', 33, 'inner_product', 'halfvec', '<#>');
UPDATE kinds SET query = pg_temp.random_vector(dimensions);
GRANT SELECT ON kinds TO PUBLIC;

SELECT tenancy.create_corpus(corpus, dimensions, metric, embedding_type => type) FROM kinds;

CREATE FUNCTION pg_temp.fill(tenant uuid, chunks integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    kind kinds;
    prefix text;
    document uuid;
BEGIN
    FOR kind IN SELECT * FROM kinds LOOP
        prefix := CASE kind.corpus WHEN 'default' THEN '' ELSE kind.corpus || '_' END;
        EXECUTE format('INSERT INTO public.%I (tenant_id, title, source) VALUES ($1, ''title'', ''source'') RETURNING id', prefix || 'documents')
        INTO document USING tenant;
        EXECUTE format('INSERT INTO public.%I (tenant_id, document_id, chunk_index, content, embedding, metadata)
                        SELECT $1, $2, i, ''text '' || i, pg_temp.random_vector($4)::%s, jsonb_build_object(''even'', i %% 2 = 0)
                        FROM generate_series(1, $3) i', prefix || 'chunks', kind.type)
        USING tenant, document, chunks, kind.dimensions;
    END LOOP;
END
$$;
SELECT pg_temp.fill(test_helpers.a(), 300);
SELECT pg_temp.fill(test_helpers.b(), 300);

-- What sorting all of A's rows gives, by pgvector's own operators; as the superuser, so without any policy.
CREATE FUNCTION pg_temp.brute_force(kind kinds, wanted integer) RETURNS TABLE (chunk_id uuid, similarity double precision)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT id, CASE %L WHEN ''cosine'' THEN 1 - d WHEN ''inner_product'' THEN -d ELSE 1 / (1 + d) END
         FROM (SELECT id, embedding %s %L::%s AS d FROM public.%I WHERE tenant_id = test_helpers.a()) x ORDER BY d, id LIMIT %s',
        kind.metric, kind.operator, kind.query, kind.type,
        CASE kind.corpus WHEN 'default' THEN '' ELSE kind.corpus || '_' END || 'chunks', wanted);
END
$$;
CREATE TEMP TABLE expected AS
    SELECT k.corpus, w.wanted, b.chunk_id, b.similarity, b.place
    FROM kinds k, (VALUES (1), (10), (300)) w (wanted), LATERAL pg_temp.brute_force(k, w.wanted) WITH ORDINALITY b (chunk_id, similarity, place);
GRANT SELECT ON expected TO PUBLIC;

SELECT test_helpers.act_as('app', test_helpers.a());

SELECT results_eq(
    format('SELECT chunk_id, similarity FROM tenancy.match_chunks(%L, %s, corpus => %L)', k.query, w.wanted, k.corpus),
    format('SELECT chunk_id, similarity FROM expected WHERE corpus = %L AND wanted = %s ORDER BY place', k.corpus, w.wanted),
    format('%s of %s(%s) by %s are those of a sort of all rows', w.wanted, k.type, k.dimensions, k.metric))
FROM kinds k, (VALUES (1), (10), (300)) w (wanted)
ORDER BY k.corpus, w.wanted;

SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 2147483647)), 300::bigint, 'a huge match_count answers all there is');
SELECT results_eq(
    $$SELECT document_title, document_source, content ~ '^text', metadata ? 'even', chunk_index BETWEEN 1 AND 300, document_id IS NOT NULL
      FROM tenancy.match_chunks('[1,2,3]', 1)$$,
    $$VALUES ('title', 'source', true, true, true, true)$$, 'a row carries its document');

-- An approximate index on the table is nobody's excuse.
SELECT test_helpers.act_as_superuser();
CREATE INDEX ON chunks USING hnsw (embedding vector_cosine_ops);
CREATE INDEX ON chunks USING ivfflat (embedding vector_cosine_ops) WITH (lists = 20);
ANALYZE chunks;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq(
    format('SELECT chunk_id, similarity FROM tenancy.match_chunks(%L, 300)', query),
    'SELECT chunk_id, similarity FROM expected WHERE corpus = ''default'' AND wanted = 300 ORDER BY place',
    'beside HNSW and IVFFlat indexes every row is found')
FROM kinds WHERE corpus = 'default';
RESET enable_seqscan;
RESET enable_sort;

-- Filters and threshold.
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 300, filter => '{"even": true}')), 150::bigint, 'a filter keeps chunks whose metadata contains it');
SELECT results_eq(
    format('SELECT chunk_id FROM tenancy.match_chunks(%L, 10, filter => ''{"even": true}'')', query),
    $$SELECT e.chunk_id FROM expected e JOIN chunks c ON c.id = e.chunk_id AND c.metadata @> '{"even": true}'
      WHERE corpus = 'default' AND wanted = 300 ORDER BY place LIMIT 10$$, 'and the best of those, all ten of them')
FROM kinds WHERE corpus = 'default';
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 300, filter => '{"even": "none"}')), 0::bigint, 'a filter that nothing passes leaves nothing');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 300, document_ids => (SELECT array_agg(id) FROM documents))), 300::bigint,
          'document_ids keeps the chunks of these documents');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 300, document_ids => '{}')), 0::bigint, 'no document, no chunk');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 300, document_ids => ARRAY[NULL, tenancy.uuid_v7()])), 0::bigint,
          'unknown documents and nulls have none');
SELECT results_eq(
    format('SELECT chunk_id FROM tenancy.match_chunks(%L, 300, 0.5)', query),
    'SELECT chunk_id FROM expected WHERE corpus = ''default'' AND wanted = 300 AND similarity >= 0.5 ORDER BY place',
    'match_threshold is a least similarity')
FROM kinds WHERE corpus = 'default';
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 300, 'Infinity')), 0::bigint, 'nothing is infinitely similar');

-- A chunk without embedding is not ranked, and one with a zero vector is similar to nothing.
SELECT test_helpers.act_as_superuser();
INSERT INTO chunks (tenant_id, id, document_id, chunk_index, content, embedding)
SELECT test_helpers.a(), i::uuid, (SELECT id FROM documents WHERE tenant_id = test_helpers.a()), n, 'text', e::vector
FROM (VALUES ('00000000-0000-0000-0000-0000000000f1', 1001, NULL), ('00000000-0000-0000-0000-0000000000f2', 1002, '[0,0,0]')) v (i, n, e);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 1000)), 301::bigint, 'a chunk without embedding is left out');
SELECT is((SELECT similarity FROM tenancy.match_chunks('[1,2,3]', 1000) WHERE chunk_id = '00000000-0000-0000-0000-0000000000f2'), 0::double precision,
          'a zero vector has cosine similarity 0');
SELECT results_eq(
    $$SELECT chunk_id, similarity FROM tenancy.match_chunks('[0,0,0]', 5)$$,
    $$SELECT id, 0::double precision FROM chunks WHERE embedding IS NOT NULL ORDER BY id LIMIT 5$$,
    'to a zero query all are similar by 0, in the order of their ids');

-- Through a plain application query as through a prepared one.
PREPARE nearest (vector) AS SELECT count(*) FROM tenancy.match_chunks($1, 7);
SELECT results_eq($$EXECUTE nearest('[1,0,0]')$$, 'VALUES (7::bigint)', 'prepared');

-- No context, no rows.
SELECT test_helpers.act_as('app');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]')$$, 'TN001', 'no tenant is set', 'without a tenant nothing is read');
SET LOCAL tenancy.missing_tenant = 'empty';
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]')), 0::bigint, 'or with missing_tenant = empty, no rows');
SET LOCAL tenancy.missing_tenant = 'error';

-- A superuser, whom no policy holds, sees one tenant's chunks all the same.
SELECT test_helpers.act_as_superuser();
SELECT tenancy.set_tenant(test_helpers.b());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 1000)), 300::bigint, 'a superuser in B reads B');
SELECT tenancy.leave();
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]')$$, 'TN001', 'no tenant is set', 'and none without a tenant');

-- A role without rights on the tables has none through the function.
SELECT test_helpers.act_as_superuser();
SELECT format('REVOKE SELECT ON chunks FROM %I', test_helpers.role_name('app')) \gexec
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]')$$, '42501', 'permission denied for table chunks', 'the caller needs SELECT');

SELECT * FROM finish();
ROLLBACK;
