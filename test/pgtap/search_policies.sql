-- Searches go through whatever policies the tables have, through errors too, and leave nothing behind.
BEGIN;
SELECT plan(14);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 2);
INSERT INTO documents (tenant_id, id, title) VALUES (test_helpers.a(), '00000000-0000-0000-0000-00000000000d', 'title');
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT test_helpers.a(), '00000000-0000-0000-0000-00000000000d', i, 'apple ' || i, ARRAY[i, 1]::vector FROM generate_series(1, 1000) i;

-- The application's own: only every hundredth chunk.
CREATE POLICY hundredth ON chunks AS RESTRICTIVE FOR SELECT USING (chunk_index % 100 = 0);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,0]', 10)), 10::bigint, 'match_chunks: as many as are visible');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('apple', 50)), 10::bigint, 'keyword_search: no others');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[1,0]', 'apple', 50)), 10::bigint, 'hybrid_search: no others');
SELECT is((SELECT count(*) FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d')), 10::bigint, 'get_document_chunks: no others');
SELECT is((SELECT round(similarity::numeric, 12) FROM tenancy.keyword_search('500', 1)),
          (SELECT round((ln(1 + (10 - 1 + 0.5) / (1 + 0.5)))::numeric, 12)), 'what is not visible is not counted either');

-- A title that may not be seen.
SELECT test_helpers.act_as_superuser();
CREATE POLICY nothing ON documents AS RESTRICTIVE FOR SELECT USING (false);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq($$SELECT content, document_title FROM tenancy.match_chunks('[1,0]', 1)$$, $$VALUES ('apple 1000', NULL)$$, 'a hidden document has no title');

-- A policy that searches, and one that fails in the middle.
SELECT test_helpers.act_as_superuser();
DROP POLICY nothing ON documents;
CREATE FUNCTION has_many_chunks(document uuid) RETURNS boolean LANGUAGE sql
AS $$SELECT (SELECT count(*) FROM tenancy.get_document_chunks(document)) = 10 AND (SELECT count(*) FROM tenancy.match_chunks('[1,0]', 5, document_ids => '{}')) = 0$$;
CREATE POLICY searching ON documents AS RESTRICTIVE FOR SELECT USING (has_many_chunks(id));
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq($$SELECT content FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d') LIMIT 1$$, $$VALUES ('apple 100')$$, 'a search');
SELECT is((SELECT count(*) FROM documents), 1::bigint, 'a search within a policy');

SELECT test_helpers.act_as_superuser();
DROP POLICY searching ON documents;
CREATE FUNCTION refuse(place integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF place = 900 THEN
        RAISE EXCEPTION USING ERRCODE = 'XY001', MESSAGE = 'refused by a policy', DETAIL = 'A detail.', HINT = 'A hint.';
    END IF;
    RETURN true;
END $$;
CREATE POLICY failing ON chunks AS RESTRICTIVE FOR SELECT USING (refuse(chunk_index));
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok(s, 'XY001', 'refused by a policy', s) FROM unnest(ARRAY[
    $$SELECT * FROM tenancy.match_chunks('[1,0]')$$, $$SELECT * FROM tenancy.keyword_search('apple')$$,
    $$SELECT * FROM tenancy.hybrid_search('[1,0]', 'apple')$$, $$SELECT * FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d')$$]) s;

SELECT test_helpers.act_as_superuser();
DROP POLICY failing ON chunks;
CREATE FUNCTION search_and_fail(times integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    failed integer := 0;
BEGIN
    FOR i IN 1..times LOOP
        BEGIN
            PERFORM FROM tenancy.match_chunks('[1,0]'), tenancy.hybrid_search('[1,0,0]', 'apple');
        EXCEPTION WHEN SQLSTATE 'TN010' THEN
            failed := failed + 1;
        END;
        BEGIN
            PERFORM 1 / (c.chunk_index - 500) FROM tenancy.keyword_search('apple', 100) c;
        EXCEPTION WHEN division_by_zero THEN
            failed := failed + 1;
        END;
    END LOOP;
    RETURN failed;
END $$;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(search_and_fail(20), 40, 'errors are caught by whom they concern');
SELECT test_helpers.act_as_superuser();
CREATE TEMP TABLE memory AS SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT search_and_fail(200);
SELECT test_helpers.act_as_superuser();
SELECT cmp_ok((SELECT sum(total_bytes) FROM pg_backend_memory_contexts), '<', (SELECT bytes + 1000000 FROM memory), 'and leave no memory behind');

SELECT * FROM finish();
ROLLBACK;
