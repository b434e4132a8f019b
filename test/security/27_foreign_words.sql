-- Attack 27: B adds documents with A's words, so that the words of A become common and A's scores move.
BEGIN;
SELECT plan(11);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT tenancy.create_corpus(dimensions => 1);
INSERT INTO documents (tenant_id, id) VALUES (a(), 'aaaaaaaa-0000-4000-8000-00000000000d'), (b(), 'bbbbbbbb-0000-4000-8000-00000000000d');
INSERT INTO chunks (tenant_id, document_id, chunk_index, content)
SELECT a(), 'aaaaaaaa-0000-4000-8000-00000000000d', i, concat_ws(' ', 'contract', CASE WHEN i % 9 = 0 THEN 'merger' END, repeat('clause ', i % 6))
FROM generate_series(1, 90) i;

CREATE FUNCTION found() RETURNS TABLE (answer text) LANGUAGE sql SET extra_float_digits = 3 AS $$
    SELECT concat_ws(' ', k.chunk_id, k.similarity) FROM tenancy.keyword_search('merger contract "clause clause"', 90) k
$$;
GRANT EXECUTE ON FUNCTION found() TO PUBLIC;

SELECT act_as('app', a());
CREATE TEMP TABLE alone AS SELECT answer, row_number() OVER () AS place FROM found();
SELECT is((SELECT count(*) FROM alone), 90::bigint, 'A finds all its chunks');
SELECT ok((SELECT content ~ 'merger' FROM tenancy.keyword_search('merger contract', 1)), 'the rare word first');

SELECT act_as('app', b());
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('merger')$$, 'B sees none of it');
INSERT INTO chunks (document_id, chunk_index, content)
SELECT 'bbbbbbbb-0000-4000-8000-00000000000d', i, repeat('merger ', 20) FROM generate_series(1, 9000) i;
SELECT is((SELECT count(*) FROM tenancy.keyword_search('merger', 100)), 100::bigint, 'until it has a hundred times as much of its own');

SELECT act_as('app', a());
SELECT results_eq('SELECT answer FROM found()', 'SELECT answer FROM alone ORDER BY place', 'A''s order and scores are bit by bit what they were');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('merger', 1000)), 10::bigint, 'and so is what it finds');

-- By the store as by the rows, and nobody looks into it.
SELECT act_as_superuser();
SELECT is((SELECT state FROM tenancy.stores WHERE kind = 'words'), 'built', 'all of that by the store');
SELECT act_as('app', a());
SET LOCAL tenancy.use_stores = off;
SELECT results_eq('SELECT answer FROM found()', 'SELECT answer FROM alone ORDER BY place', 'the rows say the same');
RESET tenancy.use_stores;
SELECT throws_ok(format('SELECT * FROM tenancy.%I', t), '42501', 'permission denied for table ' || t, t || ' is not read')
FROM unnest('{keyword_segments,keyword_log}'::text[]) t;
SELECT throws_ok($$CREATE TEMP TABLE t (a integer); CREATE TRIGGER t AFTER INSERT ON t EXECUTE FUNCTION tenancy.keep_words('default')$$, '42501', NULL, 'nor written by a trigger of one''s own');

SELECT finish();
ROLLBACK;
