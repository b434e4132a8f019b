-- A large tenant is searched by sketches first: nearly always the same answer, and said; exact wherever sketches do not reach.
-- Here "large" is set to little.
BEGIN;
SELECT plan(30);
SET LOCAL search_path = public, test_helpers;
SET LOCAL tenancy.approximate_above = '64kB';

SELECT make_tenants();
SELECT setseed(0.6);
SELECT tenancy.create_corpus(metric, 24, metric) FROM unnest('{cosine,inner_product,l2}'::text[]) metric;
CREATE FUNCTION random_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((random() - 0.5)::real)::vector FROM generate_series(1, 24)
$$;
CREATE FUNCTION fill(corpus text, tenant uuid, first integer, last integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I (tenant_id, id) VALUES ($1, $1) ON CONFLICT DO NOTHING', corpus || '_documents') USING tenant;
    EXECUTE format('INSERT INTO %I (tenant_id, document_id, chunk_index, content, embedding, metadata)
        SELECT $1, $1, i, ''chunk'', random_vector(), jsonb_build_object(''rare'', i %% 1000 = 0) FROM generate_series($2, $3) i', corpus || '_chunks')
    USING tenant, first, last;
END
$$;
SELECT fill(c.name, t, 1, 8000) FROM tenancy.corpora c, unnest(ARRAY[a(), b()]) t;
SELECT fill(c.name, a(), 8001, 8050) FROM tenancy.corpora c;
SELECT tenancy.set_tenant(a());

SELECT cmp_ok((SELECT count(*) FROM tenancy.vector_blocks WHERE kind = 7), '>', 200::bigint, 'pages are sketched');
SELECT cmp_ok((SELECT count(*) FROM tenancy.vector_blocks WHERE kind = 5), '>', 30::bigint, 'in sketches');

-- How many of the best ten are found, on average over forty queries, and how often by sketches.
CREATE FUNCTION quality(corpus text, OUT recall numeric, OUT by_sketches bigint, OUT rows numeric) LANGUAGE plpgsql AS $$
DECLARE
    query vector;
    found uuid[];
    should uuid[];
    hits integer := 0;
    returned integer := 0;
BEGIN
    by_sketches := 0;
    FOR i IN 1..40 LOOP
        query := random_vector();
        found := ARRAY(SELECT m.chunk_id FROM tenancy.match_chunks(query, corpus => quality.corpus) m);
        by_sketches := by_sketches + (SELECT count(*) FROM tenancy.explain_match(query, corpus => quality.corpus) e WHERE e.tier = 'sketches');
        SET LOCAL tenancy.approximate_above = -1;
        should := ARRAY(SELECT m.chunk_id FROM tenancy.match_chunks(query, corpus => quality.corpus) m);
        SET LOCAL tenancy.approximate_above = '64kB';
        hits := hits + cardinality(ARRAY(SELECT unnest(found) INTERSECT SELECT unnest(should)));
        returned := returned + cardinality(found);
    END LOOP;
    recall := hits / 400.0;
    rows := returned / 40.0;
END
$$;
SELECT cmp_ok((SELECT recall FROM quality(name)), '>=', 0.98, name || ': recall') FROM tenancy.corpora ORDER BY name;
SELECT is((SELECT by_sketches || ' ' || rows::integer FROM quality(name)), '40 10', name || ': by sketches, and never short') FROM tenancy.corpora ORDER BY name;
SELECT ok((SELECT (exact AND expected_recall = 1) OR (NOT exact AND expected_recall BETWEEN 0.99 AND 1) FROM tenancy.explain_match(random_vector(), corpus => 'l2')),
    'what is not proven is said');
SELECT cmp_ok((SELECT codes FROM tenancy.explain_match(random_vector(), corpus => 'l2')), '=', 8050::bigint, 'all codes are counted');

-- A vector that no bound is known of.
SELECT tenancy.create_corpus('huge', 24, 'inner_product');
INSERT INTO huge_documents (tenant_id, id) VALUES (a(), a());
INSERT INTO huge_chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT a(), a(), i, '', CASE i WHEN 77 THEN array_fill(1e20::real, '{24}')::vector ELSE random_vector() END FROM generate_series(1, 8000) i;
SELECT is((SELECT c.chunk_index || ' ' || e.tier FROM tenancy.match_chunks(array_fill(1::real, '{24}')::vector, 1, corpus => 'huge') m
    JOIN huge_chunks c ON c.id = m.chunk_id, tenancy.explain_match(array_fill(1::real, '{24}')::vector, corpus => 'huge') e), '77 sketches', 'a vector without a bound is found');
SELECT is((SELECT count(*) FROM tenancy.match_chunks(array_fill(1::real, '{24}')::vector, 10000, corpus => 'huge')), 8000::bigint, 'with all others');
SELECT tenancy.drop_corpus('huge', drop_tables => true);

-- Filters that the nearest do not pass: everything is read in the end.
SELECT is((SELECT count(*) FROM tenancy.match_chunks(random_vector(), 10, corpus => name, filter => '{"rare": true}')), 8::bigint, name || ': a filter') FROM tenancy.corpora ORDER BY name;
SELECT is((SELECT count(*) FROM tenancy.match_chunks(random_vector(), 10000, corpus => name)), 8050::bigint, name || ': everything') FROM tenancy.corpora ORDER BY name;

-- A tenant that grows document by document gets there too, a part at a time, and is as exact as ever before that.
SELECT tenancy.create_corpus('grown', 24);
INSERT INTO grown_documents (tenant_id, id) VALUES (a(), a()), (b(), b());
CREATE FUNCTION grow(tenant uuid, first integer, last integer, chunks integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN first..last LOOP
        INSERT INTO grown_chunks (tenant_id, document_id, chunk_index, content, embedding)
        SELECT tenant, tenant, i * chunks + n, 'chunk', random_vector() FROM generate_series(0, chunks - 1) n;
    END LOOP;
    RETURN (SELECT tier || ' ' || codes FROM tenancy.explain_match(random_vector(), corpus => 'grown'));
END
$$;
SELECT is(grow(a(), 0, 99, 20), 'codes 2000', 'while it is small, all is read');
SELECT is(grow(a(), 100, 299, 20), 'sketches 6000', 'when it is large, the sketches');
SELECT cmp_ok((SELECT recall FROM quality('grown')), '>=', 0.98, 'which find what they should');
SELECT cmp_ok((SELECT coalesce(sum(entries), 0) FROM tenancy.vector_blocks b JOIN tenancy.stores s ON s.number = b.store WHERE s.corpus = 'grown' AND b.kind = 7), '>', 4500::bigint, 'most of it is in them');
SELECT is(grow(a(), 300, 599, 20), 'sketches 12000', 'and goes on');
SELECT cmp_ok((SELECT coalesce(sum(entries), 0) FROM tenancy.vector_blocks b JOIN tenancy.stores s ON s.number = b.store WHERE s.corpus = 'grown' AND b.kind = 1), '<', 2500::bigint, 'so that little is read in full');
SELECT tenancy.drop_corpus('grown', drop_tables => true);

-- Without: exact, as ever.
SET LOCAL tenancy.approximate_above = -1;
SELECT is((SELECT tier || ' ' || exact || ' ' || codes FROM tenancy.explain_match(random_vector(), corpus => 'l2')), 'codes true 8050', 'never by sketches');
SET LOCAL tenancy.approximate_above = '64kB';

-- Pages that are packed anew leave their sketches; what is left small loses them.
UPDATE l2_chunks SET embedding = random_vector() WHERE tenant_id = a() AND chunk_index % 2 = 0;
SELECT cmp_ok((SELECT recall FROM quality('l2')), '>=', 0.98, 'half of it changed');
DELETE FROM l2_chunks WHERE tenant_id = a() AND chunk_index > 900;
SELECT is((SELECT tier || ' ' || exact FROM tenancy.explain_match(random_vector(), corpus => 'l2')), 'codes true', 'a tenant that became small is exact');
SELECT cmp_ok((SELECT recall FROM quality('l2')), '=', 1.0, 'and finds all');
SELECT is((SELECT rows FROM quality('l2'))::integer, 10, 'of them');
SELECT throws_ok('SET LOCAL tenancy.approximate_above = -2', '22023', NULL, 'the setting is checked');

SELECT * FROM finish();
ROLLBACK;
