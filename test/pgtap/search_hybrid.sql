-- hybrid_search returns both lanes' exact scores for every row, ordered by the fusion that was asked for.
BEGIN;
SELECT plan(22);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT setseed(0.5);
SELECT tenancy.create_corpus(dimensions => 4);
SELECT test_helpers.act_as('app', test_helpers.a());
INSERT INTO documents (id, title, source) VALUES ('00000000-0000-0000-0000-00000000000d', 'doc', 'src');
INSERT INTO chunks (document_id, chunk_index, content, embedding, metadata)
SELECT '00000000-0000-0000-0000-00000000000d', i,
       concat_ws(' ', 'chunk', CASE WHEN i % 7 = 0 THEN repeat('apple ', i % 3 + 1) END, CASE WHEN i % 11 = 0 THEN 'pear' END,
                 CASE WHEN i % 13 = 0 THEN 'worm' END, repeat('filler ', i % 5)),
       CASE WHEN i % 50 <> 0 THEN ARRAY[random() - 0.5, random() - 0.5, random() - 0.5, random() - 0.5]::vector END,
       jsonb_build_object('third', i % 3 = 0)
FROM generate_series(1, 1000) i;

CREATE FUNCTION pg_temp.both(fusion text, text_weight double precision DEFAULT 0.3, wanted integer DEFAULT 25, rrf_k integer DEFAULT 60)
RETURNS TABLE (chunk_id uuid, combined double precision, vector double precision, text double precision)
LANGUAGE sql AS $$
    SELECT chunk_id, combined_score, vector_similarity, text_similarity
    FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', 'apple pear', wanted, text_weight, fusion, rrf_k)
$$;
CREATE TEMP TABLE by_vector AS SELECT chunk_id, similarity, place FROM tenancy.match_chunks('[0.1,0.2,0.3,0.4]', 2000) WITH ORDINALITY
    AS m (chunk_id, document_id, chunk_index, content, similarity, metadata, title, source, place);
CREATE TEMP TABLE by_text AS SELECT chunk_id, similarity, place FROM tenancy.keyword_search('apple pear', 2000) WITH ORDINALITY
    AS m (chunk_id, document_id, chunk_index, content, similarity, metadata, title, source, place);
CREATE FUNCTION pg_temp.wrong_scores(fusion text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_temp.both(fusion, wanted => 1000) b
    LEFT JOIN by_vector v USING (chunk_id) LEFT JOIN by_text t USING (chunk_id)
    WHERE b.vector IS DISTINCT FROM v.similarity OR b.text IS DISTINCT FROM coalesce(t.similarity, 0)
$$;

SELECT is(pg_temp.wrong_scores(f), 0::bigint, f || ': both scores are those of the lanes, bit by bit') FROM unnest('{auto,rrf,convex}'::text[]) f;
SELECT is((SELECT count(*) FROM pg_temp.both(f)), 25::bigint, f || ': as many rows as asked') FROM unnest('{auto,rrf,convex}'::text[]) f;
SELECT results_eq(format('SELECT chunk_id FROM pg_temp.both(%L)', f),
                  format('SELECT chunk_id FROM pg_temp.both(%L) ORDER BY combined DESC, chunk_id', f), f || ': best combined score first, ties by id')
FROM unnest('{auto,rrf,convex}'::text[]) f;

-- All chunks that have an embedding or a word: 980, and those of the other 20 with one.
SELECT is((SELECT count(*) FROM pg_temp.both('auto', wanted => 5000)),
          (SELECT count(*) FROM chunks WHERE embedding IS NOT NULL OR content_tsv @@ to_tsquery('apple | pear')), 'every chunk that either lane ranks');
SELECT is((SELECT count(*) FROM pg_temp.both('auto', wanted => 5000) WHERE vector IS NULL),
          (SELECT count(*) FROM chunks WHERE embedding IS NULL AND content_tsv @@ to_tsquery('apple | pear')), 'a chunk without embedding has no vector_similarity');

SELECT results_eq('SELECT chunk_id FROM pg_temp.both(''convex'', 0)', 'SELECT chunk_id FROM by_vector ORDER BY place LIMIT 25', 'text_weight 0 is the embedding alone');
SELECT results_eq('SELECT chunk_id FROM pg_temp.both(''convex'', 1)', 'SELECT chunk_id FROM by_text ORDER BY place LIMIT 25', 'text_weight 1 is the words alone');
SELECT results_eq(
    'SELECT chunk_id, round(combined::numeric, 12) FROM pg_temp.both(''rrf'', wanted => 20, rrf_k => 7)',
    $$SELECT chunk_id, round((coalesce(1.0 / (7 + v.place), 0) + coalesce(1.0 / (7 + t.place), 0))::numeric, 12) AS s
      FROM (SELECT * FROM by_vector WHERE place <= 200) v FULL JOIN (SELECT * FROM by_text WHERE place <= 200) t USING (chunk_id)
      ORDER BY s DESC, chunk_id LIMIT 20$$,
    'rrf is the sum of reciprocal ranks, where a lane has the chunk among its best 200');

SELECT results_eq($$SELECT chunk_id, vector_similarity FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', 'the', 30)$$,
    'SELECT chunk_id, similarity FROM by_vector ORDER BY place LIMIT 30', 'without words the embedding decides');
SELECT results_eq($$SELECT chunk_id, text_similarity FROM tenancy.hybrid_search('[0,0,0,0]', 'apple pear', 30)$$,
    'SELECT chunk_id, similarity FROM by_text ORDER BY place LIMIT 30', 'and without a direction the words do');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', 'apple -worm', 1000) WHERE content ~ 'worm'), 0::bigint, 'minus holds for chunks that the embedding found');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', '-chunk', 10)), 0::bigint, 'also when it forbids all');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', '-filler', 100)), 100::bigint, 'and the rest is found behind what it forbids');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', 'apple', 1000, filter => '{"third": true}') WHERE metadata <> '{"third": true}'), 0::bigint, 'filters hold in both lanes');
SELECT is_empty($$SELECT * FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', 'apple', document_ids => '{}')$$, 'and document_ids');
SELECT results_eq($$SELECT document_title, document_source, chunk_index > 0, content ~ 'chunk' FROM tenancy.hybrid_search('[0.1,0.2,0.3,0.4]', 'apple', 1)$$,
    $$VALUES ('doc', 'src', true, true)$$, 'a row carries its document');

SELECT * FROM finish();
ROLLBACK;
