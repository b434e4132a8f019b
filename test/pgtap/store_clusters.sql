-- A large tenant whose vectors lie in clusters is searched by the nearest of them: nearly always the same answer, and said;
-- everything wherever those do not reach. Here "large" is set to little.
BEGIN;
SELECT plan(58);
SET LOCAL search_path = public, test_helpers;
SET LOCAL tenancy.approximate_above = '64kB';

SELECT make_tenants();
SELECT setseed(0.7);
SELECT tenancy.create_corpus(metric, 24, metric) FROM unnest('{cosine,inner_product,l2}'::text[]) metric;
-- Subject n is the same for all; a chunk or a question is near one.
CREATE FUNCTION about(subject integer, off float8 DEFAULT 0.3) RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((sin(subject * 7.1 + i * i * 1.3 + subject * i * 0.77) + off * (random() - 0.5) * 2)::real)::vector FROM generate_series(1, 24) i
$$;
CREATE FUNCTION fill(corpus text, tenant uuid, first integer, last integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I (tenant_id, id) VALUES ($1, $1) ON CONFLICT DO NOTHING', corpus || '_documents') USING tenant;
    EXECUTE format('INSERT INTO %I (tenant_id, document_id, chunk_index, content, embedding, metadata)
        SELECT $1, $1, i, ''chunk'', about(i %% 400), jsonb_build_object(''rare'', i %% 1000 = 0) FROM generate_series($2, $3) i', corpus || '_chunks')
    USING tenant, first, last;
END
$$;
CREATE FUNCTION codes_of(kind integer, tenant uuid DEFAULT a()) RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(b.entries), 0) FROM tenancy.vector_blocks b JOIN tenancy.stores s ON s.number = b.store
    WHERE s.corpus = 'l2' AND b.kind = codes_of.kind AND b.tenant = uuid_send(codes_of.tenant)
$$;

-- How many of the best ten are found, on average over twenty questions, how often by clusters, and how many rows.
CREATE FUNCTION quality(corpus text, wanted integer DEFAULT 10, first integer DEFAULT 0, OUT recall numeric, OUT by_clusters bigint, OUT rows numeric) LANGUAGE plpgsql AS $$
DECLARE
    query vector;
    found uuid[];
    should uuid[];
    hits integer := 0;
    returned integer := 0;
    all_of integer := 0;
BEGIN
    by_clusters := 0;
    FOR i IN 1..20 LOOP
        query := about(first + i * 19, 0.4);
        found := ARRAY(SELECT m.chunk_id FROM tenancy.match_chunks(query, wanted, corpus => quality.corpus) m);
        by_clusters := by_clusters + (SELECT count(*) FROM tenancy.explain_match(query, wanted, corpus => quality.corpus) e WHERE e.tier = 'clusters');
        SET LOCAL tenancy.approximate_above = -1;
        should := ARRAY(SELECT m.chunk_id FROM tenancy.match_chunks(query, wanted, corpus => quality.corpus) m);
        SET LOCAL tenancy.approximate_above = '64kB';
        hits := hits + cardinality(ARRAY(SELECT unnest(found) INTERSECT SELECT unnest(should)));
        all_of := all_of + cardinality(should);
        returned := returned + cardinality(found);
    END LOOP;
    recall := hits / all_of::numeric;
    rows := returned / 20.0;
END
$$;

SELECT fill('l2', a(), 1, 2000);
SELECT tenancy.set_tenant(a());
SELECT is(codes_of(6), 0::bigint, 'a small tenant has no clusters');
SELECT is((SELECT tier FROM tenancy.explain_match(about(3), corpus => 'l2')), 'codes', 'and all its codes are read');
SELECT fill(c.name, a(), 2001, 8000) FROM tenancy.corpora c;
SELECT fill(c.name, b(), 1, 8000) FROM tenancy.corpora c;
SELECT cmp_ok(codes_of(6), '>', 7700::bigint, 'nearly all codes are in the order of clusters');
SELECT cmp_ok(codes_of(6, b()), '>', 7700::bigint, 'of each large tenant');
SELECT is(codes_of(1) + codes_of(7) + codes_of(5), 0::bigint, 'and nowhere else');
SELECT is(codes_of(2) + codes_of(6), 8000::bigint, 'each once');
SELECT cmp_ok((SELECT recall FROM quality(name)), '>=', 0.999, name || ': recall') FROM tenancy.corpora ORDER BY name;
SELECT is((SELECT by_clusters || ' ' || rows::integer FROM quality(name)), '20 10', name || ': by clusters, and never short') FROM tenancy.corpora ORDER BY name;
SELECT cmp_ok((SELECT recall FROM quality(name, 10, 5000)), '>=', 0.99, name || ': questions on what nothing is about') FROM tenancy.corpora ORDER BY name;
SELECT ok((SELECT NOT e.exact AND e.expected_recall BETWEEN 0.99 AND 1 AND e.rows = 10 AND e.widened = 0 FROM tenancy.explain_match(about(17), corpus => 'l2') e),
    'what is not proven is said');
SELECT is((SELECT codes FROM tenancy.explain_match(about(17), corpus => 'l2')), 8000::bigint, 'all codes are counted');
SELECT cmp_ok((SELECT blocks FROM tenancy.explain_match(about(17), corpus => 'l2')), '<', 60::bigint, 'few are read');
SELECT is((SELECT count(*) FROM tenancy.match_chunks(about(17), corpus => 'l2') m JOIN l2_chunks c ON c.id = m.chunk_id WHERE c.tenant_id = a()), 10::bigint,
    'they are the tenant''s own');

-- More than was rehearsed, thresholds, and filters that the nearest do not pass.
SELECT is((SELECT recall || ' ' || rows::integer FROM quality('l2', 300)), '1.00000000000000000000 300', 'more than the promise is about: everything is read');
SELECT is((SELECT tier || ' ' || exact || ' ' || expected_recall FROM tenancy.explain_match(about(17), 300, corpus => 'l2')), 'codes true 1', 'and said');
SELECT cmp_ok((SELECT recall FROM quality('l2', 100)), '>=', 0.99, 'a hundred neighbours');
SELECT is((SELECT count(*) FROM tenancy.match_chunks(about(17), 10, corpus => name, filter => '{"rare": true}')), 8::bigint - (name <> 'l2')::integer * 2, name || ': a filter')
FROM tenancy.corpora ORDER BY name;
SELECT is((SELECT exact FROM tenancy.explain_match(about(17), 10, corpus => 'l2', filter => '{"rare": true}')), true, 'a filter that hides the nearest makes it exact');
SELECT is((SELECT count(*) FROM tenancy.match_chunks(about(17), 10000, corpus => 'l2')), 8000::bigint, 'everything');
SELECT is((SELECT count(*) FROM tenancy.match_chunks(about(17), 10, 0.9999, corpus => 'l2')), 0::bigint, 'a threshold that nothing reaches');

SET LOCAL tenancy.approximate_above = -1;
SELECT is((SELECT tier || ' ' || exact || ' ' || codes FROM tenancy.explain_match(about(17), corpus => 'l2')), 'codes true 8000', 'never by clusters');
SET LOCAL tenancy.approximate_above = '64kB';

-- Centres that come after the members are of no use to a search.
SAVEPOINT before;
UPDATE tenancy.vector_blocks SET number = 2 WHERE kind = 4 AND number = 0;
SELECT is((SELECT tier || ' ' || exact || ' ' || codes FROM tenancy.explain_match(about(17), corpus => 'l2')), 'codes true 8000', 'a directory in another order is not used');
ROLLBACK TO before;
SELECT is((SELECT tier FROM tenancy.explain_match(about(17), corpus => 'l2')), 'clusters', 'as it was written it is');

-- New chunks are found at once, whatever they are about, and come into the clusters when they are many.
INSERT INTO l2_chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (a(), a(), 90000, 'new', about(12345, 0));
SELECT is((SELECT content FROM tenancy.match_chunks(about(12345, 0.01), 1, corpus => 'l2')), 'new', 'a new chunk on a new subject');
SELECT fill('l2', a(), 8001, 8240);
SELECT cmp_ok(codes_of(1), '>', 120::bigint, 'new pages are read by all searches');
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'with them');
SAVEPOINT before;
SELECT fill('l2', a(), 8241, 13800);
SELECT cmp_ok(codes_of(6), '>', 13200::bigint, 'many new pages are added to the clusters');
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'which keep the recall');
SELECT is((SELECT codes FROM tenancy.explain_match(about(17), corpus => 'l2')), 13801::bigint, 'and count');
ROLLBACK TO before;
SELECT is((SELECT codes FROM tenancy.explain_match(about(17), corpus => 'l2')), 8241::bigint, 'taken back, they are as they were');
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'to the page');
SELECT fill('l2', a(), 8241, 20000);
SELECT is((SELECT count(*) FROM tenancy.vector_blocks b JOIN tenancy.stores s ON s.number = b.store
    WHERE s.corpus = 'l2' AND b.kind = 4 AND b.tenant = uuid_send(a()) AND b.number = -1), 1::bigint, 'twice as many are clustered anew');
SELECT cmp_ok(codes_of(6), '>', 19400::bigint, 'all of them');
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'well');

-- Few at a time they come into the clusters too.
DO $$ BEGIN FOR i IN 300..379 LOOP PERFORM fill('l2', a(), i * 70, i * 70 + 69); END LOOP; END $$;
SELECT cmp_ok(codes_of(6), '>', 22500::bigint, 'what is written bit by bit is added');
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'and found');

-- Where the table is written anew, what is known of its pages is about other places.
SAVEPOINT before;
DELETE FROM tenancy.vector_blocks WHERE tenant = uuid_send(b());
CLUSTER tenancy.vector_blocks USING vector_blocks_key;
SELECT is((SELECT tier || ' ' || exact FROM tenancy.explain_match(about(17), corpus => 'l2')), 'codes true', 'after CLUSTER everything is read');
SELECT fill('l2', a(), 30001, 35000);
SELECT is((SELECT tier FROM tenancy.explain_match(about(17), corpus => 'l2')), 'clusters', 'until a statement finds it so');
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'and makes new ones');
SELECT is((SELECT recall || ' ' || rows::integer FROM quality('l2')), '1.00000000000000000000 10', 'and found');
ROLLBACK TO before;
SELECT is((SELECT tier FROM tenancy.explain_match(about(17), corpus => 'l2')), 'clusters', 'in the file of before it is as before');

-- What changes and what goes.
UPDATE l2_chunks SET embedding = about(chunk_index % 400 + 1000) WHERE tenant_id = a() AND chunk_index % 3 = 0;
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'a third of it changed');
SELECT cmp_ok((SELECT min(c.chunk_index % 3) FROM tenancy.match_chunks(about(1017, 0.1), 5, corpus => 'l2') m JOIN l2_chunks c ON c.id = m.chunk_id), '=', 0,
    'to what it is found by now');
DELETE FROM l2_chunks WHERE tenant_id = a() AND chunk_index % 2 = 0;
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.999, 'half of it deleted');
SELECT is((SELECT rows FROM quality('l2'))::integer, 10, 'and never short');
DELETE FROM l2_chunks WHERE tenant_id = a() AND chunk_index > 900;
SELECT is((SELECT tier || ' ' || exact FROM tenancy.explain_match(about(17), corpus => 'l2')), 'codes true', 'a tenant that became small is exact');
SELECT is(codes_of(6) + codes_of(4), 0::bigint, 'without clusters');
SELECT is((SELECT recall || ' ' || rows::integer FROM quality('l2')), '1.00000000000000000000 10', 'and finds all');

-- The other tenant noticed nothing.
SELECT is(codes_of(2, b()) + codes_of(6, b()), 8000::bigint, 'another tenant is as it was');
SELECT throws_ok('SET LOCAL tenancy.approximate_above = -2', '22023', NULL, 'the setting is checked');

SELECT * FROM finish();
ROLLBACK;
