-- keyword_search ranks by BM25 over the tenant's own chunks; words are alternatives, phrases and minus are honoured.
BEGIN;
SELECT plan(30);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 1);
SELECT tenancy.create_corpus('plain', 1, text_config => 'simple');
SELECT tenancy.create_corpus('german', 1, text_config => 'german');
SELECT test_helpers.act_as('app', test_helpers.a());

INSERT INTO documents (id, title) VALUES ('00000000-0000-0000-0000-00000000000d', 'doc'), ('00000000-0000-0000-0000-00000000000e', 'other');
INSERT INTO chunks (document_id, chunk_index, content, metadata) VALUES
    ('00000000-0000-0000-0000-00000000000d', 1, 'red apple red', '{"n": 1}'),
    ('00000000-0000-0000-0000-00000000000d', 2, 'green apple tree in a green garden', '{"n": 2}'),
    ('00000000-0000-0000-0000-00000000000d', 3, 'blue sky', '{"n": 3}'),
    ('00000000-0000-0000-0000-00000000000e', 4, 'the apple of the red tree', '{"n": 4}'),
    ('00000000-0000-0000-0000-00000000000e', 5, '', '{"n": 5}');

-- By hand. N = 5; lengths in words that are no stop words: 3, 5, 2, 3, 0, so 2.6 on average. "red" stands in 2 chunks, "apple" in 3.
CREATE FUNCTION pg_temp.part(n double precision, tf double precision, length double precision) RETURNS double precision
LANGUAGE sql AS $$ SELECT ln(1 + (5 - n + 0.5) / (n + 0.5)) * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / 2.6)) $$;
CREATE FUNCTION pg_temp.rounded(query text) RETURNS TABLE (chunk_index integer, score numeric)
LANGUAGE sql AS $$ SELECT chunk_index, round(similarity::numeric, 12) FROM tenancy.keyword_search(query) $$;

SELECT results_eq(
    $$SELECT * FROM pg_temp.rounded('red apples')$$,
    $$SELECT i, round(s::numeric, 12) FROM (VALUES (1, pg_temp.part(2, 2, 3) + pg_temp.part(3, 1, 3)),
        (4, pg_temp.part(2, 1, 3) + pg_temp.part(3, 1, 3)), (2, pg_temp.part(3, 1, 5))) v (i, s)$$,
    'BM25 as computed by hand, any word is enough');
SELECT results_eq($$SELECT * FROM pg_temp.rounded('red')$$,
    $$SELECT i, round(s::numeric, 12) FROM (VALUES (1, pg_temp.part(2, 2, 3)), (4, pg_temp.part(2, 1, 3))) v (i, s)$$, 'one word');
SELECT results_eq($$SELECT * FROM pg_temp.rounded('red red')$$,
    $$SELECT i, round(s::numeric, 12) FROM (VALUES (1, 2 * pg_temp.part(2, 2, 3)), (4, 2 * pg_temp.part(2, 1, 3))) v (i, s)$$, 'a word that stands twice counts twice');
SELECT results_eq($$SELECT * FROM pg_temp.rounded('red OR apples or')$$, $$SELECT * FROM pg_temp.rounded('red apples')$$, '"or" says what holds anyway');
SELECT results_eq($$SELECT * FROM pg_temp.rounded('REDS!! (apple)')$$, $$SELECT * FROM pg_temp.rounded('red apples')$$, 'words are read by the corpus'' text configuration');

SELECT results_eq($$SELECT chunk_index FROM tenancy.keyword_search('"apple tree"')$$, 'VALUES (2)', 'a phrase must stand together');
SELECT results_eq($$SELECT chunk_index FROM tenancy.keyword_search('"apple tree" sky')$$, 'VALUES (2), (3)', 'a phrase and a word are alternatives');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('"tree apple"')$$, 'in its order');
SELECT results_eq($$SELECT chunk_index FROM tenancy.keyword_search('"apple of the red tree"')$$, 'VALUES (4)', 'stop words keep their places in a phrase');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('"apple red tree"')$$, 'which others do not fill');
SELECT results_eq($$SELECT chunk_index FROM tenancy.keyword_search('apple -red')$$, 'VALUES (2)', 'minus forbids a word');
SELECT results_eq($$SELECT chunk_index FROM tenancy.keyword_search('apple -"green garden"')$$, 'VALUES (1), (4)', 'and a phrase');
SELECT results_eq($$SELECT similarity FROM tenancy.keyword_search('apple -"green garden" -sky')$$,
    $$SELECT similarity FROM tenancy.keyword_search('apple') WHERE chunk_index <> 2$$, 'what is left keeps its score');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('-red')$$, 'nothing but a minus asks for nothing');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('')$$, 'no text, no rows');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('the of "and" -"the"')$$, 'nor for stop words');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('"')$$, 'nor for half a quote');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search('zebra')$$, 'nor for a word that nobody has');
SELECT is_empty($$SELECT * FROM tenancy.keyword_search(repeat('!&|<->:*''\ ', 1000))$$, 'nor for the syntax of tsquery');
SELECT results_eq($$SELECT chunk_index FROM tenancy.keyword_search('" red')$$, 'VALUES (1), (4)', 'an open quote ends with the text');

SELECT results_eq($$SELECT chunk_index, similarity FROM tenancy.keyword_search('red apple', 1)$$,
    $$SELECT chunk_index, similarity FROM tenancy.keyword_search('red apple') LIMIT 1$$, 'match_count cuts');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('red apple', 2147483647)), 3::bigint, 'and may be huge');
SELECT results_eq($$SELECT chunk_index, similarity FROM tenancy.keyword_search('red apple', filter => '{"n": 4}')$$,
    $$SELECT chunk_index, similarity FROM tenancy.keyword_search('red apple') WHERE chunk_index = 4$$, 'a filter leaves scores as they are');
SELECT results_eq($$SELECT chunk_index, similarity FROM tenancy.keyword_search('red apple', document_ids => '{00000000-0000-0000-0000-00000000000d}')$$,
    $$SELECT chunk_index, similarity FROM tenancy.keyword_search('red apple') WHERE chunk_index <> 4$$, 'and so do document_ids');

-- Equal chunks tie, in the order of their ids.
INSERT INTO chunks (document_id, chunk_index, content) SELECT '00000000-0000-0000-0000-00000000000d', 100 + i, 'a violet flower' FROM generate_series(1, 50) i;
SELECT results_eq($$SELECT chunk_id FROM tenancy.keyword_search('violet', 20)$$,
    $$SELECT id FROM chunks WHERE chunk_index > 100 ORDER BY id LIMIT 20$$, 'ties are broken by chunk id');

-- What does not fit into work_mem is read twice.
INSERT INTO chunks (document_id, chunk_index, content)
SELECT '00000000-0000-0000-0000-00000000000d', 1000 + i, repeat('umber ', i % 7 + 1) || repeat('ochre ', i % 5) || repeat('other ', i % 11) FROM generate_series(1, 4000) i;
SET LOCAL work_mem = '64MB';
CREATE TEMP TABLE in_memory AS SELECT chunk_id, similarity FROM tenancy.keyword_search('umber ochre', 500) WITH ORDINALITY;
SET LOCAL work_mem = '64kB';
SELECT results_eq($$SELECT chunk_id, similarity FROM tenancy.keyword_search('umber ochre', 500)$$, 'SELECT * FROM in_memory', 'the same with little memory');

-- Other configurations.
INSERT INTO plain_documents (id) VALUES ('00000000-0000-0000-0000-00000000000d');
INSERT INTO plain_chunks (document_id, content) VALUES ('00000000-0000-0000-0000-00000000000d', 'The Cats');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('the', corpus => 'plain')), 1::bigint, 'the simple configuration has no stop words');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('cat', corpus => 'plain')), 0::bigint, 'and no stems');
INSERT INTO german_documents (id) VALUES ('00000000-0000-0000-0000-00000000000d');
INSERT INTO german_chunks (document_id, content) VALUES ('00000000-0000-0000-0000-00000000000d', 'Die Häuser der Straße');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('Haus', corpus => 'german')), 1::bigint, 'another language');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('die', corpus => 'german')), 0::bigint, 'with its own stop words');

SELECT * FROM finish();
ROLLBACK;
