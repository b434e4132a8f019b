-- Attack 25: reach B's chunks through a document's id, a filter or a corpus's name.
BEGIN;
SELECT plan(22);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT tenancy.create_corpus(dimensions => 2);
SELECT tenancy.create_corpus('private', 2);
REVOKE ALL ON private_chunks, private_documents FROM PUBLIC;
INSERT INTO documents (tenant_id, id, title) VALUES (a(), 'aaaaaaaa-0000-4000-8000-00000000000d', 'of A'), (b(), 'bbbbbbbb-0000-4000-8000-00000000000d', 'of B');
INSERT INTO chunks (tenant_id, id, document_id, content, embedding, metadata) VALUES
    (a(), 'aaaaaaaa-0000-4000-8000-00000000000c', 'aaaaaaaa-0000-4000-8000-00000000000d', 'apples of A', '[1,0]', '{"owner": "a"}'),
    (b(), 'bbbbbbbb-0000-4000-8000-00000000000c', 'bbbbbbbb-0000-4000-8000-00000000000d', 'apples of B', '[1,0]', '{"owner": "b"}');
CREATE TEMP TABLE searches (name text, call text);
INSERT INTO searches VALUES
    ('match_chunks', 'SELECT content FROM tenancy.match_chunks(''[1,0]'', %s)'),
    ('keyword_search', 'SELECT content FROM tenancy.keyword_search(''apples'', %s)'),
    ('hybrid_search', 'SELECT content FROM tenancy.hybrid_search(''[1,0]'', ''apples'', %s)');
GRANT SELECT ON searches TO PUBLIC;

SELECT act_as('app', a());
SELECT results_eq(format(call, '10'), $$VALUES ('apples of A')$$, name || ': own chunks only') FROM searches;
SELECT is_empty(format(call, 'document_ids => ''{bbbbbbbb-0000-4000-8000-00000000000d}'''), name || ': no chunk of B''s document') FROM searches;
SELECT is_empty(format(call, 'document_ids => ''{cccccccc-0000-4000-8000-00000000000d}'''), name || ': as of an unknown one') FROM searches;
SELECT results_eq(
    format(call, 'document_ids => ''{bbbbbbbb-0000-4000-8000-00000000000d,aaaaaaaa-0000-4000-8000-00000000000d}'''),
    $$VALUES ('apples of A')$$, name || ': among both, the own') FROM searches;
SELECT is_empty(format(call, 'filter => ''{"owner": "b"}'''), name || ': no chunk with B''s metadata') FROM searches;
SELECT results_eq($$SELECT content FROM tenancy.get_document_chunks('aaaaaaaa-0000-4000-8000-00000000000d')$$, $$VALUES ('apples of A')$$, 'get_document_chunks: the own document');
SELECT is_empty($$SELECT * FROM tenancy.get_document_chunks('bbbbbbbb-0000-4000-8000-00000000000d')$$, 'get_document_chunks: not B''s');
SELECT is_empty($$SELECT * FROM tenancy.get_document_chunks('cccccccc-0000-4000-8000-00000000000d')$$, 'get_document_chunks: nor an unknown one');

-- A chunk of A that says it belongs to a document of B: the foreign key refuses it, and no title would come with it.
SELECT throws_ok($$INSERT INTO chunks (document_id, chunk_index, content) VALUES ('bbbbbbbb-0000-4000-8000-00000000000d', 1, 'stolen title')$$, '23503',
    'insert or update on table "chunks" violates foreign key constraint "chunks_tenant_id_document_id_fkey"', 'no chunk hangs on B''s document');

-- A corpus whose tables the application may not read.
SELECT act_as_superuser();
SELECT run(format('REVOKE ALL ON private_chunks, private_documents FROM %I', role_name('app')));
SELECT act_as('app', a());
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,0]', corpus => 'private')$$, '42501', 'permission denied for table private_chunks', 'functions lend no privilege');

-- The application's own search may not be turned into another's by a function that runs as the owner.
SELECT act_as_superuser();
CREATE FUNCTION find_all() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS $$SELECT content FROM tenancy.match_chunks('[1,0]')$$;
GRANT EXECUTE ON FUNCTION find_all() TO PUBLIC;
SELECT act_as('app', a());
SELECT results_eq('SELECT find_all()', $$VALUES ('apples of A')$$, 'even as a superuser the search is the tenant''s');
SELECT act_as('app', b());
SELECT results_eq('SELECT find_all()', $$VALUES ('apples of B')$$, 'whichever that is');

SELECT finish();
ROLLBACK;
