-- A corpus is made of ordinary tables of the caller's, protected, in the registry, open to the application's roles.
BEGIN;
SELECT plan(41);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.make_owner('other');

SELECT test_helpers.act_as('owner');
SELECT is(tenancy.create_corpus(dimensions => 3), 'default', 'an owner makes the default corpus');
SELECT is(tenancy.create_corpus('notes', 8, 'l2', 'simple', embedding_type => 'halfvec'), 'notes', 'and one with a name');

SELECT results_eq(
    $$SELECT concat_ws(' ', name, documents, chunks, dimensions, metric, text_config) COLLATE "default" FROM tenancy.corpora ORDER BY name$$,
    $$VALUES ('default documents chunks 3 cosine pg_catalog.english'), ('notes notes_documents notes_chunks 8 l2 pg_catalog.simple')$$,
    'both are registered');
SELECT table_owner_is('public', 'notes_chunks', test_helpers.role_name('owner')::name, 'the tables belong to who made them');
SELECT columns_are('public', 'documents', '{tenant_id,id,title,source,metadata,created_at,updated_at}', 'columns of documents');
SELECT columns_are('public', 'chunks', '{tenant_id,id,document_id,chunk_index,content,embedding,metadata,content_tsv,created_at}', 'columns of chunks');
SELECT col_type_is('public', 'chunks', 'embedding', 'vector(3)', 'embeddings have the dimensions');
SELECT col_type_is('public', 'notes_chunks', 'embedding', 'halfvec(8)', 'and the type asked for');
SELECT col_is_pk('public', 'chunks', '{tenant_id,id}'::name[], 'the tenant leads the key');
SELECT fk_ok('public', 'chunks', '{tenant_id,document_id}'::name[], 'public', 'documents', '{tenant_id,id}'::name[], 'a chunk belongs to a document of its own tenant');
SELECT results_eq(
    $$SELECT oid::regclass, relrowsecurity AND relforcerowsecurity, tenancy.tenant_column(oid) = 'tenant_id' FROM pg_class
      WHERE relname IN ('documents', 'chunks', 'notes_documents', 'notes_chunks') ORDER BY relname$$,
    $$VALUES ('chunks'::regclass, true, true), ('documents', true, true), ('notes_chunks', true, true), ('notes_documents', true, true)$$,
    'all four are protected');
SELECT table_privs_are('public', 'chunks', test_helpers.role_name('app')::name, '{SELECT,INSERT,UPDATE,DELETE}', 'application roles that were there may use them');
SELECT table_privs_are('public', 'documents', test_helpers.role_name('other')::name, '{}', 'and nobody else');

SELECT test_helpers.act_as_superuser();
SELECT test_helpers.make_role('late');
SELECT table_privs_are('public', 'notes_documents', test_helpers.role_name('late')::name, '{SELECT,INSERT,UPDATE,DELETE}', 'and application roles that come later');

-- In a schema of the owner's.
SELECT format('CREATE SCHEMA "Its Own" AUTHORIZATION %I', test_helpers.role_name('owner')) \gexec
SELECT test_helpers.act_as('owner');
SELECT is(tenancy.create_corpus('own', 2, schema => 'Its Own'), 'own', 'a corpus in another schema');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT lives_ok($$INSERT INTO "Its Own".own_documents (title) VALUES ('here'); SELECT * FROM tenancy.match_chunks('[1,2]', corpus => 'own')$$,
    'the application can reach it');

-- Used by the application: everything is filled in by defaults.
SELECT test_helpers.act_as('app', test_helpers.a());
INSERT INTO documents (id, title) VALUES ('00000000-0000-0000-0000-00000000000d', 'one');
INSERT INTO chunks (document_id, content, embedding) VALUES ('00000000-0000-0000-0000-00000000000d', 'Walking dogs', '[1,0,0]');
SELECT results_eq(
    'SELECT tenant_id, chunk_index, metadata, content_tsv FROM chunks',
    $$VALUES (test_helpers.a(), 0, '{}'::jsonb, '''dog'':2 ''walk'':1'::tsvector)$$, 'tenant, place, metadata and words come by themselves');
SELECT throws_ok(
    $$INSERT INTO chunks (document_id, content) VALUES ('00000000-0000-0000-0000-00000000000d', 'again')$$, '23505',
    'duplicate key value violates unique constraint "chunks_tenant_id_document_id_chunk_index_key"', 'a place in a document is taken once');
SELECT results_eq('SELECT name COLLATE "default" FROM tenancy.corpora ORDER BY 1', $$VALUES ('default'), ('notes'), ('own')$$, 'the application may read the registry');
SELECT throws_ok($$DELETE FROM tenancy.corpora$$, '42501', 'permission denied for table corpora', 'and not write it');
SELECT throws_ok($$SELECT tenancy.create_corpus('mine', 3)$$, '42501', 'permission denied for function create_corpus', 'nor make corpora');
DELETE FROM documents;
SELECT is_empty('SELECT * FROM chunks', 'chunks go with their document');

-- What is refused.
SELECT test_helpers.act_as('owner');
SELECT throws_ok($$SELECT tenancy.create_corpus('more')$$, 'TN010', 'dimensions of the corpus are not given', 'no dimensions');
SELECT throws_ok($$SELECT tenancy.create_corpus('more', 0)$$, '22023', 'dimensions must be between 1 and 16000, not 0', 'dimensions 0');
SELECT throws_ok($$SELECT tenancy.create_corpus('more', 16001)$$, '22023', 'dimensions must be between 1 and 16000, not 16001', 'too many dimensions');
SELECT throws_ok($$SELECT tenancy.create_corpus('more', 3, 'hamming')$$, '22023', 'invalid metric ''hamming''', 'unknown metric');
SELECT throws_ok($$SELECT tenancy.create_corpus('more', 3, NULL)$$, '22004', 'metric must not be null', 'no metric');
SELECT throws_ok($$SELECT tenancy.create_corpus('more', 3, text_config => NULL)$$, '22004', 'text_config must not be null', 'no text configuration');
SELECT throws_ok($$SELECT tenancy.create_corpus('more', 3, embedding_type => 'bit')$$, '22023', 'invalid embedding_type ''bit''', 'unknown type');
SELECT throws_ok($$SELECT tenancy.create_corpus('More; DROP TABLE x', 3)$$, '22023', 'invalid corpus name ''More; DROP TABLE x''', 'a bad name');
SELECT throws_ok($$SELECT tenancy.create_corpus(NULL, 3)$$, '22004', 'name must not be null', 'no name');
SELECT throws_ok($$SELECT tenancy.create_corpus('notes', 3)$$, '42710', 'corpus "notes" already exists', 'a name that is taken');
SELECT throws_ok($$SELECT tenancy.create_corpus('more', 3, schema => 'nowhere')$$, '3F000', 'schema "nowhere" does not exist', 'a schema that is not there');
CREATE TABLE taken_chunks (i integer);
SELECT throws_ok($$SELECT tenancy.create_corpus('taken', 3)$$, '42P07', 'relation "taken_chunks" already exists', 'a table that is in the way');
SELECT hasnt_table('public', 'taken_documents', 'and nothing is left of it');

-- Dropping.
SELECT test_helpers.act_as('other');
SELECT throws_ok($$SELECT tenancy.drop_corpus('notes')$$, '42501', 'must be owner of the tables of corpus "notes"', 'only the owner drops a corpus');
SELECT test_helpers.act_as('owner');
SELECT throws_ok($$SELECT tenancy.drop_corpus('nothing')$$, 'TN010', 'corpus "nothing" is not configured', 'one that is not there');
SELECT lives_ok($$SELECT tenancy.drop_corpus('notes')$$, 'out of the registry');
SELECT has_table('public', 'notes_chunks', 'the tables stay');
SELECT tenancy.attach_corpus('notes', 'notes_documents', 'notes_chunks', metric => 'l2');
SELECT tenancy.drop_corpus('notes', drop_tables => true);
SELECT hasnt_table('public', 'notes_chunks', 'unless their dropping is asked for');
SELECT is_empty($$SELECT * FROM tenancy.corpora WHERE name = 'notes'$$, 'and the name is free');

SELECT * FROM finish();
ROLLBACK;
