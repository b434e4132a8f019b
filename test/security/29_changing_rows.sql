-- Attack 29: find a chunk that is gone, or miss one that is there. Searches see exactly what a plain SELECT would.
-- A prepared transaction takes two sessions: test/isolation/specs/search_prepared.spec.
BEGIN;
SELECT plan(41);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT tenancy.create_corpus(dimensions => 2);

CREATE FUNCTION agrees(situation text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT set_eq('SELECT chunk_id, content FROM tenancy.match_chunks(''[1,0]'', 100)', 'SELECT id, content FROM chunks', situation || ': match_chunks');
    RETURN NEXT set_eq('SELECT chunk_id, content FROM tenancy.keyword_search(''apple'', 100)',
                       'SELECT id, content FROM chunks WHERE content ~ ''apple''', situation || ': keyword_search');
    RETURN NEXT set_eq('SELECT chunk_id, content FROM tenancy.hybrid_search(''[1,0]'', ''apple'', 100)', 'SELECT id, content FROM chunks', situation || ': hybrid_search');
    RETURN NEXT set_eq('SELECT c.chunk_id, c.content FROM documents d, tenancy.get_document_chunks(d.id) c', 'SELECT id, content FROM chunks', situation || ': get_document_chunks');
END
$$;
GRANT EXECUTE ON FUNCTION agrees(text) TO PUBLIC;

SELECT act_as('app', a());
INSERT INTO documents (id) VALUES ('aaaaaaaa-0000-4000-8000-00000000000d');
SELECT agrees('nothing there');
INSERT INTO chunks (document_id, chunk_index, content, embedding) SELECT 'aaaaaaaa-0000-4000-8000-00000000000d', i, 'apple ' || i, ARRAY[i, 1]::vector FROM generate_series(1, 9) i;
SELECT agrees('inserted in this transaction');
UPDATE chunks SET content = 'pear', embedding = '[0,1]' WHERE chunk_index < 4;
SELECT agrees('updated');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,0]', 100) WHERE similarity = 0), 3::bigint, 'with their new embeddings');
DELETE FROM chunks WHERE chunk_index IN (1, 9);
SELECT agrees('deleted');

SAVEPOINT inner_one;
INSERT INTO chunks (document_id, chunk_index, content, embedding) VALUES ('aaaaaaaa-0000-4000-8000-00000000000d', 50, 'apple of a savepoint', '[1,1]');
DELETE FROM chunks WHERE chunk_index = 2;
SELECT agrees('in a savepoint');
ROLLBACK TO inner_one;
SELECT agrees('rolled back to it');
SAVEPOINT inner_two;
UPDATE chunks SET content = 'apple released' WHERE chunk_index = 3;
RELEASE inner_two;
SELECT agrees('released');

DO $$
BEGIN
    DELETE FROM chunks;
    RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
SELECT agrees('undone by an exception');

-- A statement does not see what it does itself.
CREATE TEMP TABLE seen (found bigint);
WITH gone AS (DELETE FROM chunks WHERE chunk_index = 4 RETURNING 1)
INSERT INTO seen SELECT (SELECT count(*) FROM tenancy.match_chunks('[1,0]', 100)) FROM gone;
SELECT is((SELECT found FROM seen), (SELECT count(*) + 1 FROM chunks), 'a statement searches what was there when it began');
-- A cursor goes on reading what was there when it was opened.
CREATE TEMP TABLE when_opened AS SELECT chunk_id FROM tenancy.match_chunks('[1,0]', 100);
DECLARE results CURSOR FOR SELECT chunk_id FROM tenancy.match_chunks('[1,0]', 100);
DELETE FROM chunks WHERE chunk_index = 5;
SELECT results_eq('FETCH ALL FROM results', 'SELECT chunk_id FROM when_opened', 'and a cursor what was there when it was opened');
DELETE FROM documents;
SELECT agrees('cascaded');

-- Volatile code of the application's between.
SELECT act_as_superuser();
CREATE FUNCTION insert_and_count() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    INSERT INTO public.documents (id) VALUES ('aaaaaaaa-0000-4000-8000-00000000000e');
    INSERT INTO public.chunks (document_id, content, embedding) VALUES ('aaaaaaaa-0000-4000-8000-00000000000e', 'apple', '[1,0]');
    SELECT count(*) INTO result FROM tenancy.match_chunks('[1,0]');
    RETURN result;
END
$$;
GRANT EXECUTE ON FUNCTION insert_and_count() TO PUBLIC;
SELECT act_as('app', a());
SELECT is(insert_and_count(), 1::bigint, 'a function sees the rows that it just inserted');
SELECT act_as('app', b());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,0]')), 0::bigint, 'and B none of all this');

SELECT finish();
ROLLBACK;
