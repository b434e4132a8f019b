-- One tenant's part of both stores: read, given back, made anew, taken away; and a keyword store that is built in steps while
-- others write. What commits is in it, so this file is not one transaction.
SELECT plan(49);
SET search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role('app');
SELECT make_role('operator', NULL);
SELECT tenancy.grant_control_plane(role_name('operator')::regrole);
SELECT role_name('app') AS app, role_name('operator') AS operator \gset
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test_helpers TO PUBLIC;

CREATE FUNCTION answer(corpus text, by_store boolean) RETURNS text
LANGUAGE sql SET extra_float_digits = 3 AS $$
    SELECT coalesce(string_agg(concat_ws(' ', q, k.chunk_id, k.similarity, k.content), E'\n'), 'nothing')
    FROM (SELECT set_config('tenancy.use_stores', by_store::text, true)) s, unnest('{red,red tree,"\"red apple\" tree -blue",number -41,new}'::text[]) q,
         LATERAL (SELECT * FROM tenancy.keyword_search(q, 30, corpus => $1)
                  UNION ALL SELECT h.chunk_id, h.document_id, h.chunk_index, h.content, h.combined_score, h.metadata, h.document_title, h.document_source
                  FROM tenancy.hybrid_search('[1]', q, 5, corpus => $1) h) k
$$;
CREATE FUNCTION some_text(i bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'number', i, repeat('red ', (i % 4)::integer) || (ARRAY['apple', 'tree', 'blue sky', ''])[1 + i % 3], repeat('x ', (i % 7)::integer))
$$;
-- As the application, in a tenant: search agrees with the rows; how many rows of words the tenant has is as expected.
CREATE FUNCTION agree(corpus text, tenant uuid, situation text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    PERFORM tenancy.set_tenant(tenant, false);
    PERFORM set_config('role', role_name('app'), true);
    said := is(answer(corpus, true), answer(corpus, false), situation);
    PERFORM set_config('role', 'none', true);
    RETURN said;
END
$$;
CREATE FUNCTION words_of(corpus text, tenant bytea, OUT frozen bigint, OUT segments bigint, OUT log bigint) LANGUAGE sql AS $$
    SELECT count(*) FILTER (WHERE g.part = -1), count(*) FILTER (WHERE g.part = 0),
           (SELECT count(*) FROM tenancy.keyword_log l WHERE l.store = s.number AND l.tenant = words_of.tenant)
    FROM tenancy.stores s LEFT JOIN tenancy.keyword_segments g ON g.store = s.number AND g.tenant = words_of.tenant
    WHERE s.corpus = words_of.corpus AND s.kind = 'words' GROUP BY s.number
$$;

SELECT tenancy.create_corpus('s', 1);
INSERT INTO s_documents (tenant_id, id) SELECT t, md5(t::text || i)::uuid FROM unnest(ARRAY[a(), b()]) t, generate_series(1, 3) i;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT t, md5(t::text || 1)::uuid, i, some_text(i), CASE WHEN i < 400 THEN '[1]'::vector END FROM unnest(ARRAY[a(), b()]) t, generate_series(1, 500) i;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 1)::uuid, 501, 'red alone');
DELETE FROM s_chunks WHERE chunk_index = 7;

-- Read.
SET SESSION AUTHORIZATION :"operator";
SELECT is(tenancy.prewarm_tenant(a(), 's'), 500::bigint, 'prewarm reads the words, also of chunks without an embedding');
RESET SESSION AUTHORIZATION;
BEGIN;
UPDATE tenancy.keyword_segments g SET data = overlay(data PLACING '\x00' FROM octet_length(data)) WHERE part = 2 AND tenant = uuid_send(a());
SELECT throws_ok(format('SELECT tenancy.prewarm_tenant(%L, ''s'')', a()), 'XX002', 'keyword store is corrupt', 'and verifies the lengths');
ROLLBACK;
BEGIN;
DELETE FROM tenancy.keyword_segments g WHERE part = 4 AND tenant = uuid_send(a());
SELECT throws_ok(format('SELECT tenancy.prewarm_tenant(%L, ''s'')', a()), 'XX002', 'keyword store is corrupt', 'the places');
ROLLBACK;
BEGIN;
UPDATE tenancy.keyword_segments g SET data = overlay(data PLACING '\xffffff' FROM 2) WHERE part = 1 AND tenant = uuid_send(a());
SELECT throws_ok(format('SELECT tenancy.prewarm_tenant(%L, ''s'')', a()), 'XX002', 'keyword store is corrupt', 'the ids');
ROLLBACK;
BEGIN;
UPDATE tenancy.keyword_log g SET documents = overlay(documents PLACING '\x00' FROM octet_length(documents)) WHERE tenant = uuid_send(a());
SELECT throws_ok(format('SELECT tenancy.prewarm_tenant(%L, ''s'')', a()), 'XX002', 'keyword store is corrupt', 'and the log');
ROLLBACK;

-- Given back, and what is written meanwhile.
SET SESSION AUTHORIZATION :"operator";
SELECT is(tenancy.freeze_tenant(a(), 's'), 500::bigint, 'freeze gives the words back');
SELECT is(tenancy.freeze_tenant(a(), 's'), 0::bigint, 'once');
SELECT is(tenancy.prewarm_tenant(a(), 's'), 0::bigint, 'there is nothing to read');
RESET SESSION AUTHORIZATION;
SELECT results_eq($$SELECT frozen, segments, log FROM words_of('s', uuid_send(a()))$$, 'VALUES (1::bigint, 0::bigint, 0::bigint)', 'no words are left');
SELECT agree('s', a(), 'a frozen tenant is searched by its rows');
SELECT agree('s', b(), 'another one as ever');
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 1000, 'red new');
UPDATE s_chunks SET content = 'new red tree' WHERE chunk_index BETWEEN 10 AND 12;
DELETE FROM s_chunks WHERE chunk_index BETWEEN 20 AND 23;
SELECT agree('s', a(), 'and can be written');
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) SELECT a(), md5(a()::text || 3)::uuid, 1000 + i, some_text(i) FROM generate_series(1, 200) i;
DO $$ BEGIN
    FOR i IN 1..300 LOOP
        INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 2000 + i, some_text(i));
    END LOOP;
END $$;
SELECT agree('s', a(), 'a lot');
SELECT results_eq($$SELECT frozen, segments, log < 200 FROM words_of('s', uuid_send(a()))$$, 'VALUES (1::bigint, 0::bigint, true)', 'which takes no room for long');

-- Made anew.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT throws_ok(format('SELECT tenancy.unfreeze_tenant(%L, ''s'')', a()), '25001', 'a tenant cannot be unfrozen in a transaction that keeps one snapshot', 'who keeps a snapshot does not unfreeze');
ROLLBACK;
BEGIN;
SELECT cmp_ok(tenancy.unfreeze_tenant(a(), 's'), '=', 997::bigint, 'unfreeze reads the rows');
ROLLBACK;
SELECT agree('s', a(), 'not when it is rolled back');
BEGIN;
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (a(), md5(a()::text || 3)::uuid, 3000, 'new in this transaction');
SET SESSION AUTHORIZATION :"operator";
SELECT is(tenancy.unfreeze_tenant(a(), 's'), 998::bigint, 'unfreeze packs the words anew');
SELECT is(tenancy.unfreeze_tenant(a(), 's'), 0::bigint, 'once');
RESET SESSION AUTHORIZATION;
DELETE FROM s_chunks WHERE chunk_index = 30;
COMMIT;
SELECT agree('s', a(), 'and the store answers');
SELECT results_eq($$SELECT frozen, segments FROM words_of('s', uuid_send(a()))$$, 'VALUES (0::bigint, 1::bigint)', 'from one segment');
SELECT is(tenancy.prewarm_tenant(a(), 's'), 997::bigint, 'in which all words are found');

-- Whoever may not, and wrong arguments.
SET SESSION AUTHORIZATION :"app";
SELECT throws_ok(format('SELECT tenancy.%s(%L, ''s'')', f, a()), '42501', format('permission denied for function %s', f), f || ' is not for everybody')
FROM unnest('{freeze_tenant,unfreeze_tenant,prewarm_tenant}'::text[]) f;
SELECT throws_ok(format('SELECT tenancy.%s', f), '42501', format('permission denied for function %s', split_part(f, '(', 1)), f || ' is nobody''s')
FROM unnest('{"freeze_words(1, '''')","unfreeze_words(''s'', 1, '''', ''SELECT'')","read_words(1, '''')","pack_words(''s'', ''SELECT'', 1, NULL, NULL)"}'::text[]) f;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION :"operator";
SELECT throws_ok(format('SELECT tenancy.%s(NULL, ''s'')', f), '22004', 'tenant must not be null', f || ' needs a tenant')
FROM unnest('{freeze_tenant,unfreeze_tenant,prewarm_tenant}'::text[]) f;
RESET SESSION AUTHORIZATION;
SELECT throws_ok($$SELECT tenancy.pack_words('s', 'SELECT', 1, NULL, NULL)$$, '55000', 'the keyword store of corpus "s" is not being built', 'nothing is packed into a store that is not being built');

-- Taken away, with both stores.
SELECT tenancy.freeze_tenant(b(), 's');
INSERT INTO s_chunks (tenant_id, document_id, chunk_index, content) VALUES (b(), md5(b()::text || 1)::uuid, 4000, 'red new');
SELECT tenancy.delete_tenant(b());
CALL tenancy.purge_tenant(b(), 100);
SELECT results_eq($$SELECT count(*) FROM tenancy.keyword_segments UNION ALL SELECT count(*) FROM tenancy.keyword_log UNION ALL SELECT count(*) FROM tenancy.vector_blocks$$,
    $$SELECT count(*) FROM tenancy.keyword_segments WHERE tenant = uuid_send(a()) UNION ALL SELECT count(*) FROM tenancy.keyword_log WHERE tenant = uuid_send(a())
      UNION ALL SELECT count(*) FROM tenancy.vector_blocks WHERE tenant = uuid_send(a())$$, 'of a frozen tenant that is purged no store keeps anything');
SELECT agree('s', a(), 'and the other has all of its own');

-- Built in steps, with tenants in any order of their keys, of texts in that of their collation.
CREATE TABLE n_documents (account integer NOT NULL, id uuid NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE n_chunks (account integer NOT NULL, id uuid NOT NULL, document_id uuid NOT NULL, content text, embedding vector(1), PRIMARY KEY (account, id));
CREATE TABLE t_documents (account text NOT NULL, id uuid NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE t_chunks (account text COLLATE "en-x-icu" NOT NULL, id uuid NOT NULL, document_id uuid NOT NULL, content text, embedding vector(1), PRIMARY KEY (account, id));
INSERT INTO tenancy.tenants (organization_id, slug, name, external_key)
SELECT '00000000-0000-0000-0000-000000000001', 'n' || n, 'N', n::text FROM unnest('{-5,3,1003}'::integer[]) n;
INSERT INTO tenancy.tenants (organization_id, slug, name, external_key)
SELECT '00000000-0000-0000-0000-000000000001', 't' || row_number() OVER (), 'T', k FROM unnest('{Zoe,adam,Émile,Bob}'::text[]) k;
SELECT count(*) FROM tenancy.protect('n_documents', 'account', 'integer');
SELECT count(*) FROM tenancy.protect('n_chunks', 'account', 'integer');
SELECT count(*) FROM tenancy.protect('t_documents', 'account', 'text');
SELECT count(*) FROM tenancy.protect('t_chunks', 'account', 'text');
INSERT INTO n_chunks SELECT n, md5(n::text || i)::uuid, md5(n::text)::uuid, some_text(i) FROM unnest('{-5,3,1001,1003}'::integer[]) n, generate_series(1, 150) i;
INSERT INTO t_chunks SELECT k, md5(k || i)::uuid, md5(k)::uuid, CASE WHEN i % 5 > 0 THEN some_text(i) END FROM unnest('{Zoe,adam,Émile,1001}'::text[]) k, generate_series(1, 90) i;
SELECT tenancy.attach_corpus('n', 'n_documents', 'n_chunks'), tenancy.attach_corpus('t', 't_documents', 't_chunks');

-- Between the steps chunks come, change and go, before the place that the build has come to and after it.
CREATE PROCEDURE build(corpus text, batch integer, key text, bulk text) LANGUAGE plpgsql AS $$
DECLARE
    i integer := 0;
BEGIN
    PERFORM tenancy.rebuild_begin(corpus, 'words');
    COMMIT;
    LOOP
        i := i + 1;
        EXECUTE format('DELETE FROM %1$s_chunks WHERE id IN (SELECT id FROM %1$s_chunks ORDER BY md5(id::text || %2$s) LIMIT 3)', corpus, i);
        EXECUTE format('UPDATE %1$s_chunks SET content = ''new red tree %2$s'' WHERE id IN (SELECT id FROM %1$s_chunks ORDER BY md5(%2$s || id::text) LIMIT 4)', corpus, i);
        EXECUTE format('UPDATE %1$s_chunks SET id = md5(''moved'' || id)::uuid WHERE id IN (SELECT id FROM %1$s_chunks ORDER BY md5(%2$s || id::text) LIMIT 1)', corpus, i);
        EXECUTE format('INSERT INTO %1$s_chunks SELECT account, md5(account || ''-new-%2$s'')::uuid, document_id, ''new red apple'' FROM (SELECT DISTINCT ON (account) * FROM %1$s_chunks) c', corpus, i);
        IF i = 3 THEN
            EXECUTE format('INSERT INTO %1$s_chunks SELECT %2$L, md5(''bulk'' || n)::uuid, md5(''bulk'')::uuid, some_text(n) FROM generate_series(1, 100) n', corpus, bulk);
        END IF;
        IF i = 5 THEN
            EXECUTE format('DELETE FROM %1$s_chunks WHERE account = %2$L', corpus, key);
        END IF;
        COMMIT;
        EXIT WHEN tenancy.rebuild_step(corpus, 'words', batch) < batch;
        COMMIT;
    END LOOP;
END $$;
CALL build('n', 41, '3', '-5');
SELECT is((SELECT state FROM tenancy.stores WHERE corpus = 'n' AND kind = 'words'), 'built', 'built in steps');
SELECT agree('n', t.id, format('tenant %s while others wrote', t.external_key)) FROM tenancy.tenants t WHERE external_key IN ('-5', '3', '1001') ORDER BY external_key;
SELECT is((SELECT sum(tenancy.prewarm_tenant(t.id, 'n')) FROM tenancy.tenants t)::bigint, (SELECT count(*) FROM n_chunks), 'with as many chunks as there are');
CALL build('t', 33, 'adam', 'Bob');
SELECT agree('t', t.id, format('tenant %s while others wrote', t.external_key)) FROM tenancy.tenants t WHERE external_key IN ('Zoe', 'adam', 'Bob', 'Émile') ORDER BY external_key;
SELECT is((SELECT sum(tenancy.prewarm_tenant(t.id, 't')) FROM tenancy.tenants t)::bigint, (SELECT count(*) FROM t_chunks WHERE content IS NOT NULL), 'with as many chunks as have words');

-- A unique id may be null: such a chunk is nobody's to find, and no place to go on from.
CREATE TABLE u_documents (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE u_chunks (tenant_id uuid NOT NULL, id uuid, document_id uuid NOT NULL, content text, embedding vector(1), UNIQUE (tenant_id, id));
SELECT count(*) FROM tenancy.protect('u_documents');
SELECT count(*) FROM tenancy.protect('u_chunks');
INSERT INTO u_chunks SELECT a(), CASE WHEN i > 15 THEN md5(i::text)::uuid END, a(), some_text(i), '[1]' FROM generate_series(1, 25) i;
SELECT tenancy.attach_corpus('u', 'u_documents', 'u_chunks');
CALL tenancy.rebuild_corpus('u', 5);
SELECT is(tenancy.prewarm_tenant(a(), 'u'), 10::bigint, 'chunks without an id are left out of a build');
SELECT agree('u', a(), 'and of what is found, also by the rows');
SELECT results_eq(format($$SELECT set_config('tenancy.use_stores', s, false), (SELECT count(*) FROM tenancy.match_chunks('[1]', 100 + 0 * length(s), corpus => 'u')),
        (SELECT count(*) FROM tenancy.keyword_search('red', 100 + 0 * length(s), corpus => 'u')), (SELECT count(*) FROM tenancy.hybrid_search('[1]', 'number', 100 + 0 * length(s), corpus => 'u'))
    FROM unnest('{off,on}'::text[]) s$$), $$VALUES ('off', 10::bigint, 7::bigint, 10::bigint), ('on', 10, 7, 10)$$, 'by either lane');
CREATE POLICY some_of_them ON u_chunks AS RESTRICTIVE FOR SELECT USING (content <> 'number 16');
SELECT agree('u', a(), 'where other policies hide chunks, too');

SELECT * FROM finish();
