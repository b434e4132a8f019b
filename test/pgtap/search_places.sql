-- A session goes to rows where it found them before. Whatever has become of those places meanwhile, answers are the rows as they are,
-- and those of the tenant.
BEGIN;
SELECT plan(20);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 2, metric => 'l2');
CREATE FUNCTION pg_temp.id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid$$;
CREATE FUNCTION pg_temp.fill(tenant uuid, name text, descending boolean) RETURNS void LANGUAGE sql AS $$
    INSERT INTO documents (tenant_id, id, title) SELECT tenant, pg_temp.id(d), name || ' title ' || d FROM generate_series(1, 400) d
    ORDER BY CASE WHEN descending THEN -d ELSE d END;
    INSERT INTO chunks (tenant_id, id, document_id, chunk_index, content, embedding)
    SELECT tenant, pg_temp.id(n), pg_temp.id((n * 7) % 400 + 1), n, name || ' ' || n, ARRAY[n, 1]::vector FROM generate_series(1, 400) n
    ORDER BY CASE WHEN descending THEN -n ELSE n END
$$;
-- Chunks and documents have the same ids in both tenants.
SELECT pg_temp.fill(test_helpers.a(), 'a', false);
SELECT pg_temp.fill(test_helpers.b(), 'b', true);
ANALYZE chunks, documents;

CREATE FUNCTION pg_temp.wrong(answer_count integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM (
        SELECT chunk_id, content, document_title, place FROM tenancy.match_chunks('[200,0]', answer_count) WITH ORDINALITY
            m (chunk_id, document_id, chunk_index, content, similarity, metadata, document_title, source, place)) m
    FULL JOIN (
        SELECT c.id, c.content, d.title, row_number() OVER (ORDER BY c.embedding <-> '[200,0]', c.id) AS place FROM chunks c LEFT JOIN documents d ON d.id = c.document_id
        ORDER BY place LIMIT answer_count) r USING (place)
    WHERE (m.chunk_id, m.content, m.document_title) IS DISTINCT FROM (r.id, r.content, r.title)
$$;
CREATE FUNCTION pg_temp.scans() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    SELECT sum(idx_scan) FROM pg_stat_xact_user_tables WHERE relname IN ('chunks', 'documents')
$$;

SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT coalesce(why_rows, tier) FROM tenancy.explain_match('[200,0]')), 'codes', 'by the store');
SELECT pg_temp.scans() AS before \gset
SELECT count(*) FROM tenancy.match_chunks('[200,0]', 20) \g /dev/null
SELECT cmp_ok(pg_temp.scans(), '>', :before::bigint, 'a search finds rows by an index');
SELECT pg_temp.scans() AS before \gset
SELECT count(*) FROM tenancy.match_chunks('[200,0]', 20) \g /dev/null
SELECT is(pg_temp.scans(), :before::bigint, 'the next one where they were');
SELECT is(pg_temp.wrong(20), 0::bigint, 'and they are the same');
SELECT is(pg_temp.wrong(60), 0::bigint, 'with some whose places are not known');
SET LOCAL enable_tidscan = off;
DISCARD PLANS;
SELECT is(pg_temp.wrong(20), 0::bigint, 'where nobody may go to a place');
RESET enable_tidscan;
DISCARD PLANS;

-- The caller's policies hold there too.
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT is(pg_temp.wrong(60), 0::bigint, 'another tenant gets its own rows of the same ids');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[200,0]', 60) WHERE content ~ '^b ' AND document_title ~ '^b '), 60::bigint, 'all of them');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(pg_temp.wrong(60), 0::bigint, 'and the first one its own again');
SELECT test_helpers.act_as_superuser();
CREATE POLICY not_all ON chunks AS RESTRICTIVE FOR SELECT USING (chunk_index % 2 = 0);
CREATE POLICY not_all ON documents AS RESTRICTIVE FOR SELECT USING (title NOT LIKE '%1');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[200,0]', 60) WHERE chunk_index % 2 = 0 AND (document_title LIKE '%1') IS NOT TRUE), 60::bigint,
          'what a policy hides now is hidden');
SELECT is(pg_temp.wrong(60), 0::bigint, 'and nothing else');
SELECT test_helpers.act_as_superuser();
DROP POLICY not_all ON chunks;
DROP POLICY not_all ON documents;

-- Rows that move.
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(pg_temp.wrong(60), 0::bigint, 'all of them again');
SAVEPOINT before;
UPDATE chunks SET content = repeat(content, 200) WHERE chunk_index % 3 = 0;
UPDATE documents SET title = repeat(title, 50);
SELECT is(pg_temp.wrong(60), 0::bigint, 'to another place');
ROLLBACK TO before;
SELECT is(pg_temp.wrong(60), 0::bigint, 'and back');
UPDATE chunks SET content = content || ' changed' WHERE chunk_index % 3 = 1;
SELECT is(pg_temp.wrong(60), 0::bigint, 'within their page');
DELETE FROM chunks WHERE chunk_index BETWEEN 195 AND 205;
SELECT is(pg_temp.wrong(60), 0::bigint, 'or go');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[200,0]', 60) WHERE chunk_index BETWEEN 195 AND 205), 0::bigint, 'for good');

-- Others take their places.
SELECT test_helpers.act_as_superuser();
TRUNCATE chunks, documents CASCADE;
SELECT pg_temp.fill(test_helpers.a(), 'again', true);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(pg_temp.wrong(60), 0::bigint, 'where other rows lie by now');
SELECT is(pg_temp.wrong(60), 0::bigint, 'and once more');
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[200,0]', 60)), 0::bigint, 'nothing is left of who has none');

SELECT * FROM finish();
ROLLBACK;
