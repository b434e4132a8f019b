# How good the rankings are: mean average precision and nDCG@10 of each lane and of each fusion over a test collection.
# Expects TENANCY_TEST_URL, a superuser's conninfo, and QUALITY, a folder with docs.tsv (id, title, text), queries.tsv (id, text),
# qrels.tsv (query, document, relevance), docs_embedding.tsv.gz and queries_embedding.tsv.gz (id, embedding).
set -euo pipefail

if [[ -z ${QUALITY:-} ]]; then
    echo "left out: give the folder of a test collection, as in QUALITY=/path/to/cacm make bench BENCH=quality"
    exit 0
fi
data=$(cd "$QUALITY" && pwd -P)
export PGOPTIONS='-c client_min_messages=warning'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
dimensions=$(gzip -dc "$data/queries_embedding.tsv.gz" | awk 'NR == 1 { print gsub(",", "") + 1 }')

sql "$TENANCY_TEST_URL" -c 'DROP DATABASE IF EXISTS bench_quality' -c 'CREATE DATABASE bench_quality'
database="$TENANCY_TEST_URL dbname=bench_quality"
sql "$database" <<END
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_corpus(dimensions => $dimensions) \\g /dev/null
SELECT tenancy.create_tenant('collection') \\g /dev/null
CREATE TABLE doc (id text, title text, body text);
CREATE TABLE doc_embedding (id text, embedding vector);
CREATE TABLE query (id text, body text);
CREATE TABLE query_embedding (id text, embedding vector);
CREATE TABLE judgement (query text, doc text, relevance integer);
END
load() { awk -F '\t' -v OFS='\t' -v columns="$2" '{ gsub(/\\/, " "); $columns = $columns; print }' | sql "$database" -c "\\copy $1 FROM STDIN"; }
load doc 3 <"$data/docs.tsv"
load query 2 <"$data/queries.tsv"
load judgement 3 <"$data/qrels.tsv"
gzip -dc "$data/docs_embedding.tsv.gz" | load doc_embedding 2
gzip -dc "$data/queries_embedding.tsv.gz" | load query_embedding 2

sql "$database" <<END
DELETE FROM judgement WHERE relevance < 1;

SELECT tenancy.set_tenant('collection', is_local => false) \\g /dev/null
INSERT INTO documents (title, source) SELECT title, id FROM doc;
INSERT INTO chunks (document_id, content, embedding)
SELECT d.id, concat_ws(' ', doc.title, doc.body), e.embedding FROM doc JOIN doc_embedding e USING (id) JOIN documents d ON d.source = doc.id;
ANALYZE;

CREATE TABLE run (lane text, query text, doc text, place bigint);
INSERT INTO run SELECT 'words', q.id, s.document_source, s.place
  FROM query q, LATERAL (SELECT document_source, row_number() OVER () AS place FROM tenancy.keyword_search(q.body, 1000)) s;
INSERT INTO run SELECT 'embedding', q.id, s.document_source, s.place
  FROM query q JOIN query_embedding e USING (id),
       LATERAL (SELECT document_source, row_number() OVER () AS place FROM tenancy.match_chunks(e.embedding, 1000)) s;
INSERT INTO run SELECT 'hybrid ' || f.fusion || coalesce(' ' || f.weight, ''), q.id, s.document_source, s.place
  FROM query q JOIN query_embedding e USING (id),
       (VALUES ('auto', NULL), ('convex', 0.3), ('convex', 0.7), ('rrf', NULL)) f (fusion, weight),
       LATERAL (SELECT document_source, row_number() OVER () AS place
                FROM tenancy.hybrid_search(e.embedding, q.body, 1000, coalesce(f.weight, 0.3), f.fusion)) s;
\\pset format aligned
\\pset tuples_only off
\\pset footer off
WITH judged AS (SELECT query, count(*) AS relevant FROM judgement GROUP BY query),
     hits AS (SELECT r.*, row_number() OVER (PARTITION BY lane, query ORDER BY place) AS hit
              FROM run r JOIN judgement USING (query, doc)),
     each AS (SELECT l.lane, j.query, coalesce(sum(h.hit::float8 / h.place), 0) / j.relevant AS precision,
                     coalesce(sum(1 / log(2, h.place + 1)) FILTER (WHERE h.place <= 10), 0)
                     / (SELECT sum(1 / log(2, n + 1)) FROM generate_series(1, least(10, j.relevant)) n) AS ndcg
              FROM (SELECT DISTINCT lane FROM run) l CROSS JOIN judged j LEFT JOIN hits h USING (lane, query)
              GROUP BY l.lane, j.query, j.relevant)
SELECT lane, round(avg(precision)::numeric, 4) AS "MAP", round(avg(ndcg)::numeric, 4) AS "nDCG@10",
       round((avg(precision) / max(avg(precision)) FILTER (WHERE lane IN ('words', 'embedding')) OVER ())::numeric, 3) AS "MAP to the better lane"
FROM each GROUP BY lane ORDER BY avg(precision) DESC;
END
