# Hybrid search over both stores: tenants of 300, 3,000 and 10,000 chunks of 384 dimensions and about 900 bytes of text, queries of
# three words with an embedding, against each lane alone in the same run, as an application's role. An answer of 10 takes the
# best 200 of each lane, so each lane is also asked for 200. Expects TENANCY_TEST_URL, a superuser's conninfo.
set -euo pipefail
export PGOPTIONS='-c client_min_messages=warning'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

sql "$TENANCY_TEST_URL" -c 'DROP DATABASE IF EXISTS bench_hybrid' -c 'CREATE DATABASE bench_hybrid' -c 'DROP ROLE IF EXISTS bench_reader' -c 'CREATE ROLE bench_reader LOGIN'
trap 'sql "$TENANCY_TEST_URL" -c "DROP DATABASE bench_hybrid" -c "DROP ROLE bench_reader"' EXIT
database="$TENANCY_TEST_URL dbname=bench_hybrid"
sql "$database" -f bench/keyword_texts.sql
sql "$database" <<'END'
SELECT tenancy.grant_app('bench_reader') \g /dev/null
SELECT tenancy.create_corpus(dimensions => 384) \g /dev/null
SELECT tenancy.create_tenant(slug) FROM unnest('{small,middle,large}'::text[]) slug \g /dev/null
INSERT INTO documents (tenant_id, id) SELECT id, id FROM tenancy.tenants;
CREATE TABLE queries AS SELECT i, some_words(3) AS query, some_embedding(i) AS embedding FROM generate_series(1, 200) i;
CREATE PROCEDURE fill(slug text, most integer, times integer) LANGUAGE sql AS $$
    INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
    SELECT t.id, t.id, part * 5000 + x.i, x.content, some_embedding(x.i) FROM tenancy.tenants t, texts x, generate_series(1, times) part
    WHERE t.slug = fill.slug AND x.i <= most
$$;
CALL fill('small', 300, 1);
CALL fill('middle', 3000, 1);
CALL fill('large', 5000, 2);
VACUUM ANALYZE queries, chunks, tenancy.keyword_segments, tenancy.keyword_log, tenancy.vector_blocks;
-- Milliseconds at the median.
CREATE FUNCTION measured(what text, most integer) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
    took double precision[];
    asked record;
BEGIN
    FOR asked IN SELECT q.query, q.embedding FROM queries q ORDER BY q.i LOOP
        began := clock_timestamp();
        CASE what
        WHEN 'vectors' THEN PERFORM FROM tenancy.match_chunks(asked.embedding, most);
        WHEN 'words' THEN PERFORM FROM tenancy.keyword_search(asked.query, most);
        ELSE PERFORM FROM tenancy.hybrid_search(asked.embedding, asked.query, most);
        END CASE;
        took := took || extract(epoch FROM clock_timestamp() - began)::double precision * 1000;
    END LOOP;
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t);
END $$;
GRANT SELECT ON queries TO bench_reader;
CREATE TABLE result (round integer, chunks integer, what text, most integer, took double precision);
GRANT INSERT ON result TO bench_reader;
END
for round in 0 1 2 3; do
    while read -r slug chunks; do
        sql "$database" <<END
SELECT tenancy.set_tenant('$slug', is_local => false) \\g /dev/null
SET ROLE bench_reader;
INSERT INTO result SELECT $round, $chunks, w.what, w.most, measured(w.what, w.most)
FROM (VALUES ('vectors', 10), ('words', 10), ('vectors', 200), ('words', 200), ('both', 10)) w (what, most);
END
    done <<<$'small 300\nmiddle 3000\nlarge 10000'
done
sql "$database" <<'END'
\pset format aligned
\pset tuples_only off
\pset footer off
-- The first round only warms up.
WITH medians AS (SELECT chunks, what, most, percentile_cont(0.5) WITHIN GROUP (ORDER BY took)::numeric AS took FROM result WHERE round > 0 GROUP BY 1, 2, 3),
     lanes AS (SELECT chunks, min(took) FILTER (WHERE what = 'vectors' AND most = 10) AS v, min(took) FILTER (WHERE what = 'words' AND most = 10) AS w,
                      min(took) FILTER (WHERE what = 'vectors' AND most = 200) AS v200, min(took) FILTER (WHERE what = 'words' AND most = 200) AS w200,
                      min(took) FILTER (WHERE what = 'both') AS together FROM medians GROUP BY 1)
SELECT chunks AS "chunks of the tenant", round(v, 3) AS "match_chunks ms", round(w, 3) AS "keyword_search ms", round(v200, 3) AS "match_chunks of 200",
       round(w200, 3) AS "keyword_search of 200", round(together, 3) AS "hybrid_search ms", round(together / (v200 + w200), 2) AS "to both of 200"
FROM lanes ORDER BY chunks;
END
