-- Attack 26: B stores many near-duplicates of what A asks for, so that A's own chunks come out of sight.
BEGIN;
SELECT plan(13);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT setseed(0.3);
SELECT tenancy.create_corpus(dimensions => 8);
INSERT INTO documents (tenant_id, id) VALUES (a(), 'aaaaaaaa-0000-4000-8000-00000000000d'), (b(), 'bbbbbbbb-0000-4000-8000-00000000000d');
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT a(), 'aaaaaaaa-0000-4000-8000-00000000000d', i, 'apple ' || i, (SELECT array_agg(random() - 0.5) FROM generate_series(1, 8) WHERE i > 0)::vector
FROM generate_series(1, 100) i;

CREATE FUNCTION found() RETURNS TABLE (answer text) LANGUAGE sql SET extra_float_digits = 3 AS $$
    SELECT concat_ws(' ', m.chunk_id, m.similarity) FROM tenancy.match_chunks('[1,1,1,1,1,1,1,1]', 50) m
$$;
CREATE FUNCTION both_found() RETURNS TABLE (answer text) LANGUAGE sql SET extra_float_digits = 3 AS $$
    SELECT concat_ws(' ', h.chunk_id, h.combined_score, h.vector_similarity) FROM tenancy.hybrid_search('[1,1,1,1,1,1,1,1]', 'apple 7', 50) h
$$;
GRANT EXECUTE ON FUNCTION found(), both_found() TO PUBLIC;

SELECT act_as('app', a());
CREATE TEMP TABLE alone AS SELECT answer, row_number() OVER () AS place FROM found();
CREATE TEMP TABLE both_alone AS SELECT answer, row_number() OVER () AS place FROM both_found();
SELECT is((SELECT count(*) FROM alone), 50::bigint, 'A gets fifty rows while it is alone');
CREATE TEMP TABLE work_alone AS SELECT to_jsonb(e) AS work FROM tenancy.explain_match('[1,1,1,1,1,1,1,1]', 50) e;

SELECT act_as('app', b());
INSERT INTO chunks (document_id, chunk_index, content, embedding)
SELECT 'bbbbbbbb-0000-4000-8000-00000000000d', i, 'apple 7', (SELECT array_agg(1 + random() / 1000) FROM generate_series(1, 8) WHERE i > 0)::vector
FROM generate_series(1, 10000) i;
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,1,1,1,1,1,1,1]', 50)), 50::bigint, 'B has the nearest ones now');

SELECT act_as_superuser();
CREATE INDEX ON chunks USING hnsw (embedding vector_cosine_ops) WITH (m = 8, ef_construction = 16);
ANALYZE chunks;
SELECT act_as('app', a());
SELECT results_eq('SELECT answer FROM found()', 'SELECT answer FROM alone ORDER BY place', 'A''s rows, order and similarities are bit by bit what they were');
SELECT results_eq('SELECT answer FROM both_found()', 'SELECT answer FROM both_alone ORDER BY place', 'by embedding and words too');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,1,1,1,1,1,1,1]', 1000)), 100::bigint, 'all of A''s chunks can be found');

SELECT is((SELECT to_jsonb(e) FROM tenancy.explain_match('[1,1,1,1,1,1,1,1]', 50) e), (SELECT work FROM work_alone), 'by looking at as many codes, and fetching as many rows');
SELECT is((SELECT work ->> 'tier' FROM work_alone), 'codes', 'of the store');

-- The work is that of A's own chunks, however many B has: no row of B's is so much as looked at.
SELECT act_as_superuser();
CREATE FUNCTION rows_read() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(pg_stat_get_xact_tuples_returned(i) + pg_stat_get_xact_tuples_fetched(i))::bigint
    FROM (SELECT 'chunks'::regclass UNION SELECT indexrelid FROM pg_index WHERE indrelid = 'chunks'::regclass) r (i)
$$;
GRANT EXECUTE ON FUNCTION rows_read() TO PUBLIC;
SELECT act_as('app', a());
SET LOCAL enable_tidscan = off;
DISCARD PLANS;
CREATE TEMP TABLE before AS SELECT rows_read() AS rows;
SELECT is((SELECT count(*) FROM found()), 50::bigint, 'a search of A that finds its rows by an index');
SELECT ok(rows_read() - (SELECT rows FROM before) BETWEEN 100 AND 500, 'reads A''s chunks and not B''s ten thousand');
RESET enable_tidscan;
DISCARD PLANS;
CREATE TEMP TABLE before_places AS SELECT rows_read() AS rows;
SELECT is((SELECT count(*) FROM found()), 50::bigint, 'and one that goes where it found them before');
SELECT ok(rows_read() - (SELECT rows FROM before_places) < 100, 'reads fewer');
CREATE TEMP TABLE before_words AS SELECT rows_read() AS rows;
SELECT is((SELECT count(*) FROM tenancy.keyword_search('apple', 50)), 50::bigint, 'and one by words');
SELECT ok(rows_read() - (SELECT rows FROM before_words) BETWEEN 100 AND 500, 'does the same');

SELECT finish();
ROLLBACK;
