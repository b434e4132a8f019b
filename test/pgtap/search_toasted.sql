-- Embeddings wherever they lie score the same: in the row, outside of it in one piece or several, compressed, in partitions.
BEGIN;
SELECT plan(23);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT setseed(0.5);

CREATE TEMP TABLE kinds (corpus text, dimensions integer, metric text, storage text, step integer);
INSERT INTO kinds VALUES ('c0', 300, 'cosine', 'external', 1), ('c1', 1500, 'cosine', 'external', 1), ('c2', 2100, 'l2', 'external', 1),
    ('c3', 1200, 'inner_product', 'extended', 1), ('c4', 1500, 'cosine', 'main', 1), ('c5', 700, 'l2', 'plain', 1), ('c6', 1600, 'cosine', 'extended', 200);
GRANT SELECT ON kinds TO PUBLIC;
SELECT tenancy.create_corpus(corpus, dimensions, metric) FROM kinds;
SELECT format('ALTER TABLE %I_chunks ALTER embedding SET STORAGE %s', corpus, storage) FROM kinds \gexec

-- Long runs of one number are compressed.
CREATE FUNCTION pg_temp.made(dimensions integer, step integer) RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT string_to_array(rtrim(string_agg(repeat(round(random()::numeric - 0.5, 2) || ',', step), ''), ','), ',')::real[]::vector
    FROM generate_series(1, dimensions / step)
$$;
CREATE FUNCTION pg_temp.fill(k kinds) RETURNS void LANGUAGE plpgsql AS $$
DECLARE document uuid;
BEGIN
    EXECUTE format('INSERT INTO %I_documents (tenant_id, title) VALUES ($1, ''title'') RETURNING id', k.corpus) INTO document USING test_helpers.a();
    FOR n IN 1..290 LOOP
        EXECUTE format('INSERT INTO %I_chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES ($1, $2, $3, repeat(md5($3::text), $3 %% 70), $4)', k.corpus)
        USING test_helpers.a(), document, n, pg_temp.made(k.dimensions, k.step);
    END LOOP;
END $$;
SELECT pg_temp.fill(k) FROM kinds k;
SELECT is((SELECT count(*) FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.relname ~ '^c[1-3]_chunks$' AND pg_relation_size(t.oid) > 0), 3::bigint,
          'some lie outside');
SELECT cmp_ok((SELECT max(pg_column_size(embedding)) FROM c6_chunks), '<', 2000, 'some are compressed');

CREATE TEMP TABLE asked AS SELECT corpus, pg_temp.made(dimensions, step) AS q FROM kinds;
GRANT SELECT ON asked TO PUBLIC;
CREATE FUNCTION pg_temp.wrong(k kinds, wanted integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE wrong bigint;
BEGIN
    EXECUTE format('
        SELECT count(*) FROM (
            SELECT chunk_id, similarity, content, place FROM asked a, tenancy.match_chunks(a.q, $1, corpus => a.corpus) WITH ORDINALITY
                m (chunk_id, document_id, chunk_index, content, similarity, metadata, title, source, place) WHERE a.corpus = $2) m
        FULL JOIN (
            SELECT id, CASE $3 WHEN ''cosine'' THEN 1 - d WHEN ''inner_product'' THEN -d ELSE 1 / (1 + d) END AS similarity, content, row_number() OVER (ORDER BY d, id) AS place
            FROM (SELECT c.id, c.content, c.embedding %s a.q AS d FROM %I_chunks c, asked a WHERE a.corpus = $2) x ORDER BY d, id LIMIT $1) b USING (place)
        WHERE (m.chunk_id, m.similarity, m.content) IS DISTINCT FROM (b.id, b.similarity, b.content)',
        CASE k.metric WHEN 'cosine' THEN '<=>' WHEN 'inner_product' THEN '<#>' ELSE '<->' END, k.corpus)
    INTO wrong USING wanted, k.corpus, k.metric;
    RETURN wrong;
END $$;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT string_agg(e.tier, ' ') FROM asked a, tenancy.explain_match(a.q, 10, corpus => a.corpus) e), 'codes codes codes codes codes codes codes', 'by the store');
SELECT is(pg_temp.wrong(k, n), 0::bigint, format('the best %s of %s dimensions by %s, %s', n, k.dimensions, k.metric, k.storage))
FROM kinds k, (VALUES (10), (270)) v (n) ORDER BY k.corpus, n;

-- The function that scores is called as the caller.
SELECT test_helpers.act_as_superuser();
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', 'cosine_distance(vector, vector)'::regprocedure) \gexec
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok($$SELECT m.* FROM asked a, tenancy.match_chunks(a.q, 10, corpus => a.corpus) m WHERE a.corpus = 'c0'$$, '42501',
                 'permission denied for function cosine_distance', 'which it must be allowed to');
SELECT test_helpers.act_as_superuser();
SELECT format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', 'cosine_distance(vector, vector)'::regprocedure) \gexec

-- What was just written, changed and rolled back.
SELECT test_helpers.act_as('app', test_helpers.a());
UPDATE c1_chunks SET embedding = (SELECT q FROM asked WHERE corpus = 'c1') WHERE chunk_index = 7;
SAVEPOINT before;
UPDATE c1_chunks SET embedding = (SELECT q * q FROM asked WHERE corpus = 'c1') WHERE chunk_index = 7;
ROLLBACK TO before;
SELECT is(pg_temp.wrong(k, 20), 0::bigint, 'written in the same transaction') FROM kinds k WHERE corpus = 'c1';


-- Where values lay when they were last read is not where they lie for ever.
SELECT is(pg_temp.wrong(k, 250), 0::bigint, 'read once more') FROM kinds k WHERE corpus = 'c1';
UPDATE c1_chunks SET embedding = embedding * embedding;
SELECT is(pg_temp.wrong(k, 250), 0::bigint, 'all written anew') FROM kinds k WHERE corpus = 'c1';
ROLLBACK TO before;
SELECT is(pg_temp.wrong(k, 250), 0::bigint, 'and rolled back') FROM kinds k WHERE corpus = 'c1';
SELECT test_helpers.act_as_superuser();
TRUNCATE c1_chunks;
SELECT count(*) FROM (SELECT pg_temp.fill(k) FROM kinds k WHERE corpus = 'c1') f;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(pg_temp.wrong(k, 250), 0::bigint, 'in other files') FROM kinds k WHERE corpus = 'c1';

SELECT * FROM finish();
ROLLBACK;
