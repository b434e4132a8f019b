-- Whatever happened to the chunks, search by the vector store answers what reading them does: rows, order and scores.
-- Random histories of inserts, updates, deletes, savepoints and rollbacks, long enough for packing and repacking.
BEGIN;
SELECT plan(21);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT setseed(0.42);

CREATE FUNCTION random_vector(dimensions integer) RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT '[' || string_agg(round((random() * 2 - 1)::numeric, 2)::text, ',') || ']' FROM generate_series(1, dimensions)
$$;

CREATE FUNCTION answer(corpus text, query text, match_count integer, threshold float8, filter jsonb, documents uuid[]) RETURNS text
LANGUAGE sql SET extra_float_digits = 3 AS $$
    SELECT coalesce(string_agg(concat_ws(' ', m.chunk_id, m.similarity, m.content), E'\n'), '')
    FROM tenancy.match_chunks(query::vector, match_count, threshold, filter, documents, corpus) m
$$;

-- What the rows themselves say: without the store, and that undone again.
CREATE FUNCTION expected(corpus text, query text, match_count integer, threshold float8, filter jsonb, documents uuid[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        UPDATE tenancy.stores SET state = 'stale';
        result := answer(corpus, query, match_count, threshold, filter, documents);
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    RETURN result;
END
$$;

-- Change the chunks at random; an odd step may be undone.
CREATE FUNCTION one_step(corpus text, dimensions integer, step integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    chunks text := corpus || '_chunks';
    document uuid := 'aaaaaaaa-0000-4000-8000-00000000000' || CASE WHEN random() < 0.5 THEN 'd' ELSE 'e' END;
    what float8 := random();
    how_many integer := 1 + (random() * random() * 60)::integer;
BEGIN
    IF what < 0.45 THEN
        EXECUTE format('INSERT INTO %I (tenant_id, document_id, chunk_index, content, embedding, metadata)
            SELECT $1, $2, $3 * 1000 + i, ''chunk '' || $3 || ''.'' || i,
                   (CASE WHEN random() < 0.02 THEN NULL WHEN random() < 0.02 THEN ''[0'' || repeat('',0'', $4 - 1) || '']'' ELSE random_vector($4) END)::vector,
                   jsonb_build_object(''even'', i %% 2 = 0)
            FROM generate_series(1, $5) i', chunks) USING a(), document, step, dimensions, how_many;
    ELSIF what < 0.6 THEN
        EXECUTE format('UPDATE %I SET embedding = random_vector($1)::vector WHERE id IN (SELECT id FROM %1$I ORDER BY random() LIMIT $2)', chunks)
        USING dimensions, how_many;
    ELSIF what < 0.65 THEN
        IF corpus NOT LIKE '_h' THEN
            EXECUTE format('UPDATE %I SET embedding = replace(replace(random_vector($1), '','', (array[''e-30,'', ''e30,'', ''e-10,''])[1 + floor(random() * 3)::integer]), '']'', ''e20]'')::vector
                            WHERE id IN (SELECT id FROM %1$I ORDER BY random() LIMIT 3)', chunks) USING dimensions;
        END IF;
        EXECUTE format('UPDATE %I SET content = content || ''!'' WHERE random() < 0.3', chunks);
    ELSIF what < 0.7 THEN
        EXECUTE format('UPDATE %I SET id = gen_random_uuid() WHERE id IN (SELECT id FROM %1$I ORDER BY random() LIMIT $1)', chunks) USING how_many;
    ELSIF what < 0.75 THEN
        EXECUTE format('INSERT INTO %1$I (tenant_id, id, document_id, chunk_index, content)
            SELECT tenant_id, id, document_id, chunk_index, content FROM %1$I ORDER BY random() LIMIT $1
            ON CONFLICT (tenant_id, id) DO UPDATE SET embedding = random_vector($2)::vector', chunks) USING how_many, dimensions;
    ELSIF what < 0.97 THEN
        EXECUTE format('DELETE FROM %I WHERE id IN (SELECT id FROM %1$I ORDER BY random() LIMIT $1)', chunks) USING how_many;
    ELSE
        EXECUTE format('DELETE FROM %I WHERE random() < 0.5', chunks);
    END IF;
END
$$;

CREATE FUNCTION history(corpus text, dimensions integer, steps integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    query text;
    wanted integer;
    threshold float8;
    filter jsonb;
    documents uuid[];
    found text;
    should text;
BEGIN
    FOR step IN 1..steps LOOP
        BEGIN
            PERFORM one_step(corpus, dimensions, step);
            IF random() < 0.3 THEN
                PERFORM one_step(corpus, dimensions, step + 100000);
            END IF;
            IF random() < 0.2 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        -- Sometimes nothing, or numbers whose squares are none.
        query := CASE WHEN random() < 0.05 THEN '[0' || repeat(',0', dimensions - 1) || ']' ELSE random_vector(dimensions) END;
        IF random() < 0.1 AND corpus NOT LIKE '_h' THEN
            query := replace(replace(query, ',', (array['e-30,', 'e25,', 'e38,'])[1 + floor(random() * 3)::integer]), ']', 'e20]');
        END IF;
        wanted := (array[1, 3, 10, 40, 1000])[1 + floor(random() * 5)::integer];
        threshold := CASE WHEN random() < 0.4 THEN (array[random(), random() - 0.5, 0, 1, -1, 5, 'Infinity', '-Infinity', '1e-300'])[1 + floor(random() * 9)::integer] END;
        filter := CASE WHEN random() < 0.3 THEN '{"even": true}'::jsonb END;
        found := answer(corpus, query, wanted, threshold, filter, NULL);
        should := expected(corpus, query, wanted, threshold, filter, NULL);
        IF found IS DISTINCT FROM should THEN
            RETURN format('step %s: %s rows of %s; found %s and not %s', step, wanted, query, found, should);
        END IF;
    END LOOP;
    RETURN 'the same';
END
$$;

SELECT tenancy.create_corpus(name, 8, metric, embedding_type => type)
FROM (VALUES ('c', 'cosine', 'vector'), ('i', 'inner_product', 'vector'), ('l', 'l2', 'vector'), ('ch', 'cosine', 'halfvec'),
             ('ih', 'inner_product', 'halfvec'), ('lh', 'l2', 'halfvec')) AS k (name, metric, type);
SELECT run(format('INSERT INTO %I SELECT a(), d FROM unnest(ARRAY[''aaaaaaaa-0000-4000-8000-00000000000d'', ''aaaaaaaa-0000-4000-8000-00000000000e'']::uuid[]) d', name || '_documents'))
FROM tenancy.corpora;
-- The owner of the tables, whom no policy holds, in A: search takes the tenant from the context all the same.
SELECT tenancy.set_tenant(a());

SELECT is(history(name, 8, 120), 'the same', 'corpus ' || name || ' (' || metric || ')') FROM tenancy.corpora ORDER BY name;
SELECT is((SELECT tier FROM tenancy.explain_match(random_vector(8)::vector, corpus => name)), 'codes', name || ': it was the store that answered')
FROM tenancy.corpora ORDER BY name;
SELECT cmp_ok((SELECT count(*) FROM tenancy.vector_blocks b WHERE b.store = s.number AND b.kind = 2), '<=', 33::bigint, corpus || ': loose rows are packed')
FROM tenancy.stores s WHERE s.kind = 'vectors' ORDER BY corpus;
SELECT cmp_ok((SELECT sum(b.entries) FROM tenancy.vector_blocks b JOIN tenancy.stores s ON s.number = b.store WHERE s.corpus = 'c' AND b.kind IN (1, 2)),
    '<=', (SELECT 2 * count(*) + 200 FROM c_chunks), 'dead codes do not pile up');

DELETE FROM c_chunks;
SELECT is((SELECT rows FROM tenancy.explain_match(random_vector(8)::vector, corpus => 'c')), 0::bigint, 'nothing is left');
TRUNCATE c_chunks;
SELECT is((SELECT codes FROM tenancy.explain_match(random_vector(8)::vector, corpus => 'c')), 0::bigint, 'TRUNCATE empties the store');

SELECT * FROM finish();
ROLLBACK;
