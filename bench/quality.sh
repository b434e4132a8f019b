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

-- As the collection is, and with the lane of embeddings made weaker: fusion must not drag the better lane down. Noise of as
-- many times a query's own length; and for embeddings that are good, the mean of those that are judged relevant.
SELECT setseed(0.5);
CREATE TABLE asked AS
SELECT c.name, q.id AS query, q.body,
       CASE WHEN c.is_mean THEN coalesce((SELECT avg(d.embedding) FROM judgement j JOIN doc_embedding d ON d.id = j.doc WHERE j.query = q.id), e.embedding) ELSE e.embedding END
       + (SELECT array_agg(c.noise * sqrt(12.0 / $dimensions) * (random() - 0.5) + n * 0) FROM generate_series(1, $dimensions + 0 * length(q.id)) n)::vector AS embedding
FROM (VALUES ('1 as they are', 0.0, false), ('2 noise x 0.5', 0.5, false), ('3 noise x 2', 2, false), ('4 noise x 100', 100, false),
             ('5 mean of the relevant', 0, true)) c (name, noise, is_mean),
     query q JOIN query_embedding e USING (id);

CREATE TABLE run (name text, lane text, query text, doc text, place bigint);
INSERT INTO run SELECT a.name, 'words', a.query, s.document_source, s.place
  FROM asked a, LATERAL (SELECT document_source, row_number() OVER () AS place FROM tenancy.keyword_search(a.body, 1000)) s;
INSERT INTO run SELECT a.name, 'embedding', a.query, s.document_source, s.place
  FROM asked a, LATERAL (SELECT document_source, row_number() OVER () AS place FROM tenancy.match_chunks(a.embedding, 1000)) s;
INSERT INTO run SELECT a.name, f.fusion || coalesce(' ' || f.weight, ''), a.query, s.document_source, s.place
  FROM asked a, (VALUES ('auto', NULL), ('convex', 0.3), ('convex', 0.7), ('rrf', NULL)) f (fusion, weight),
       LATERAL (SELECT document_source, row_number() OVER () AS place
                FROM tenancy.hybrid_search(a.embedding, a.body, 1000, coalesce(f.weight, 0.3), f.fusion)) s;
\\pset format aligned
\\pset tuples_only off
\\pset footer off
CREATE VIEW measured AS
WITH judged AS (SELECT query, count(*) AS relevant FROM judgement GROUP BY query),
     hits AS (SELECT r.*, row_number() OVER (PARTITION BY name, lane, query ORDER BY place) AS hit
              FROM run r JOIN judgement USING (query, doc)),
     each AS (SELECT l.name, l.lane, j.query, coalesce(sum(h.hit::float8 / h.place), 0) / j.relevant AS precision,
                     coalesce(sum(1 / log(2, h.place + 1)) FILTER (WHERE h.place <= 10), 0)
                     / (SELECT sum(1 / log(2, n + 1)) FROM generate_series(1, least(10, j.relevant)) n) AS ndcg
              FROM (SELECT DISTINCT name, lane FROM run) l CROSS JOIN judged j LEFT JOIN hits h USING (name, lane, query)
              GROUP BY l.name, l.lane, j.query, j.relevant)
SELECT name, lane, round(avg(precision)::numeric, 4) AS map, round(avg(ndcg)::numeric, 4) AS ndcg FROM each GROUP BY name, lane;
SELECT lane, map AS "MAP", ndcg AS "nDCG@10" FROM measured WHERE name LIKE '1%' ORDER BY map DESC;
SELECT substr(name, 3) AS "MAP with embeddings", max(map) FILTER (WHERE lane = 'words') AS words, max(map) FILTER (WHERE lane = 'embedding') AS embedding,
       max(map) FILTER (WHERE lane = 'auto') AS auto, max(map) FILTER (WHERE lane = 'convex 0.3') AS "convex 0.3",
       max(map) FILTER (WHERE lane = 'convex 0.7') AS "convex 0.7", max(map) FILTER (WHERE lane = 'rrf') AS rrf,
       round(max(map) FILTER (WHERE lane = 'auto') / max(map) FILTER (WHERE lane IN ('words', 'embedding')), 3) AS "auto to the better lane"
FROM measured GROUP BY name ORDER BY name;
END
