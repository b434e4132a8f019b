-- get_document_chunks gives a document's chunks in reading order.
BEGIN;
SELECT plan(3);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 1);
SELECT test_helpers.act_as('app', test_helpers.a());
INSERT INTO documents (id) VALUES ('00000000-0000-0000-0000-00000000000d'), ('00000000-0000-0000-0000-00000000000e');
INSERT INTO chunks (document_id, chunk_index, content, metadata)
SELECT d.id, i, 'part ' || i, jsonb_build_object('i', i) FROM documents d, unnest('{3,1,600,2}'::integer[]) i;

SELECT results_eq($$SELECT chunk_index, content, metadata FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d')$$,
    $$VALUES (1, 'part 1', '{"i": 1}'::jsonb), (2, 'part 2', '{"i": 2}'), (3, 'part 3', '{"i": 3}'), (600, 'part 600', '{"i": 600}')$$, 'in order');
SELECT results_eq($$SELECT chunk_id FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000e')$$,
    $$SELECT id FROM chunks WHERE document_id = '00000000-0000-0000-0000-00000000000e' ORDER BY chunk_index$$, 'of this document');
SELECT is((SELECT count(*) FROM documents d, tenancy.get_document_chunks(d.id)), 8::bigint, 'also laterally');

SELECT * FROM finish();
ROLLBACK;
