-- What writes to chunks and what passes the triggers by: the store follows the first, and is not used after the second.
-- rebuild_corpus() commits, so this file is not one transaction.
SELECT plan(75);
SET search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role('app');
SELECT make_owner('owner');
SELECT make_owner('other');
SELECT make_role('operator', NULL);
SELECT tenancy.grant_control_plane(role_name('operator')::regrole);
SELECT role_name('app') AS app, role_name('owner') AS owner, role_name('other') AS other, role_name('operator') AS operator \gset
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test_helpers TO PUBLIC;

CREATE FUNCTION answer(corpus text, wanted integer DEFAULT 1000, documents uuid[] DEFAULT NULL) RETURNS text
LANGUAGE sql SET extra_float_digits = 3 AS $$
    SELECT coalesce(string_agg(concat_ws(' ', m.chunk_id, m.similarity, m.content), E'\n'), '')
    FROM tenancy.match_chunks('[0.3,0.5]', wanted, corpus => $1, document_ids => documents) m
$$;
CREATE FUNCTION expected(relation text) RETURNS text
LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT coalesce(string_agg(concat_ws('' '', x.id, x.similarity, x.content), E''\n''), '''') FROM (
        SELECT c.id, 1 - (c.embedding <=> ''[0.3,0.5]''::vector) AS similarity, c.content FROM %I c WHERE embedding IS NOT NULL
        ORDER BY c.embedding <=> ''[0.3,0.5]''::vector, c.id LIMIT 1000) x', relation) INTO result;
    RETURN result;
END
$$;
CREATE FUNCTION tier(corpus text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(': ', e.tier, e.why_rows) FROM tenancy.explain_match('[0.3,0.5]', corpus => $1) e
$$;

-- As the application, in A: search agrees with the rows, by the tier that is expected.
CREATE FUNCTION agree(corpus text, relation text, wanted_tier text, situation text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    PERFORM set_config('role', role_name('app'), true);
    said := is(answer(corpus) || E'\n' || tier(corpus), expected(relation) || E'\n' || wanted_tier, situation);
    PERFORM set_config('role', 'none', true);
    RETURN said;
END
$$;
SELECT tenancy.set_tenant(a(), false);

SET SESSION AUTHORIZATION :"owner";
SELECT tenancy.create_corpus('s', 2);
RESET SESSION AUTHORIZATION;
INSERT INTO s_documents (tenant_id, id) SELECT t, md5(t::text || i)::uuid FROM unnest(ARRAY[a(), b()]) t, generate_series(1, 3) i;
SELECT agree('s', 's_chunks', 'codes', 'an empty corpus');

INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT t, md5(t::text || 1)::uuid, i, 'chunk ' || i, ARRAY[sin(i), cos(i)]::vector FROM unnest(ARRAY[a(), b()]) t, generate_series(1, 2000) i;
SELECT agree('s', 's_chunks', 'codes', 'a statement of two tenants');
SELECT is((SELECT count(*) FROM tenancy.vector_blocks WHERE kind = 2), 2::bigint, 'a bulk makes one loose row for each tenant');
SELECT cmp_ok((SELECT min(entries) FROM tenancy.vector_blocks WHERE kind = 1), '>', 150, 'and full pages');

INSERT INTO s_documents (tenant_id, id) VALUES (a(), 'd2f9e1b0-0000-4000-8000-000000000000');
COPY s_chunks (tenant_id, document_id, chunk_index, content, embedding) FROM stdin;
aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa	d2f9e1b0-0000-4000-8000-000000000000	1	copied	[0.3,0.5]
aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa	d2f9e1b0-0000-4000-8000-000000000000	2	copied without	\N
\.
SELECT agree('s', 's_chunks', 'codes', 'COPY');
UPDATE s_chunks SET embedding = '[0.3,0.4]' WHERE content = 'copied without';
SELECT agree('s', 's_chunks', 'codes', 'an embedding that comes later');
UPDATE s_chunks SET embedding = NULL WHERE content = 'copied';
SELECT agree('s', 's_chunks', 'codes', 'and one that goes');
MERGE INTO s_chunks c USING (SELECT id FROM s_chunks WHERE chunk_index < 40) m ON c.id = m.id
WHEN MATCHED AND c.chunk_index < 20 THEN DELETE WHEN MATCHED THEN UPDATE SET embedding = '[1,0]';
SELECT agree('s', 's_chunks', 'codes', 'MERGE');
DELETE FROM s_documents WHERE id = 'd2f9e1b0-0000-4000-8000-000000000000';
SELECT agree('s', 's_chunks', 'codes', 'a cascade');

-- Between a row and the end of its statement.
CREATE FUNCTION count_near() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT count(*) FROM tenancy.match_chunks('[0.3,0.5]', 100000, corpus => 's'));
END
$$;
SET ROLE :"app";
CREATE TEMP TABLE counted AS SELECT count(*) AS before, 0::bigint AS within FROM s_chunks WHERE embedding IS NOT NULL;
WITH added AS (INSERT INTO s_chunks (document_id, chunk_index, content, embedding) VALUES (md5(a()::text || 2)::uuid, 1, 'new', '[0,1]') RETURNING count_near() AS near)
UPDATE counted SET within = near FROM added;
SELECT is((SELECT within - before FROM counted), 1::bigint, 'a function in RETURNING finds the new row, as a SELECT would');
RESET ROLE;
CREATE FUNCTION note_near() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE counted SET within = count_near();
    RETURN NULL;
END
$$;
CREATE TRIGGER a_first AFTER INSERT OR DELETE ON s_chunks FOR EACH ROW EXECUTE FUNCTION note_near();
SET ROLE :"app";
DROP TABLE IF EXISTS counted;
CREATE TEMP TABLE counted AS SELECT count(*) AS before, 0::bigint AS within FROM s_chunks WHERE embedding IS NOT NULL;
INSERT INTO s_chunks (document_id, chunk_index, content, embedding) VALUES (md5(a()::text || 2)::uuid, 2, 'new', '[0,1]');
SELECT is((SELECT within - before FROM counted), 1::bigint, 'so does a trigger for each row');
RESET ROLE;
DROP TRIGGER a_first ON s_chunks;
SELECT agree('s', 's_chunks', 'codes', 'afterwards the store answers');

-- Isolation levels that keep one snapshot.
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT a(), md5(a()::text || 3)::uuid, i, 'serial', ARRAY[i, 1]::vector FROM generate_series(1, 300) i;
DO $$ BEGIN
    FOR i IN 1..50 LOOP
        INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (a(), md5(a()::text || 3)::uuid, 1000 + i, 'single', ARRAY[i, 2]::vector);
    END LOOP;
    DELETE FROM s_chunks WHERE tenant_id = a() AND content = 'serial' AND chunk_index % 2 = 0;
END $$;
COMMIT;
SELECT agree('s', 's_chunks', 'codes', 'serializable');
SELECT cmp_ok((SELECT count(*) FROM tenancy.vector_blocks b JOIN tenancy.stores s ON s.number = b.store WHERE s.corpus = 's' AND b.kind = 2), '<=', 36::bigint, 'packed there, too');

-- Filters.
SET ROLE :"app";
SELECT is((SELECT why_rows FROM tenancy.explain_match('[0.3,0.5]', corpus => 's', document_ids => ARRAY[md5(a()::text || 3)::uuid])), 'few documents are asked for', 'chunks of few documents are read at once');
SELECT is(answer('s', 7, ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 100)) || md5(a()::text || 3)::uuid), answer('s', 7, ARRAY[md5(a()::text || 3)::uuid]), 'those of many by the store, with the same answer');
RESET ROLE;

-- What passes the triggers by.
SELECT is((SELECT count(*) FROM tenancy.store_faults() f WHERE object = 'corpus s' AND problem LIKE '%vectors%'), 0::bigint, 'nothing is wrong so far');
ALTER TABLE s_chunks DISABLE TRIGGER ALL;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (a(), md5(a()::text || 3)::uuid, 5000, 'unseen', '[0.3,0.5]');
ALTER TABLE s_chunks ENABLE TRIGGER ALL;
SELECT agree('s', 's_chunks', 'rows: the store is not built', 'triggers were off');
SELECT is((SELECT code || ' ' || fix FROM tenancy.store_faults() f WHERE object = 'corpus s' AND problem LIKE '%vectors%'), 'store_missing CALL tenancy.rebuild_corpus(''s'')', 'it is said, and how to repair it');
SET SESSION AUTHORIZATION :"owner";
CALL tenancy.rebuild_corpus('s', 700);
RESET SESSION AUTHORIZATION;
SELECT agree('s', 's_chunks', 'codes', 'rebuilt by the owner');
SELECT is((SELECT count(*) FROM tenancy.vector_blocks b WHERE b.store NOT IN (SELECT number FROM tenancy.stores)), 0::bigint, 'the old codes are gone');
SELECT is((SELECT sum(b.entries) FROM tenancy.vector_blocks b WHERE b.kind IN (1, 2)), (SELECT count(*) FROM s_chunks WHERE embedding IS NOT NULL), 'every chunk has one code');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 's_chunks'::regclass AND tgname LIKE 'tenancy\_vectors%' AND tgenabled IN ('A', 'R')), 6::bigint, 'the triggers are on again');

SELECT run(format('DROP TRIGGER %I ON s_chunks', tenancy.store_trigger_prefix('s', 'vectors') || 'delete'));
SELECT agree('s', 's_chunks', 'rows: the store is not built', 'a trigger was dropped');
CALL tenancy.rebuild_corpus('s');
SELECT agree('s', 's_chunks', 'codes', 'rebuilt');
ALTER TABLE s_chunks ALTER COLUMN embedding TYPE vector(2) USING (ARRAY[1, 1]::real[]::vector(2) - embedding)::vector(2);
SELECT agree('s', 's_chunks', 'rows: the store is not built', 'the table was rewritten');
CALL tenancy.rebuild_corpus('s');
ALTER TABLE s_chunks RENAME COLUMN embedding TO gone;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, gone) VALUES (a(), md5(a()::text || 3)::uuid, 5001, 'unseen', '[0.3,0.5]');
ALTER TABLE s_chunks RENAME COLUMN gone TO embedding;
SELECT agree('s', 's_chunks', 'rows: the store is not built', 'the column was away for a while');
CALL tenancy.rebuild_corpus('s');
SELECT agree('s', 's_chunks', 'codes', 'rebuilt once more');
SET session_replication_role = replica;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (a(), md5(a()::text || 3)::uuid, 5002, 'as a replica', '[0.3,0.5]');
RESET session_replication_role;
SELECT agree('s', 's_chunks', 'codes', 'session_replication_role does not switch it off');

-- A build that was left half-way goes on.
SELECT tenancy.rebuild_begin('s', 'vectors');
UPDATE tenancy.stores SET state = 'stale' WHERE corpus = 's';
SELECT ok(tenancy.rebuild_begin('s', 'vectors'), 'a build begins');
SELECT is(tenancy.rebuild_step('s', 'vectors', 500), 500::bigint, 'its first step');
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (a(), md5(a()::text || 3)::uuid, 5003, 'while it builds', '[0.3,0.5]');
DELETE FROM s_chunks WHERE chunk_index = 100;
UPDATE s_chunks SET embedding = '[0.31,0.5]' WHERE chunk_index BETWEEN 110 AND 120;
SELECT agree('s', 's_chunks', 'rows: the store is not built', 'while it builds, the rows are read');
CALL tenancy.rebuild_corpus('s', 600);
SELECT agree('s', 's_chunks', 'codes', 'built, with what changed meanwhile');

-- Frozen and back.
SET SESSION AUTHORIZATION :"operator";
SELECT cmp_ok(tenancy.prewarm_tenant(a(), 's'), '>', 2000::bigint, 'prewarm reads the codes');
SELECT cmp_ok(tenancy.freeze_tenant(a(), 's'), '>', 2000::bigint, 'freeze gives them back');
RESET SESSION AUTHORIZATION;
SELECT agree('s', 's_chunks', 'rows: the tenant is frozen', 'a frozen tenant is searched by its rows');
SELECT tenancy.set_tenant(b(), false);
SET ROLE :"app";
SELECT is(tier('s'), 'codes', 'another one as ever');
RESET ROLE;
SELECT tenancy.set_tenant(a(), false);
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (a(), md5(a()::text || 3)::uuid, 5004, 'while frozen', '[0.3,0.5]');
DELETE FROM s_chunks WHERE chunk_index = 101;
SELECT agree('s', 's_chunks', 'rows: the tenant is frozen', 'and can be written');
SET SESSION AUTHORIZATION :"operator";
SELECT cmp_ok(tenancy.unfreeze_tenant(a(), 's'), '>', 2000::bigint, 'unfreeze packs them anew');
SELECT is(tenancy.unfreeze_tenant(a(), 's'), 0::bigint, 'once');
RESET SESSION AUTHORIZATION;
SELECT agree('s', 's_chunks', 'codes', 'and the store answers again');
SELECT throws_ok($$SELECT tenancy.freeze_tenant(NULL, 's')$$, '22004', 'tenant must not be null', 'no tenant');
SELECT throws_ok(format('SELECT tenancy.freeze_tenant(%L, NULL)', a()), '22004', 'corpus must not be null', 'no corpus');
SELECT throws_ok(format('SELECT tenancy.prewarm_tenant(%L, ''t'')', a()), 'TN010', 'corpus "t" has no store', 'an unknown corpus');
SELECT throws_ok($$SELECT tenancy.unfreeze_tenant('00000000-0000-4000-8000-00000000000f', 's')$$, 'TN002', 'tenant is not available', 'an unknown tenant');

-- Whoever may not.
SET SESSION AUTHORIZATION :"other";
SELECT throws_ok($$SELECT tenancy.rebuild_begin('s', 'vectors')$$, '42501', 'must be owner of relation public.s_chunks', 'another owner cannot rebuild it');
SELECT throws_ok($$SELECT tenancy.forget_stores('s')$$, '42501', 'must be owner of relation public.s_chunks', 'nor take it away');
SELECT throws_ok($$SELECT tenancy.keep_stores('s')$$, '42501', 'must be owner of relation public.s_chunks', 'nor make it anew');
SELECT throws_ok($$SELECT tenancy.rebuildable_stores('t')$$, 'TN010', 'corpus "t" is not configured', 'an unknown one is said');
RESET SESSION AUTHORIZATION;
SELECT throws_ok($$CALL tenancy.rebuild_corpus(NULL)$$, '22004', 'corpus must not be null', 'rebuild what?');
SELECT throws_ok($$CALL tenancy.rebuild_corpus('s', 0)$$, '22023', 'invalid batch_rows 0', 'in steps of nothing');

-- The store is written by its triggers, on the tables of its corpus and nowhere else.
SET SESSION AUTHORIZATION :"owner";
SELECT throws_ok('SELECT FROM tenancy.vector_blocks', '42501', 'permission denied for table vector_blocks', 'nobody reads the store');
SELECT throws_ok('SELECT FROM tenancy.stores', '42501', 'permission denied for table stores', 'or the registry');
SELECT throws_ok('CREATE TABLE t (a integer); CREATE TRIGGER t AFTER INSERT ON t EXECUTE FUNCTION tenancy.keep_vectors(''s'')', '42501',
    NULL, 'or makes a trigger of it');
RESET SESSION AUTHORIZATION;
SELECT sum(entries) AS codes FROM tenancy.vector_blocks \gset
CREATE TABLE decoy (LIKE s_chunks INCLUDING DEFAULTS);
CREATE TRIGGER decoy_insert AFTER INSERT ON decoy REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tenancy.keep_vectors('s');
CREATE TRIGGER decoy_delete AFTER DELETE ON decoy REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION tenancy.keep_vectors('s');
CREATE TRIGGER decoy_truncate AFTER TRUNCATE ON decoy FOR EACH STATEMENT EXECUTE FUNCTION tenancy.keep_vectors('s');
INSERT INTO decoy (tenant_id, id, document_id, content, embedding) SELECT tenant_id, id, document_id, content, embedding FROM s_chunks;
DELETE FROM decoy;
TRUNCATE decoy;
SELECT is((SELECT sum(entries) FROM tenancy.vector_blocks), :codes::bigint, 'a trigger on a table that is not the corpus''s writes nothing');
CREATE TRIGGER without_tables AFTER INSERT ON decoy FOR EACH STATEMENT EXECUTE FUNCTION tenancy.keep_vectors('s');
SELECT throws_ok('INSERT INTO decoy SELECT * FROM decoy', '39P01', 'tenancy.keep_vectors() needs the transition tables of its statement', 'one without transition tables is refused');
DROP TABLE decoy;

-- Partitions: written through the root or directly, made and attached later.
CREATE VIEW dead_in_p AS SELECT f.code, f.fix FROM tenancy.store_faults() f WHERE f.object = 'corpus p' AND f.code = 'store_dead';
SET SESSION AUTHORIZATION :"owner";
CREATE TABLE p_documents (id uuid NOT NULL, tenant_id uuid NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE p_chunks (content text NOT NULL, tenant_id uuid NOT NULL, id uuid NOT NULL, document_id uuid NOT NULL, embedding vector(2), PRIMARY KEY (tenant_id, id)) PARTITION BY HASH (tenant_id, id);
CREATE TABLE p_chunks_0 PARTITION OF p_chunks FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE p_chunks_1 (embedding vector(2), id uuid NOT NULL, content text NOT NULL, tenant_id uuid NOT NULL, document_id uuid NOT NULL);
ALTER TABLE p_chunks ATTACH PARTITION p_chunks_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
SELECT count(*) FROM tenancy.protect('p_documents');
SELECT count(*) FROM tenancy.protect('p_chunks');
SELECT tenancy.attach_corpus('p', 'p_documents', 'p_chunks');
CREATE TABLE p_chunks_2 PARTITION OF p_chunks FOR VALUES WITH (MODULUS 3, REMAINDER 2);
RESET SESSION AUTHORIZATION;
INSERT INTO p_chunks SELECT 'chunk ' || i, a(), md5(i::text)::uuid, a(), ARRAY[sin(i), cos(i)]::vector FROM generate_series(1, 500) i;
SELECT agree('p', 'p_chunks', 'codes', 'a partitioned table');
UPDATE p_chunks_1 SET embedding = '[0.3,0.51]' WHERE content LIKE '%7';
DELETE FROM p_chunks_2 WHERE content LIKE '%8';
UPDATE p_chunks SET id = md5(id::text)::uuid WHERE content LIKE '%9';
SELECT agree('p', 'p_chunks', 'codes', 'written by partition, and rows that move');
ALTER TABLE p_chunks DETACH PARTITION p_chunks_0;
SELECT agree('p', 'p_chunks', 'codes', 'without a partition');
SELECT results_eq('SELECT code, fix FROM dead_in_p', $$VALUES ('store_dead', 'CALL tenancy.rebuild_corpus(''p'')')$$, 'whose codes are dead, as check() says');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'p_chunks_0'::regclass AND tgname LIKE 'tenancy\_vectors%'), 0::bigint, 'and which writes to the store no more');
CALL tenancy.rebuild_corpus('p');
SELECT is_empty('SELECT FROM dead_in_p', 'not once it is rebuilt');
CREATE TABLE p_chunks_3 PARTITION OF p_chunks FOR VALUES WITH (MODULUS 3, REMAINDER 0);
ALTER TABLE p_chunks DETACH PARTITION p_chunks_3;
SELECT is_empty('SELECT FROM dead_in_p', 'nor for a partition without rows');
TRUNCATE p_chunks_2;
SELECT agree('p', 'p_chunks', 'codes', 'a partition that is emptied alone');
SELECT isnt_empty('SELECT FROM dead_in_p', 'leaves dead codes, too');
SELECT tenancy.rebuild_begin('p', 'vectors');
INSERT INTO p_chunks SELECT 'chunk ' || i, a(), md5('more' || i)::uuid, a(), ARRAY[sin(i), cos(i)]::vector FROM generate_series(1, 90) i
WHERE NOT satisfies_hash_partition('p_chunks'::regclass, 3, 0, a(), md5('more' || i)::uuid);
SELECT tenancy.rebuild_step('p', 'vectors', 20);
TRUNCATE p_chunks_1;
CALL tenancy.rebuild_corpus('p', 20);
SELECT isnt_empty('SELECT FROM dead_in_p', 'also when it was emptied while the store was built');
CALL tenancy.rebuild_corpus('p');
SELECT is_empty('SELECT FROM dead_in_p', 'which another build drops');
CREATE TABLE loaded (LIKE p_chunks);
INSERT INTO loaded SELECT content, tenant_id, id, document_id, embedding FROM p_chunks_0;
SELECT run('ALTER TABLE loaded OWNER TO ' || quote_ident(role_name('owner')));
ALTER TABLE p_chunks ATTACH PARTITION loaded FOR VALUES WITH (MODULUS 3, REMAINDER 0);
SELECT agree('p', 'p_chunks', 'rows: the store is not built', 'with one that came with rows');
CALL tenancy.rebuild_corpus('p');
SELECT agree('p', 'p_chunks', 'codes', 'rebuilt');

-- Tenants by other keys.
SELECT tenancy.create_corpus('unused', 2);
CREATE TABLE k_documents (account bigint NOT NULL, id uuid NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE k_chunks (account text NOT NULL, id uuid NOT NULL, document_id uuid NOT NULL, content text NOT NULL, embedding halfvec(2), PRIMARY KEY (account, id));
SELECT count(*) FROM tenancy.protect('k_documents', 'account', 'bigint');
SELECT count(*) FROM tenancy.protect('k_chunks', 'account', 'text');
INSERT INTO k_chunks SELECT k, md5(k || i)::uuid, md5(k)::uuid, 'chunk ' || i, ARRAY[sin(i), cos(i)]::vector FROM unnest('{1001,1002}'::text[]) k, generate_series(1, 60) i;
SELECT tenancy.attach_corpus('k', 'k_documents', 'k_chunks');
SELECT is((SELECT count(*) FROM tenancy.stores WHERE corpus = 'k'), 0::bigint, 'a table with rows is not read when it is attached');
CALL tenancy.rebuild_corpus('k', 25);
SET ROLE :"app";
SELECT is(tier('k') || ' ' || (SELECT count(*) FROM tenancy.match_chunks('[1,0]', 1000, corpus => 'k')), 'codes 60', 'keys of text');
RESET ROLE;

-- Away.
SELECT is((SELECT count(*) FROM tenancy.vector_blocks b JOIN tenancy.stores s ON s.number = b.store WHERE s.corpus = 'k') > 0, true, 'there are codes');
SELECT tenancy.drop_corpus('k'), tenancy.drop_corpus('p', true);
SELECT is((SELECT count(*) FROM tenancy.vector_blocks b WHERE b.store NOT IN (SELECT number FROM tenancy.stores)), 0::bigint, 'drop_corpus takes the codes along');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'k_chunks'::regclass AND tgname LIKE 'tenancy\_vectors%'), 0::bigint, 'and the triggers');
TRUNCATE s_chunks;
SELECT is((SELECT count(*) FROM tenancy.vector_blocks), 0::bigint, 'TRUNCATE leaves nothing');

SELECT * FROM finish();
