-- Every argument of the search functions: null, out of range, unknown; each refused by name with what was given.
BEGIN;
SELECT plan(44);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 3);
SELECT tenancy.create_corpus('half', 2, embedding_type => 'halfvec');
SELECT test_helpers.act_as('app', test_helpers.a());

SELECT throws_ok($$SELECT * FROM tenancy.match_chunks(NULL)$$, '22004', 'query_embedding must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', NULL)$$, '22004', 'match_count must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', 0)$$, '22023', 'match_count must be at least 1, not 0');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', -1)$$, '22023', 'match_count must be at least 1, not -1');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', -2147483648)$$, '22023', 'match_count must be at least 1, not -2147483648');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', 1, 'NaN')$$, '22023', 'match_threshold must be a number, not NaN');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2]')$$, 'TN010', 'expected 3 dimensions, not 2');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3,4]')$$, 'TN010', 'expected 3 dimensions, not 4');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,100000]', corpus => 'half')$$, 'TN010',
                 'expected a number from -65504 to 65504 in the embedding, not 100000');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', corpus => NULL)$$, '22004', 'corpus must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', corpus => 'nothing')$$, 'TN010', 'corpus "nothing" is not configured');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', corpus => '')$$, 'TN010', 'corpus "" is not configured');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', corpus => 'Default')$$, 'TN010', 'corpus "Default" is not configured');
SELECT lives_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', 2147483647, '-Infinity', '[]', '{}')$$, 'the far ends of what is allowed');

SELECT throws_ok($$SELECT * FROM tenancy.keyword_search(NULL)$$, '22004', 'query_text must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.keyword_search('x', NULL)$$, '22004', 'match_count must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.keyword_search('x', 0)$$, '22023', 'match_count must be at least 1, not 0');
SELECT throws_ok($$SELECT * FROM tenancy.keyword_search('x', corpus => NULL)$$, '22004', 'corpus must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.keyword_search('x', corpus => 'nothing')$$, 'TN010', 'corpus "nothing" is not configured');

SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search(NULL, 'x')$$, '22004', 'query_embedding must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', NULL)$$, '22004', 'query_text must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2]', 'x')$$, 'TN010', 'expected 3 dimensions, not 2');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', NULL)$$, '22004', 'match_count must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', -5)$$, '22023', 'match_count must be at least 1, not -5');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', text_weight => NULL)$$, '22004', 'text_weight must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', text_weight => 1.01)$$, '22023', 'text_weight must be between 0 and 1, not 1.01');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', text_weight => -0.5)$$, '22023', 'text_weight must be between 0 and 1, not -0.5');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', text_weight => 'NaN')$$, '22023', 'text_weight must be between 0 and 1, not NaN');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', fusion => NULL)$$, '22004', 'fusion must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', fusion => 'RRF')$$, '22023', 'fusion must be auto, rrf or convex, not "RRF"');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', rrf_k => NULL)$$, '22004', 'rrf_k must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', rrf_k => 0)$$, '22023', 'rrf_k must be at least 1, not 0');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', corpus => NULL)$$, '22004', 'corpus must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'x', corpus => 'nothing')$$, 'TN010', 'corpus "nothing" is not configured');

SELECT throws_ok($$SELECT * FROM tenancy.get_document_chunks(NULL)$$, '22004', 'document_id must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.get_document_chunks(tenancy.uuid_v7(), NULL)$$, '22004', 'corpus must not be null');
SELECT throws_ok($$SELECT * FROM tenancy.get_document_chunks(tenancy.uuid_v7(), 'nothing')$$, 'TN010', 'corpus "nothing" is not configured');
SELECT is_empty($$SELECT * FROM tenancy.get_document_chunks(tenancy.uuid_v7())$$, 'an unknown document has no chunks');

-- Texts have a limit: what stands in a query is gone through for each chunk.
SELECT throws_ok($$SELECT * FROM tenancy.keyword_search(repeat('a ', 100000))$$, '54000', 'query_text must be at most 32768 bytes long, not 200000');
SELECT throws_ok($$SELECT * FROM tenancy.hybrid_search('[1,2,3]', '"' || repeat('word ', 100000) || '"')$$, '54000', 'query_text must be at most 32768 bytes long, not 500002');
SELECT throws_ok($$SELECT * FROM tenancy.keyword_search(repeat('é', 16385))$$, '54000', 'query_text must be at most 32768 bytes long, not 32770');
SELECT lives_ok($$SELECT * FROM tenancy.keyword_search(repeat('é', 16384))$$, 'the longest query that is allowed');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', filter => jsonb_build_object('a', repeat('x', 100000)))$$, '54000');
SELECT lives_ok($$SELECT * FROM tenancy.match_chunks('[1,2,3]', filter => jsonb_build_object('a', repeat('x', 60000)))$$, 'a long filter that is allowed');

SELECT * FROM finish();
ROLLBACK;
