-- A knowledge graph beside a corpus: made, filled and walked as the caller, within the tenant, with limits that hold.
BEGIN;
SELECT plan(52);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role('app');
SELECT make_owner('owner');
SELECT make_owner('other');
SELECT act_as('owner');
SELECT tenancy.create_corpus(dimensions => 2);
SELECT is(tenancy.create_graph(), 'default', 'an owner gives a corpus a graph');
SELECT results_eq('SELECT corpus COLLATE "default", entities, relations, mentions FROM tenancy.graphs',
    $$VALUES ('default'::text, 'entities'::regclass, 'relations'::regclass, 'mentions'::regclass)$$, 'it is registered');
SELECT is((SELECT count(*) FROM tenancy.protected_tables WHERE relation IN ('entities'::regclass, 'relations'::regclass, 'mentions'::regclass)), 3::bigint, 'its tables are protected');
SELECT fk_ok('public', 'relations', '{tenant_id,source_id}'::name[], 'public', 'entities', '{tenant_id,id}'::name[], 'a relation begins in its own tenant');
SELECT fk_ok('public', 'mentions', '{tenant_id,chunk_id}'::name[], 'public', 'chunks', '{tenant_id,id}'::name[], 'a mention is in a chunk of its own tenant');
SELECT col_type_is('public', 'entities', 'embedding', 'vector(2)', 'entities have embeddings like chunks');
SELECT table_privs_are('public', 'entities', role_name('app')::name, '{SELECT,INSERT,UPDATE,DELETE}', 'the application may use them');
SELECT throws_ok('SELECT tenancy.create_graph()', '42710', 'corpus "default" already has a graph', 'once');
SELECT throws_ok('SELECT tenancy.create_graph(''none'')', 'TN010', 'corpus "none" is not configured', 'for a corpus that there is');
SELECT throws_ok('SELECT tenancy.create_graph(NULL)', '22004', 'corpus must not be null', 'null');
SELECT tenancy.create_corpus('notes', 2);
SELECT act_as('other');
SELECT throws_ok('SELECT tenancy.create_graph(''notes'')', '42501', 'must be owner of the tables of corpus "notes"', 'of one''s own');
SELECT throws_ok('SELECT tenancy.drop_graph()', '42501', 'must be owner of the tables of the graph of corpus "default"', 'nor is it dropped by others');
SELECT act_as_superuser();
SELECT make_role('late');
SELECT table_privs_are('public', 'relations', role_name('late')::name, '{SELECT,INSERT,UPDATE,DELETE}', 'application roles that come later may use it, too');

-- Filling it.
SELECT act_as('app', a());
INSERT INTO documents (id) VALUES ('00000000-0000-0000-0000-00000000000d');
INSERT INTO chunks (id, document_id, chunk_index, content) VALUES
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-00000000000d', 1, 'the steam engine was patented in England'),
    ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-00000000000d', 2, 'nothing to see here');
SELECT results_eq($$SELECT kind || ':' || name FROM tenancy.upsert_entities('[
    {"name": "Watt", "kind": "person", "description": "improved engines", "embedding": [1, 0], "metadata": {"born": 1736}},
    {"name": "Boulton", "kind": "person"},
    {"name": "Soho", "kind": "place", "chunk_ids": ["00000000-0000-0000-0000-0000000000c1"]},
    {"name": "Birmingham", "kind": "place", "embedding": "[0, 1]"},
    {"name": "England", "kind": "place"},
    {"name": "Watt", "kind": "person", "metadata": {"died": 1819}}]')$$,
    $$VALUES ('person:Boulton'), ('person:Watt'), ('place:Birmingham'), ('place:England'), ('place:Soho')$$, 'entities are added in bulk');
SELECT is(tenancy.upsert_relations('[
    {"source": "Watt", "source_kind": "person", "target": "Boulton", "target_kind": "person", "kind": "partner"},
    {"source": "Boulton", "source_kind": "person", "target": "Soho", "target_kind": "place", "kind": "owns", "weight": 0.8},
    {"source": "Soho", "source_kind": "place", "target": "Birmingham", "target_kind": "place", "kind": "in"},
    {"source": "Birmingham", "source_kind": "place", "target": "England", "target_kind": "place", "kind": "in"},
    {"source": "England", "source_kind": "place", "target": "Watt", "target_kind": "person", "kind": "home of", "weight": 0.1}]'), 5::bigint, 'and relations');
SELECT is(metadata, '{"died": 1819}', 'of equals in one call the last wins') FROM entities WHERE name = 'Watt';
SELECT tenancy.upsert_entities('[{"name": "Watt", "kind": "person", "metadata": {"born": 1736}}]');
SELECT results_eq($$SELECT metadata, embedding IS NULL FROM entities WHERE name = 'Watt'$$, $$VALUES ('{"born": 1736, "died": 1819}'::jsonb, true)$$, 'a later call merges');
SELECT tenancy.upsert_entities('[{"name": "Watt", "kind": "person", "embedding": [1, 0], "description": "improved engines"}]');
SELECT is(tenancy.upsert_relations(format('[{"source_id": "%s", "target_id": "%s", "kind": "partner", "weight": 0.9}]',
    (SELECT id FROM entities WHERE name = 'Watt'), (SELECT id FROM entities WHERE name = 'Boulton'))::jsonb), 1::bigint, 'relations are known by their ends and kind');
SELECT is((SELECT count(*) FROM relations), 5::bigint, 'and changed in place');

-- Walking.
CREATE FUNCTION pg_temp.walk(query text, depth integer DEFAULT 2, most integer DEFAULT 20, kinds text[] DEFAULT NULL) RETURNS TABLE (found text)
LANGUAGE sql AS $$SELECT concat_ws(' ', g.name, g.distance, round(g.score::numeric, 6), nullif(array_to_string(g.path_kinds, '>'), '')) FROM tenancy.graph_search(query, depth => depth, match_count => most, relation_kinds => kinds) g$$;
SELECT results_eq($$SELECT * FROM pg_temp.walk('watt', 0)$$, $$VALUES ('Watt 0 2.000000')$$, 'by name');
SELECT results_eq($$SELECT * FROM pg_temp.walk('watt', 1)$$, $$VALUES ('Watt 0 2.000000'), ('Boulton 1 0.900000 partner'), ('England 1 0.100000 home of')$$, 'neighbours in both directions');
SELECT results_eq($$SELECT * FROM pg_temp.walk('watt', 2)$$,
    $$VALUES ('Watt 0 2.000000'), ('Boulton 1 0.900000 partner'), ('Soho 2 0.360000 partner>owns'), ('England 1 0.100000 home of'), ('Birmingham 2 0.050000 home of>in')$$, 'two steps');
SELECT is((SELECT count(*) FROM pg_temp.walk('watt', 8)), 5::bigint, 'a cycle ends');
SELECT results_eq($$SELECT * FROM pg_temp.walk('watt', 8, 2)$$, $$VALUES ('Watt 0 2.000000'), ('Boulton 1 0.900000 partner')$$, 'match_count cuts');
SELECT results_eq($$SELECT * FROM pg_temp.walk('watt', 3, kinds => '{partner,owns}')$$, $$VALUES ('Watt 0 2.000000'), ('Boulton 1 0.900000 partner'), ('Soho 2 0.360000 partner>owns')$$, 'along some kinds of relations');
SELECT is_empty($$SELECT * FROM pg_temp.walk('zebra')$$, 'no entity, no rows');
SELECT is_empty($$SELECT * FROM pg_temp.walk('')$$, 'nor for no text');
SELECT results_eq($$SELECT * FROM pg_temp.walk('who improved the engines?', 0)$$, $$VALUES ('Watt 0 1.000000'), ('Soho 0 0.500000')$$, 'by description, and by chunks that mention');
SELECT is((SELECT chunk_ids FROM tenancy.graph_search('steam', depth => 0)), '{00000000-0000-0000-0000-0000000000c1}', 'which are told');
SELECT results_eq($$SELECT name, round(score::numeric, 6) FROM tenancy.graph_search(query_embedding => '[1, 1]', depth => 0)$$,
    $$SELECT n, round(s::numeric, 6) FROM (SELECT name AS n, 0.707107 AS s FROM entities WHERE embedding IS NOT NULL ORDER BY id) x$$, 'by embedding, ties by id');
SELECT results_eq($$SELECT name, path FROM tenancy.graph_search(entity => (SELECT id FROM entities WHERE name = 'Soho'), depth => 1)$$,
    $$SELECT e.name, CASE e.name WHEN 'Soho' THEN ARRAY[e.id] ELSE ARRAY[s.id, e.id] END FROM entities e, entities s WHERE s.name = 'Soho' AND e.name IN ('Soho', 'Birmingham', 'Boulton')
      ORDER BY array_position('{Soho,Birmingham,Boulton}', e.name)$$, 'by id, with the way there');

-- Another tenant's are like unknown ones, in every place.
SELECT act_as('app', b());
SELECT is_empty($$SELECT * FROM tenancy.graph_search('watt')$$, 'B finds nothing of A');
SELECT is_empty($$SELECT * FROM tenancy.graph_search(query_embedding => '[1, 0]')$$, 'nor by embedding');
SELECT tenancy.upsert_entities('[{"name": "Watt", "kind": "person"}, {"name": "Bee"}]');
SELECT is((SELECT count(*) FROM tenancy.graph_search('watt', depth => 8)), 1::bigint, 'a name of A''s is B''s own');
SELECT act_as_superuser();
CREATE TEMP TABLE of_a AS SELECT name, id FROM entities WHERE tenant_id = a();
GRANT SELECT ON of_a TO PUBLIC;
SELECT act_as('app', b());
SELECT is_empty($$SELECT g.* FROM of_a, tenancy.graph_search(entity => of_a.id, depth => 8) g$$, 'an id of A''s finds nothing');
SELECT throws_ok($$SELECT tenancy.upsert_relations(jsonb_build_array(jsonb_build_object('source', 'Bee', 'target_id', (SELECT id FROM of_a LIMIT 1))))$$,
    '23503', 'the target of a relation is not an entity', 'relations to it are refused');
SELECT throws_ok($$SELECT tenancy.upsert_relations('[{"source": "Bee", "target_id": "00000000-0000-0000-0000-000000000bad"}]')$$,
    '23503', 'the target of a relation is not an entity', 'as to one that nobody has');
SELECT throws_ok($$INSERT INTO relations (source_id, target_id) SELECT e.id, o.id FROM entities e, of_a o WHERE e.name = 'Bee' LIMIT 1$$, '23503', NULL, 'directly, too');
SELECT throws_ok($$SELECT tenancy.upsert_entities('[{"name": "Bee", "chunk_ids": ["00000000-0000-0000-0000-0000000000c1"]}]')$$, '23503', NULL, 'and mentions in A''s chunks');
SELECT act_as('app');
SELECT throws_ok($$SELECT * FROM tenancy.graph_search('watt')$$, 'TN001', NULL, 'no tenant, no walk');

-- What hides entities ends walks.
SELECT act_as_superuser();
CREATE POLICY no_soho ON entities AS RESTRICTIVE FOR SELECT USING (name <> 'Boulton');
SELECT act_as('app', a());
SELECT results_eq($$SELECT * FROM pg_temp.walk('watt', 2)$$, $$VALUES ('Watt 0 2.000000'), ('England 1 0.100000 home of'), ('Birmingham 2 0.050000 home of>in')$$, 'nobody walks through what a policy hides');

-- Bad input.
SELECT throws_ok(format('SELECT * FROM tenancy.graph_search(%s)', arguments), state, message, arguments)
FROM (VALUES ('', '22004', 'query_text, entity and query_embedding must not all be null'), ($$'x', depth => -1$$, '22023', 'depth must be between 0 and 8, not -1'),
    ($$'x', depth => 9$$, '22023', 'depth must be between 0 and 8, not 9'), ($$'x', match_count => 0$$, '22023', 'match_count must be between 1 and 10000, not 0'),
    ($$'x', corpus => 'none'$$, 'TN010', 'corpus "none" has no graph'), ($$query_embedding => '[1]'$$, 'TN010', 'expected 2 dimensions, not 1')) v (arguments, state, message);
SELECT throws_ok($$SELECT tenancy.upsert_entities('{}')$$, '22023', 'entities must be a JSON array, not object', 'entities that are no list');
SELECT throws_ok($$SELECT tenancy.upsert_entities('[{"name": "x"}, {"name": ""}]')$$, '22023', 'each of entities must have a name', 'one without a name');
SELECT throws_ok($$SELECT tenancy.upsert_relations('[1]')$$, '22023', 'relations must be JSON objects, not number', 'a relation that is a number');
SELECT throws_ok($$SELECT tenancy.upsert_relations('[{"source": "Watt", "source_kind": "person", "target": "Soho", "target_kind": "place", "weight": 2}]')$$, '23514', NULL, 'a weight out of range');

SELECT act_as('owner');
SELECT lives_ok('SELECT tenancy.drop_corpus(''default'', true)', 'a corpus goes with its graph');

SELECT * FROM finish();
ROLLBACK;
