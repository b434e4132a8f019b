-- What writes to chunks and what passes the triggers by: the keyword store follows the first, and is not used after the second.
-- rebuild_corpus() commits, so this file is not one transaction.
SELECT plan(36);
SET search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role('app');
SELECT make_owner('owner');
SELECT role_name('app') AS app, role_name('owner') AS owner \gset
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test_helpers TO PUBLIC;

CREATE FUNCTION answer(corpus text, by_store boolean) RETURNS text
LANGUAGE sql SET extra_float_digits = 3 AS $$
    SELECT coalesce(string_agg(concat_ws(' ', q, k.chunk_id, k.similarity, k.content), E'\n'), 'nothing')
    FROM (SELECT set_config('tenancy.use_stores', by_store::text, true)) s, unnest('{red,red tree,"\"red apple\" tree -blue",number}'::text[]) q,
         LATERAL (SELECT * FROM tenancy.keyword_search(q, 30, corpus => $1)) k
$$;
CREATE FUNCTION some_text(i bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'number', i, repeat('red ', (i % 4)::integer) || (ARRAY['apple', 'tree', 'blue sky', ''])[1 + i % 3], repeat('x ', (i % 7)::integer))
$$;
-- As the application, in A: search agrees with the rows, while the store is as expected.
CREATE FUNCTION agree(corpus text, wanted text, situation text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    said text;
    state text := (SELECT s.state FROM tenancy.stores s WHERE s.corpus = $1 AND s.kind = 'words');
BEGIN
    PERFORM set_config('role', role_name('app'), true);
    said := is(coalesce(state, 'none') || E'\n' || answer(corpus, true), wanted || E'\n' || answer(corpus, false), situation);
    PERFORM set_config('role', 'none', true);
    RETURN said;
END
$$;
SELECT tenancy.set_tenant(a(), false);

SET SESSION AUTHORIZATION :"owner";
SELECT tenancy.create_corpus('s', 1);
RESET SESSION AUTHORIZATION;
INSERT INTO s_documents (tenant_id, id) SELECT t, md5(t::text || i)::uuid FROM unnest(ARRAY[a(), b()]) t, generate_series(1, 3) i;
SELECT agree('s', 'built', 'an empty corpus');
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content)
SELECT t, md5(t::text || 1)::uuid, i, some_text(i) FROM unnest(ARRAY[a(), b()]) t, generate_series(1, 1000) i;
SELECT agree('s', 'built', 'a statement of two tenants');
SELECT is((SELECT count(DISTINCT tenant) FROM tenancy.keyword_segments WHERE part = 0), 2::bigint, 'a segment each');

INSERT INTO s_documents (tenant_id, id) VALUES (a(), 'd2f9e1b0-0000-4000-8000-000000000000');
COPY s_chunks (tenant_id, document_id, chunk_index, content) FROM stdin;
aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa	d2f9e1b0-0000-4000-8000-000000000000	1	red copied
aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa	d2f9e1b0-0000-4000-8000-000000000000	2	copied red apple
\.
SELECT agree('s', 'built', 'COPY');
MERGE INTO s_chunks c USING (SELECT id FROM s_chunks WHERE chunk_index < 40) m ON c.id = m.id
WHEN MATCHED AND c.chunk_index < 20 THEN DELETE WHEN MATCHED THEN UPDATE SET content = 'red apple';
SELECT agree('s', 'built', 'MERGE');
DELETE FROM s_documents WHERE id = 'd2f9e1b0-0000-4000-8000-000000000000';
SELECT agree('s', 'built', 'a cascade');
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 1, repeat((SELECT string_agg('word' || i, ' ') FROM generate_series(1, 9000) i) || ' red ', 3));
SELECT agree('s', 'built', 'a chunk with more words than fit into a page');

CREATE FUNCTION count_red() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT count(*) FROM tenancy.keyword_search('red', 100000, corpus => 's'));
END
$$;
SET ROLE :"app";
CREATE TEMP TABLE counted AS SELECT count_red() AS before, 0::bigint AS within;
WITH added AS (INSERT INTO s_chunks (document_id, chunk_index, content) VALUES (md5(a()::text || 2)::uuid, 1, 'red') RETURNING count_red() AS red)
UPDATE counted SET within = red FROM added;
SELECT is((SELECT within - before FROM counted), 1::bigint, 'a function in RETURNING finds the new row, as a SELECT would');
RESET ROLE;

BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) SELECT a(), md5(a()::text || 3)::uuid, i, some_text(i) FROM generate_series(10, 300) i;
DO $$ BEGIN
    FOR i IN 1..80 LOOP
        INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 1000 + i, some_text(i));
    END LOOP;
END $$;
DELETE FROM s_chunks WHERE chunk_index % 2 = 0 AND chunk_index BETWEEN 10 AND 300;
SELECT agree('s', 'built', 'serializable');
COMMIT;
SELECT agree('s', 'built', 'and after it');
DO $$ BEGIN
    FOR i IN 1..2000 LOOP
        INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 2000 + i, some_text(i));
    END LOOP;
END $$;
SELECT agree('s', 'built', 'one by one');
SELECT cmp_ok((SELECT count(*) FROM tenancy.keyword_segments WHERE part = 0), '<', 30::bigint, 'segments are merged');
DELETE FROM s_chunks WHERE chunk_index > 1900;
SELECT agree('s', 'built', 'most of them deleted');
SELECT is((SELECT count(*) FROM tenancy.keyword_segments WHERE part = 0 AND tenant = uuid_send(a())), 1::bigint, 'one segment is left of what came and went');

-- It is read: what is broken in it is told.
BEGIN;
UPDATE tenancy.keyword_segments SET data = '\x0100' WHERE part IN (0, 3) AND tenant = uuid_send(a());
SET LOCAL ROLE :"app";
SELECT throws_ok($$SELECT * FROM tenancy.keyword_search('red', corpus => 's')$$, 'XX002', 'keyword store is corrupt', 'a broken store is told of');
SET LOCAL tenancy.use_stores = off;
SELECT lives_ok($$SELECT * FROM tenancy.keyword_search('red', corpus => 's')$$, 'and can be done without');
ROLLBACK;

-- What passes the triggers by.
ALTER TABLE s_chunks DISABLE TRIGGER ALL;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 9000, 'red unseen');
ALTER TABLE s_chunks ENABLE TRIGGER ALL;
SELECT agree('s', 'stale', 'triggers were off');
SELECT ok(EXISTS (SELECT FROM tenancy.store_faults() f WHERE object = 'corpus s' AND problem LIKE '%words%'), 'it is said');
SET SESSION AUTHORIZATION :"owner";
CALL tenancy.rebuild_corpus('s', 700);
RESET SESSION AUTHORIZATION;
SELECT agree('s', 'built', 'rebuilt by the owner');
SELECT is((SELECT count(*) FROM tenancy.keyword_segments g WHERE g.store NOT IN (SELECT number FROM tenancy.stores)), 0::bigint, 'the old words are gone');
SET session_replication_role = replica;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 9001, 'red as a replica');
RESET session_replication_role;
SELECT agree('s', 'built', 'session_replication_role does not switch it off');

SELECT tenancy.rebuild_begin('s', 'words');
UPDATE tenancy.stores SET state = 'stale' WHERE corpus = 's' AND kind = 'words';
SELECT ok(tenancy.rebuild_begin('s', 'words'), 'a build begins');
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) SELECT a(), md5(a()::text || 3)::uuid, 9100 + i, 'red while it builds' FROM generate_series(1, 100) i;
DELETE FROM s_chunks WHERE chunk_index BETWEEN 50 AND 100;
UPDATE s_chunks SET content = 'red red tree' WHERE chunk_index BETWEEN 110 AND 120;
SELECT agree('s', 'building', 'while it builds, the rows are read');
CALL tenancy.rebuild_corpus('s');
SELECT agree('s', 'built', 'built, with what changed meanwhile');

-- Partitions: written through the root or directly, and what comes and goes with them.
SET SESSION AUTHORIZATION :"owner";
CREATE TABLE p_documents (id uuid NOT NULL, tenant_id uuid NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE p_chunks (content text NOT NULL, tenant_id uuid NOT NULL, id uuid NOT NULL, document_id uuid NOT NULL, embedding vector(1), PRIMARY KEY (tenant_id, id)) PARTITION BY HASH (tenant_id, id);
CREATE TABLE p_chunks_0 PARTITION OF p_chunks FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE p_chunks_1 (embedding vector(1), id uuid NOT NULL, content text NOT NULL, tenant_id uuid NOT NULL, document_id uuid NOT NULL);
ALTER TABLE p_chunks ATTACH PARTITION p_chunks_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
SELECT count(*) FROM tenancy.protect('p_documents');
SELECT count(*) FROM tenancy.protect('p_chunks');
SELECT tenancy.attach_corpus('p', 'p_documents', 'p_chunks');
CREATE TABLE p_chunks_2 PARTITION OF p_chunks FOR VALUES WITH (MODULUS 3, REMAINDER 2);
RESET SESSION AUTHORIZATION;
INSERT INTO p_chunks SELECT some_text(i), a(), md5(i::text)::uuid, a(), NULL FROM generate_series(1, 500) i;
SELECT agree('p', 'built', 'a partitioned table');
UPDATE p_chunks_1 SET content = 'red blue' WHERE content LIKE '%1%';
DELETE FROM p_chunks_2 WHERE content LIKE '%8%';
UPDATE p_chunks SET id = md5(id::text)::uuid WHERE content LIKE '%9%';
SELECT agree('p', 'built', 'written by partition, and rows that move');
ALTER TABLE p_chunks DETACH PARTITION p_chunks_0;
SELECT agree('p', 'stale', 'a partition that leaves takes its words along unseen');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'p_chunks_0'::regclass AND tgname LIKE 'tenancy\_words%'), 0::bigint, 'and writes to the store no more');
CALL tenancy.rebuild_corpus('p');
SELECT agree('p', 'built', 'rebuilt');
TRUNCATE p_chunks_1;
SELECT agree('p', 'stale', 'of a partition that is emptied nobody knows what it had');
CALL tenancy.rebuild_corpus('p');
TRUNCATE p_chunks;
SELECT agree('p', 'built', 'a table that is emptied has nothing');
INSERT INTO p_chunks SELECT some_text(i), a(), md5(i::text)::uuid, a() FROM generate_series(1, 500) i WHERE satisfies_hash_partition('p_chunks'::regclass, 3, 2, a(), md5(i::text)::uuid);
DROP TABLE p_chunks_2;
SELECT agree('p', 'stale', 'nor does one that is dropped say it');

-- Tenants by other keys, and a table that had rows.
CREATE TABLE k_documents (account bigint NOT NULL, id uuid NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE k_chunks (account text NOT NULL, id uuid NOT NULL, document_id uuid NOT NULL, content text, embedding halfvec(1), PRIMARY KEY (account, id));
SELECT count(*) FROM tenancy.protect('k_documents', 'account', 'bigint');
SELECT count(*) FROM tenancy.protect('k_chunks', 'account', 'text');
INSERT INTO k_chunks SELECT k, md5(k || i)::uuid, md5(k)::uuid, CASE WHEN i % 5 > 0 THEN some_text(i) END FROM unnest('{1001,1002}'::text[]) k, generate_series(1, 90) i;
SELECT tenancy.attach_corpus('k', 'k_documents', 'k_chunks');
SELECT agree('k', 'none', 'a table with rows is not read when it is attached');
CALL tenancy.rebuild_corpus('k', 25);
SELECT agree('k', 'built', 'but when it is rebuilt');
SELECT tenancy.drop_corpus('k'), tenancy.drop_corpus('p', true), tenancy.drop_corpus('s', true);
SELECT is((SELECT count(*) FROM tenancy.keyword_segments) + (SELECT count(*) FROM tenancy.keyword_log), 0::bigint, 'drop_corpus takes the words along');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'k_chunks'::regclass AND tgname LIKE 'tenancy\_words%'), 0::bigint, 'and the triggers');

SELECT * FROM finish();
