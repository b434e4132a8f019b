# Keyword search by the store and by the rows: tenants of 300, 5,000, 25,000 and 100,000 chunks of about 900 bytes of text,
# queries of one, three and eight words from everywhere in their frequencies, as an application's role; the same while another
# tenant grows; what it takes to write. Expects TENANCY_TEST_URL, a superuser's conninfo.
set -euo pipefail
export PGOPTIONS='-c client_min_messages=warning'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

sql "$TENANCY_TEST_URL" -c 'DROP DATABASE IF EXISTS bench_keyword' -c 'CREATE DATABASE bench_keyword' -c 'DROP ROLE IF EXISTS bench_reader' -c 'CREATE ROLE bench_reader LOGIN'
trap 'sql "$TENANCY_TEST_URL" -c "DROP DATABASE bench_keyword" -c "DROP ROLE bench_reader"' EXIT
database="$TENANCY_TEST_URL dbname=bench_keyword"
sql "$database" -f bench/keyword_texts.sql
sql "$database" <<'END'
SELECT tenancy.grant_app('bench_reader') \g /dev/null
SELECT tenancy.create_corpus(dimensions => 384) \g /dev/null
SELECT tenancy.create_tenant(slug) FROM unnest('{small,middle,large,huge,other}'::text[]) slug \g /dev/null
INSERT INTO documents (tenant_id, id) SELECT id, id FROM tenancy.tenants;
CREATE TABLE queries AS SELECT i, words, some_words(words) AS query FROM generate_series(1, 200) i, unnest('{1,3,8}'::integer[]) words;
VACUUM ANALYZE queries;

CREATE PROCEDURE fill(slug text, most integer, times integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR part IN 1..times LOOP
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content)
        SELECT t.id, t.id, part * 5000 + x.i, x.content FROM tenancy.tenants t, texts x WHERE t.slug = fill.slug AND x.i <= most;
    END LOOP;
END $$;
CALL fill('small', 300, 1);
CALL fill('middle', 5000, 1);
CALL fill('large', 5000, 5);
CALL fill('huge', 5000, 20);
VACUUM ANALYZE chunks, tenancy.keyword_segments, tenancy.keyword_log;

-- Milliseconds of a search, at the median and at 95 %.
CREATE FUNCTION measured(words_asked integer, most integer) RETURNS double precision[] LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
    took double precision[];
    asked text;
BEGIN
    FOR asked IN SELECT q.query FROM queries q WHERE q.words = words_asked ORDER BY q.i LIMIT most LOOP
        began := clock_timestamp();
        PERFORM FROM tenancy.keyword_search(asked, 10);
        took := took || extract(epoch FROM clock_timestamp() - began)::double precision * 1000;
    END LOOP;
    RETURN (SELECT percentile_cont('{0.5,0.95}'::double precision[]) WITHIN GROUP (ORDER BY t) FROM unnest(took) t);
END $$;
GRANT SELECT ON queries TO bench_reader;
CREATE TABLE result (place serial, tenant text, words integer, role text, by_store double precision[], by_rows double precision[]);
END

as_role() {
    sql "$database" <<END
SELECT tenancy.set_tenant('$1', is_local => false) \\g /dev/null
SET ROLE $2;
SELECT measured($3, 20) \\g /dev/null
SELECT measured($3, 200) AS store \gset
SET tenancy.use_stores = off;
SELECT measured($3, $4) AS rows \gset
RESET ROLE;
INSERT INTO result (tenant, words, role, by_store, by_rows) VALUES ('$5', $3, '$2', :'store', :'rows');
END
}
for words in 1 3 8; do
    as_role small bench_reader $words 100 300
    as_role middle bench_reader $words 20 5,000
    as_role large bench_reader $words 3 25,000
    as_role huge bench_reader $words 1 100,000
done
as_role middle postgres 3 20 '5,000'
answers() {
    sql "$database" <<'END' | md5sum
SELECT tenancy.set_tenant('middle', is_local => false) \g /dev/null
SET extra_float_digits = 3;
SELECT q.i, s.chunk_id, s.similarity FROM queries q, tenancy.keyword_search(q.query, 10) s ORDER BY q.i, q.words, s.similarity DESC, s.chunk_id;
END
}
alone=$(answers)
sql "$database" -c "CALL fill('other', 5000, 10)"
as_role middle bench_reader 3 20 '5,000, another grew to 50,000'
same=$([[ $(answers) == "$alone" ]] && echo identical || echo DIFFERENT)

sql "$database" <<'END'
\pset format aligned
\pset tuples_only off
\pset footer off
SELECT tenant AS "chunks of the tenant", words AS "words asked", role, round(by_store[1]::numeric, 3) AS "store p50 ms", round(by_store[2]::numeric, 3) AS "p95",
       round(by_rows[1]::numeric, 2) AS "rows p50 ms", round((by_rows[1] / by_store[1])::numeric) AS "times faster"
FROM result ORDER BY place;
SELECT pg_size_pretty(sum(pg_total_relation_size(r))) AS "store", pg_size_pretty((SELECT sum(octet_length(content)) FROM chunks)) AS "text",
       round(sum(pg_total_relation_size(r)) / (SELECT sum(octet_length(content)) FROM chunks), 2) AS "to the text"
FROM unnest('{tenancy.keyword_segments,tenancy.keyword_log}'::regclass[]) r;
END
echo "answers of the tenant of 5,000 after another one grew: $same"

# Chunks with 384 dimensions of their own, one at a time, each a transaction, and 10,000 in one statement: into corpora with both
# stores, with one of them and with none, round by round, in processor time of the server. The mean of a round has its share of
# what is packed now and then; what is shown is the median of the rounds.
sql "$database" <<'END'
SELECT tenancy.create_corpus(c, 384) FROM unnest('{none,words,codes,both}'::text[]) c \g /dev/null
DELETE FROM tenancy.stores WHERE corpus = 'none' OR corpus = 'words' AND kind = 'vectors' OR corpus = 'codes' AND kind = 'words';
SELECT tenancy.drop_triggers('none_chunks', 'tenancy\_%'), tenancy.drop_triggers('words_chunks', 'tenancy\_vectors%'), tenancy.drop_triggers('codes_chunks', 'tenancy\_words%') \g /dev/null
ALTER TABLE texts ADD embedding vector(384);
UPDATE texts SET embedding = some_embedding(i);
VACUUM FULL texts;
CREATE FUNCTION processor_us() RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::double precision / 1000
$$;
CREATE TABLE written (corpus text, bulk boolean, took double precision);
CREATE PROCEDURE write(corpus text, round integer) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid := (SELECT t.id FROM tenancy.tenants t WHERE t.slug = 'other');
    one text := format('INSERT INTO %1$s_chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT $1, $1, $2, content, embedding FROM texts WHERE i = $3', corpus);
    began double precision := processor_us();
BEGIN
    FOR n IN 1..1000 LOOP
        EXECUTE one USING tenant, round * 20000 + n, 1 + (round * 1000 + n) % 5000;
        COMMIT;
    END LOOP;
    INSERT INTO written VALUES (corpus, false, (processor_us() - began) / 1000);
    COMMIT;
    began := processor_us();
    EXECUTE format('INSERT INTO %1$s_chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT $1, $1, $2 + 5000 * g + i, content, embedding FROM texts, generate_series(0, 1) g', corpus)
    USING tenant, round * 20000 + 1000;
    COMMIT;
    INSERT INTO written VALUES (corpus, true, (processor_us() - began) / 10000);
    COMMIT;
END $$;
END
for corpus in none words codes both; do sql "$database" -c "INSERT INTO ${corpus}_documents (tenant_id, id) SELECT id, id FROM tenancy.tenants"; done
for round in 1 2 3 4 5; do
    for corpus in none words codes both; do sql "$database" -c "CALL write('$corpus', $round)"; done
done
sql "$database" <<'END'
\pset format aligned
\pset tuples_only off
\pset footer off
WITH medians AS (SELECT corpus, bulk, percentile_cont(0.5) WITHIN GROUP (ORDER BY took)::numeric AS took FROM written GROUP BY 1, 2)
SELECT CASE m.corpus WHEN 'none' THEN 'no store' WHEN 'words' THEN 'the keyword store' WHEN 'codes' THEN 'the vector store' ELSE 'both' END AS "a chunk written with",
       round(min(m.took) FILTER (WHERE NOT m.bulk)) AS "alone, us", round(min(m.took / n.took) FILTER (WHERE NOT m.bulk), 2) AS "times",
       round(min(m.took) FILTER (WHERE m.bulk)) AS "of 10,000, us", round(min(m.took / n.took) FILTER (WHERE m.bulk), 2) AS "times "
FROM medians m JOIN medians n ON n.corpus = 'none' AND n.bulk = m.bulk
GROUP BY m.corpus ORDER BY array_position('{none,words,codes,both}', m.corpus);
END
