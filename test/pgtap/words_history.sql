-- The keyword store answers what reading all chunks does, bit by bit, after any history of changes.
BEGIN;
SELECT plan(14);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role('app');
SELECT tenancy.create_corpus(dimensions => 1);
-- One without a column of words, and with a tenant column of another type.
CREATE TABLE posts (account bigint NOT NULL, id uuid PRIMARY KEY DEFAULT tenancy.uuid_v7(), title text);
CREATE TABLE parts (account bigint NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), post uuid NOT NULL, body text, embedding vector(1), UNIQUE (account, id));
SELECT tenancy.protect('posts', 'account');
SELECT tenancy.protect('parts', 'account');
SELECT tenancy.attach_corpus('posts', 'posts', 'parts', '{"document_id": "post", "content": "body"}', text_config => 'simple');
SELECT results_eq($$SELECT (corpus || ' ' || state) COLLATE "default" FROM tenancy.stores WHERE kind = 'words' ORDER BY corpus$$,
    $$VALUES ('default built'), ('posts built')$$, 'new corpora have a keyword store');

-- Texts of few words, so that phrases, repetitions and ties come about; and some of none.
CREATE FUNCTION some_text() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(string_agg((ARRAY['red', 'green', 'apples', 'apple', 'tree', 'the', 'running', 'garden', 'of', 'blue', 'naïve', 'x-ray'])
        [1 + floor(random() * random() * 12)::int], ' '), '')
    FROM generate_series(1, floor(random() * 9)::int)
$$;
CREATE FUNCTION step(documents text, chunks text, document text, content text, keyed text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    victims text := format('(SELECT id FROM %s ORDER BY md5(id::text || %L) LIMIT %s)', chunks, random(), 1 + floor(random() * 5));
    many integer := CASE WHEN random() < 0.1 THEN 90 ELSE 1 + floor(random() * 4) END;
    place integer := coalesce((SELECT nullif(current_setting('test.place', true), '')::integer), 0);
BEGIN
    PERFORM set_config('test.place', (place + many)::text, true);
    CASE floor(random() * 8)::int
    WHEN 0, 1, 2 THEN
        EXECUTE format('INSERT INTO %s (%s %s, %s) SELECT %s (SELECT id FROM %s LIMIT 1), some_text() FROM generate_series(1, %s) i',
            chunks, keyed, document, content, CASE keyed WHEN '' THEN '' ELSE place || ' + i, ' END, documents, many);
    WHEN 3, 4 THEN
        EXECUTE format('UPDATE %s SET %s = some_text() WHERE id IN %s', chunks, content, victims);
    WHEN 5 THEN
        EXECUTE format('UPDATE %s SET embedding = ''[1]'' WHERE id IN %s', chunks, victims);
    WHEN 6 THEN
        EXECUTE format('DELETE FROM %s WHERE id IN %s', chunks, victims);
    ELSE
        BEGIN
            PERFORM step(documents, chunks, document, content, keyed) FROM generate_series(1, 3);
            IF random() < 0.5 THEN
                RAISE EXCEPTION SQLSTATE 'XY000';
            END IF;
        EXCEPTION WHEN SQLSTATE 'XY000' THEN
            NULL;
        END;
    END CASE;
    IF random() < 0.01 THEN
        EXECUTE format('DELETE FROM %s WHERE id IN (SELECT id FROM %s ORDER BY md5(id::text) LIMIT 150)', chunks, chunks);
    END IF;
END $$;

CREATE FUNCTION asked(corpus text, store boolean) RETURNS TABLE (answer text) LANGUAGE plpgsql AS $$
DECLARE
    query text;
BEGIN
    PERFORM set_config('tenancy.use_stores', store::text, true), set_config('extra_float_digits', '3', true);
    FOREACH query IN ARRAY ARRAY['red', 'red apples tree', '"red apple"', '"red apple" green -tree', 'garden -"green the apple"', '"green of red" "apple tree" blue',
                                 'red red blue', '-red', 'naïve x-ray', '"x-ray"', 'running -runs -"', 'zebra', 'blue -blue', '"the red" apples'] LOOP
        RETURN QUERY SELECT concat_ws(' ', query, row_number() OVER (), k.chunk_id, k.similarity, k.content)
            FROM tenancy.keyword_search(query, (1 + length(query) * 7) % 40, corpus => corpus) k;
        RETURN QUERY SELECT concat_ws(' ', 'hybrid', query, row_number() OVER (), h.chunk_id, h.combined_score, h.text_similarity)
            FROM tenancy.hybrid_search('[1]', query, 12, corpus => corpus) h;
    END LOOP;
END $$;

CREATE FUNCTION differences(rounds integer, documents text, chunks text, document text, content text, keyed text, corpus text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    by_rows text[];
    by_store text[];
BEGIN
    FOR i IN 1..rounds LOOP
        PERFORM step(documents, chunks, document, content, keyed) FROM generate_series(1, 12);
        by_rows := ARRAY(SELECT a FROM asked(corpus, false) a);
        by_store := ARRAY(SELECT a FROM asked(corpus, true) a);
        IF by_rows IS DISTINCT FROM by_store THEN
            RETURN NEXT format('round %s', i);
            RETURN QUERY SELECT 'rows  ' || r FROM unnest(by_rows) r EXCEPT SELECT 'rows  ' || s FROM unnest(by_store) s LIMIT 3;
            RETURN QUERY SELECT 'store ' || s FROM unnest(by_store) s EXCEPT SELECT 'store ' || r FROM unnest(by_rows) r LIMIT 3;
            RETURN;
        END IF;
    END LOOP;
END $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
SELECT setseed(0.42);

INSERT INTO documents (tenant_id) VALUES (a()), (b());
INSERT INTO posts (account) VALUES (1001), (1002);
INSERT INTO chunks (tenant_id, document_id, chunk_index, content) SELECT b(), (SELECT id FROM documents WHERE tenant_id = b()), -i, some_text() FROM generate_series(1, 300) i;

SELECT act_as('app', a());
SELECT is_empty($$SELECT differences(40, 'documents', 'chunks', 'document_id', 'content', 'chunk_index, ', 'default')$$, 'a random history, in one transaction with savepoints');
SELECT is_empty($$SELECT differences(25, 'posts', 'parts', 'post', 'body', '', 'posts')$$, 'of a corpus without a column of words, its tenants by number');
SELECT cmp_ok((SELECT count(*) FROM asked('default', true)), '>', 50::bigint, 'with something to find');
SELECT act_as_superuser();
SELECT cmp_ok((SELECT count(*) FROM tenancy.keyword_segments WHERE part = 0), '>', 0::bigint, 'by way of segments');
SELECT cmp_ok((SELECT count(*) FROM tenancy.keyword_log), '>', 0::bigint, 'and of the log');

-- Policies of the application's own: what is not visible neither counts nor answers.
CREATE POLICY some_of_them ON chunks AS RESTRICTIVE FOR SELECT USING (chunk_index % 3 <> 0);
SELECT act_as('app', a());
SELECT is_empty($$SELECT a FROM asked('default', false) a EXCEPT SELECT a FROM asked('default', true) a$$, 'policies beside tenancy''s hide chunks from the statistics, too');
SELECT act_as_superuser();
DROP POLICY some_of_them ON chunks;

-- Settings of the ranking.
SELECT act_as('app', a());
SET LOCAL tenancy.bm25_k1 = 0.3;
SET LOCAL tenancy.bm25_b = 0;
SELECT is_empty($$SELECT a FROM asked('default', false) a EXCEPT SELECT a FROM asked('default', true) a$$, 'k1 and b are settings');
SELECT ok((SELECT similarity FROM tenancy.keyword_search('red', 1)) <> (SELECT similarity FROM (SELECT set_config('tenancy.bm25_k1', '2', true)) s, tenancy.keyword_search('red', 1)), 'that matter');
RESET tenancy.bm25_k1;
RESET tenancy.bm25_b;
SELECT throws_ok('SET tenancy.bm25_b = 1.5', '22023', '1.5 is outside the valid range for parameter "tenancy.bm25_b" (0 .. 1)', 'within limits');

-- Filters.
SELECT results_eq($$SELECT chunk_id, similarity FROM (SELECT set_config('tenancy.use_stores', 'on', true)) s, tenancy.keyword_search('apple tree', 5, document_ids => ARRAY(SELECT id FROM documents))$$,
    $$SELECT chunk_id, similarity FROM (SELECT set_config('tenancy.use_stores', 'off', true)) s, tenancy.keyword_search('apple tree', 5)$$, 'a filter that all pass');
SET LOCAL tenancy.use_stores = on;
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('apple tree', 5, filter => '{"no": "such"}')$$, 'and one that none passes');

-- TRUNCATE, and what comes after it.
SELECT act_as_superuser();
TRUNCATE chunks;
SELECT is_empty('SELECT store FROM tenancy.keyword_log l JOIN tenancy.stores s ON s.number = l.store AND s.corpus = ''default'' AND s.kind = ''words''', 'TRUNCATE empties it');
SELECT act_as('app', a());
SELECT is_empty($$SELECT differences(3, 'documents', 'chunks', 'document_id', 'content', 'chunk_index, ', 'default')$$, 'and it goes on from there');

SELECT * FROM finish();
ROLLBACK;
