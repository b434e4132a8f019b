-- What match_chunks answers beside the scores: the row as the caller sees it now, whole, with its document where that is visible.
BEGIN;
SELECT plan(20);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 2, metric => 'l2');
CREATE FUNCTION pg_temp.document(n integer) RETURNS uuid LANGUAGE sql AS $$SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid$$;
-- Contents that lie in the row, that are compressed, and that lie outside of it.
CREATE FUNCTION pg_temp.content(n integer) RETURNS text LANGUAGE sql AS $$
    SELECT CASE n % 3 WHEN 0 THEN 'short ' || n WHEN 1 THEN repeat('long ' || n, 1000)
           ELSE (SELECT string_agg(md5(n || '.' || i), '') FROM generate_series(1, 150) i) END
$$;
INSERT INTO documents (tenant_id, id, title, source)
SELECT test_helpers.a(), pg_temp.document(d), 'title ' || d, CASE d WHEN 2 THEN NULL ELSE repeat('source ' || d, 1000) END FROM generate_series(1, 3) d;
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding, metadata)
SELECT test_helpers.a(), pg_temp.document(n % 3 + 1), n, pg_temp.content(n), ARRAY[n, 1]::vector, jsonb_build_object('n', n, 'even', n % 2 = 0, 'text', pg_temp.content(n))
FROM generate_series(1, 2500) n;

SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT coalesce(why_rows, tier) FROM tenancy.explain_match('[2500,0]')), 'codes', 'by the store');
CREATE FUNCTION pg_temp.wrong(answer_count integer, given jsonb DEFAULT NULL, lowest double precision DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (
        SELECT m.*, d.title, d.source, c.id, c.document_id AS own_document, c.content AS own_content, c.metadata AS own_metadata, c.chunk_index AS n
        FROM tenancy.match_chunks('[2500,0]', answer_count, lowest, given) m
        LEFT JOIN chunks c ON c.id = m.chunk_id LEFT JOIN documents d ON d.id = c.document_id) x
    WHERE (x.document_id, x.chunk_index, x.content, x.metadata, x.content) IS DISTINCT FROM (x.own_document, x.n, x.own_content, x.own_metadata, pg_temp.content(x.n))
       OR (x.document_title, x.document_source) IS DISTINCT FROM (x.title, x.source)
$$;
SELECT is(pg_temp.wrong(10), 0::bigint, 'rows of all lengths are whole, each with its own document');
SELECT is(pg_temp.wrong(1000, '{"even": true}'), 0::bigint, 'many of them, with a filter');
SELECT is(pg_temp.wrong(2000), 0::bigint, 'more than are kept');
SELECT is((SELECT array_agg(chunk_index ORDER BY place) FROM tenancy.match_chunks('[2500,0]', 1000) WITH ORDINALITY
               m (id, document, chunk_index, content, similarity, metadata, title, source, place)),
          (SELECT array_agg(chunk_index ORDER BY place) FROM tenancy.match_chunks('[2500,0]', 1001) WITH ORDINALITY
               m (id, document, chunk_index, content, similarity, metadata, title, source, place) WHERE place <= 1000),
          'in the same order whether they are kept or fetched again');
SELECT is((SELECT array_agg(chunk_index) FROM tenancy.match_chunks('[2500,0]', 10, 0.4, '{"n": 2500}')), '{2500}'::integer[], 'with threshold and filter');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[2500,0]', 10, 0.6)), 0::bigint, 'no row, where none is near enough');

-- Rows that change in the transaction.
UPDATE chunks SET content = 'changed', document_id = pg_temp.document(2) WHERE chunk_index = 2500;
DELETE FROM chunks WHERE chunk_index BETWEEN 2480 AND 2499;
SELECT results_eq($$SELECT chunk_index, content, document_title, document_source FROM tenancy.match_chunks('[2500,0]', 2)$$,
    $$SELECT 2500, 'changed', 'title 2', NULL::text UNION ALL SELECT 2479, pg_temp.content(2479), 'title 2', NULL$$, 'as they are now');
SAVEPOINT before;
UPDATE chunks SET embedding = '[0,1]' WHERE chunk_index = 2500;
SELECT results_eq($$SELECT chunk_index FROM tenancy.match_chunks('[2500,0]', 1)$$, 'VALUES (2479)', 'a vector that moved away');
ROLLBACK TO before;
SELECT results_eq($$SELECT chunk_index FROM tenancy.match_chunks('[2500,0]', 1)$$, 'VALUES (2500)', 'and did not');

-- What the caller may not see.
SELECT test_helpers.act_as_superuser();
CREATE POLICY second ON documents AS RESTRICTIVE FOR SELECT USING (title <> 'title 2');
CREATE POLICY not_all ON chunks AS RESTRICTIVE FOR SELECT USING (chunk_index <> 2478);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq($$SELECT chunk_index, document_id, document_title, left(document_source, 8) FROM tenancy.match_chunks('[2500,0]', 3)$$,
    $$SELECT 2500, pg_temp.document(2), NULL, NULL UNION ALL SELECT 2479, pg_temp.document(2), NULL, NULL UNION ALL SELECT 2477, pg_temp.document(3), 'title 3', 'source 3'$$,
    'a document that is hidden leaves its chunks without title, a chunk that is hidden makes room');
SELECT is(pg_temp.wrong(1000), 1::bigint, 'the same for many, but for the content that was changed');
SELECT test_helpers.act_as_superuser();
SELECT format('REVOKE SELECT ON documents FROM %I', test_helpers.role_name('app')) \gexec
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[2500,0]', 3)$$, '42501', 'permission denied for table documents', 'without the privilege there is no title to have');

-- In a cursor, and where the answer is asked for more than once in a query.
SELECT test_helpers.act_as_superuser();
SELECT format('GRANT SELECT ON documents TO %I', test_helpers.role_name('app')) \gexec
SELECT test_helpers.act_as('app', test_helpers.a());
DECLARE found CURSOR FOR SELECT chunk_index, length(content) FROM tenancy.match_chunks('[2500,0]', 3);
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[0,1]', 3) a, tenancy.match_chunks('[2500,0]', 3) b), 9::bigint, 'two searches in a query');
SELECT results_eq('FETCH ALL found', $$SELECT n, length(c) FROM (VALUES (2500, 'changed'), (2479, pg_temp.content(2479)), (2477, pg_temp.content(2477))) v (n, c)$$, 'a cursor');
SELECT is((SELECT count(*) FROM generate_series(1, 40) n, LATERAL tenancy.match_chunks(ARRAY[n, 1]::vector, 2) m), 80::bigint, 'a search for each row');
SELECT is((SELECT count(*) FROM (SELECT (tenancy.match_chunks('[2500,0]', 4)).*) m WHERE m.similarity IS NOT NULL), 4::bigint, 'in the list of a SELECT');

-- A plan that was made for empty tables finds rows by their keys when they have grown.
SELECT test_helpers.act_as_superuser();
SELECT tenancy.create_corpus('late', 2);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,0]', corpus => 'late')), 0::bigint, 'nothing yet');
INSERT INTO late_documents (id, title) SELECT pg_temp.document(n), 'title ' || n FROM generate_series(1, 1500) n;
INSERT INTO late_chunks (document_id, content, embedding) SELECT pg_temp.document(n), 'content ' || n, ARRAY[n - 700, 1000]::vector FROM generate_series(1, 1500) n;
CREATE FUNCTION pg_temp.read(relation regclass) RETURNS bigint LANGUAGE sql AS 'SELECT pg_stat_get_xact_tuples_fetched(relation) + sum(pg_stat_get_xact_tuples_returned(indexrelid))::bigint FROM pg_index WHERE indrelid = relation';
CREATE TEMP TABLE read AS SELECT 0::bigint AS chunks, 0::bigint AS documents;
SELECT count(*) FROM tenancy.match_chunks('[1,0]', corpus => 'late');
UPDATE read SET chunks = pg_temp.read('late_chunks'), documents = pg_temp.read('late_documents');
SELECT results_eq($$SELECT content, document_title FROM tenancy.match_chunks('[1,0]', 2, corpus => 'late')$$,
    $$VALUES ('content 1500', 'title 1500'), ('content 1499', 'title 1499')$$, 'grown');
SELECT ok((SELECT pg_temp.read('late_chunks') - chunks + pg_temp.read('late_documents') - documents FROM read) BETWEEN 4 AND 200, 'no more rows are read than are looked for');

SELECT * FROM finish();
ROLLBACK;
