-- Attack 28: embeddings and counts that no query should have. Each is refused with what was given and what was expected, or has a defined answer.
BEGIN;
SELECT plan(28);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT tenancy.create_corpus(dimensions => 3);
SELECT tenancy.create_corpus('products', 3, 'inner_product');
SELECT tenancy.create_corpus('distances', 3, 'l2');
SELECT act_as('app', a());
INSERT INTO documents (id) VALUES ('aaaaaaaa-0000-4000-8000-00000000000d');
INSERT INTO chunks (document_id, chunk_index, content, embedding) SELECT 'aaaaaaaa-0000-4000-8000-00000000000d', i, 'apple', ARRAY[i, 1, 0]::vector FROM generate_series(1, 20) i;
INSERT INTO products_documents SELECT * FROM documents;
INSERT INTO products_chunks (document_id, chunk_index, content, embedding) VALUES ('aaaaaaaa-0000-4000-8000-00000000000d', 1, 'large', '[3e38,3e38,0]');
INSERT INTO distances_documents SELECT * FROM documents;
INSERT INTO distances_chunks (document_id, chunk_index, content, embedding) VALUES ('aaaaaaaa-0000-4000-8000-00000000000d', 1, 'large', '[3e38,3e38,0]');

-- pgvector itself takes in no NaN and no infinity, in text or in casts.
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,NaN,3]')$$, '22000', 'NaN not allowed in vector', 'NaN');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks(ARRAY[1, 'NaN', 3]::real[]::vector)$$, '22000', 'NaN not allowed in vector', 'NaN in an array');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,Infinity,3]')$$, '22000', 'infinite value not allowed in vector', 'infinity');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,1e39,3]')$$, '22003', '"1e39" is out of range for type vector', 'more than a float holds');
SELECT throws_ok(format('SELECT * FROM tenancy.match_chunks(array_fill(1::real, ARRAY[%s])::vector)', n), 'TN010',
                 format('expected 3 dimensions, not %s', n), format('%s dimensions', n)) FROM unnest('{1,2,4,16000}'::integer[]) n;
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1]', 'apple')$$, 'TN010', 'expected 3 dimensions, not 1', 'in hybrid_search too');
SELECT throws_ok(format('SELECT * FROM tenancy.%s, %s)', call, n), '22023', format('match_count must be at least 1, not %s', n), format('%s, %s)', call, n))
FROM unnest('{"match_chunks(''[1,2,3]''","keyword_search(''apple''","hybrid_search(''[1,2,3]'', ''apple''"}'::text[]) call, unnest('{0,-1}'::integer[]) n;

-- The largest count costs what there is, not what was asked for.
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', 2147483647)), 20::bigint, 'match_chunks for 2147483647');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('apple', 2147483647)), 20::bigint, 'keyword_search for 2147483647');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[1,2,3]', 'apple', 2147483647)), 20::bigint, 'hybrid_search for 2147483647');

-- A zero vector points nowhere: similarity 0 to all, in the order of ids.
SELECT results_eq($$SELECT chunk_id, similarity FROM tenancy.match_chunks('[0,0,0]', 20)$$, $$SELECT id, 0::double precision FROM chunks ORDER BY id$$, 'zero vector');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[0,0,0]', 'apple')), 10::bigint, 'zero vector in hybrid_search');
-- Sums beyond what a float holds are defined too.
SELECT results_eq($$SELECT similarity FROM tenancy.match_chunks('[3e38,3e38,0]', corpus => 'products')$$, $$VALUES ('Infinity'::double precision)$$, 'an infinite product');
SELECT results_eq($$SELECT similarity FROM tenancy.match_chunks('[-3e38,0,0]', corpus => 'distances')$$, $$VALUES (0::double precision)$$, 'an infinite distance is similarity 0');

SELECT is_empty(format('SELECT * FROM tenancy.keyword_search(%L)', t), format('no rows for %L', t)) FROM unnest('{"","  ","the"}'::text[]) t;

SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[1,2,3]', t)), 10::bigint, format('the nearest ones for %L', t)) FROM unnest('{"","  ","the"}'::text[]) t;

SELECT finish();
ROLLBACK;
