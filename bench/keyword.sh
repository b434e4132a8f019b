# Keyword search by the store and by the rows: tenants of 300, 5,000 and 25,000 chunks of about 900 bytes of text, queries of
# three words from everywhere in their frequencies, as an application's role; the same while another tenant grows; what it takes
# to write. Expects TENANCY_TEST_URL, a superuser's conninfo.
set -euo pipefail
export PGOPTIONS='-c client_min_messages=warning'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

sql "$TENANCY_TEST_URL" -c 'DROP DATABASE IF EXISTS bench_keyword' -c 'CREATE DATABASE bench_keyword' -c 'DROP ROLE IF EXISTS bench_reader' -c 'CREATE ROLE bench_reader LOGIN'
trap 'sql "$TENANCY_TEST_URL" -c "DROP DATABASE bench_keyword" -c "DROP ROLE bench_reader"' EXIT
database="$TENANCY_TEST_URL dbname=bench_keyword"
sql "$database" <<'END'
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.grant_app('bench_reader') \g /dev/null
SELECT tenancy.create_corpus(dimensions => 1) \g /dev/null
SELECT tenancy.create_tenant(slug) FROM unnest('{small,middle,large,other}'::text[]) slug \g /dev/null
INSERT INTO documents (tenant_id, id) SELECT id, id FROM tenancy.tenants;

-- Words of which the i-th is about 1/i as frequent as the first, as in any language.
SELECT setseed(0.5) \g /dev/null
CREATE TABLE vocabulary AS
SELECT i, (SELECT string_agg(chr(97 + floor(random() * 26)::integer), '') FROM generate_series(1, 4 + i % 6)) AS word FROM generate_series(1, 20000) i;
CREATE UNIQUE INDEX ON vocabulary (i);
CREATE FUNCTION some_words(count integer) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(v.word, ' ') FROM (SELECT floor(exp(random() * ln(20000)))::integer AS i FROM generate_series(1, count)) r JOIN vocabulary v USING (i)
$$;
CREATE TABLE texts AS SELECT i, some_words(115 + i % 21) AS content FROM generate_series(1, 5000) i;
CREATE UNIQUE INDEX ON texts (i);
CREATE TABLE queries AS SELECT i, some_words(3) AS query FROM generate_series(1, 200) i;
VACUUM ANALYZE texts, queries;

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
VACUUM ANALYZE chunks, tenancy.keyword_segments, tenancy.keyword_log;

-- Milliseconds of a search, at the median and at 95 %.
CREATE FUNCTION measured(most integer) RETURNS double precision[] LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
    took double precision[];
    asked text;
BEGIN
    FOR asked IN SELECT q.query FROM queries q ORDER BY q.i LIMIT most LOOP
        began := clock_timestamp();
        PERFORM FROM tenancy.keyword_search(asked, 10);
        took := took || extract(epoch FROM clock_timestamp() - began)::double precision * 1000;
    END LOOP;
    RETURN (SELECT percentile_cont('{0.5,0.95}'::double precision[]) WITHIN GROUP (ORDER BY t) FROM unnest(took) t);
END $$;
GRANT SELECT ON queries TO bench_reader;
CREATE TABLE result (place serial, tenant text, chunks integer, role text, by_store double precision[], by_rows double precision[]);
END

as_role() {
    sql "$database" <<END
SELECT tenancy.set_tenant('$1', is_local => false) \\g /dev/null
SET ROLE $2;
SELECT measured(20) \\g /dev/null
SELECT measured(200) AS store \gset
SET tenancy.use_stores = off;
SELECT measured($3) AS rows \gset
RESET ROLE;
INSERT INTO result (tenant, chunks, role, by_store, by_rows)
SELECT '$4', count(*), '$2', :'store', :'rows' FROM chunks WHERE tenant_id = tenancy.current_tenant_id();
END
}
as_role small bench_reader 100 300
as_role middle bench_reader 20 5,000
as_role middle postgres 20 '5,000'
as_role large bench_reader 3 25,000
answers() {
    sql "$database" <<'END' | md5sum
SELECT tenancy.set_tenant('middle', is_local => false) \g /dev/null
SET extra_float_digits = 3;
SELECT q.i, s.chunk_id, s.similarity FROM queries q, tenancy.keyword_search(q.query, 10) s ORDER BY q.i, s.similarity DESC, s.chunk_id;
END
}
alone=$(answers)
sql "$database" -c "CALL fill('other', 5000, 10)"
as_role middle bench_reader 20 '5,000, another grew to 50,000'
same=$([[ $(answers) == "$alone" ]] && echo identical || echo DIFFERENT)

sql "$database" <<'END'
\pset format aligned
\pset tuples_only off
\pset footer off
SELECT tenant AS "chunks of the tenant", role, round(by_store[1]::numeric, 3) AS "store p50 ms", round(by_store[2]::numeric, 3) AS "p95",
       round(by_rows[1]::numeric, 2) AS "rows p50 ms", round((by_rows[1] / by_store[1])::numeric) AS "times faster"
FROM result ORDER BY place;
SELECT pg_size_pretty(sum(pg_total_relation_size(r))) AS "store", pg_size_pretty((SELECT sum(octet_length(content)) FROM chunks)) AS "text",
       round(sum(pg_total_relation_size(r)) / (SELECT sum(octet_length(content)) FROM chunks), 2) AS "to the text"
FROM unnest('{tenancy.keyword_segments,tenancy.keyword_log}'::regclass[]) r;
END
echo "answers of the tenant of 5,000 after another one grew: $same"

# One chunk at a time, each a transaction, and 5,000 in one statement; without the store its triggers are gone, not its rows.
write() {
    sql "$database" <<END
SELECT id AS tenant FROM tenancy.tenants WHERE slug = 'other' \gset
CREATE OR REPLACE PROCEDURE write(tenant uuid, first integer) LANGUAGE plpgsql AS \$\$
BEGIN
    FOR n IN first + 1..first + 1000 LOOP
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content) SELECT tenant, tenant, n, content FROM texts WHERE i = n % 5000 + 1;
        COMMIT;
    END LOOP;
END \$\$;
SELECT clock_timestamp() AS began \gset
CALL write(:'tenant', $1);
SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000 AS took, clock_timestamp() AS began \gset single_
INSERT INTO chunks (tenant_id, document_id, chunk_index, content) SELECT :'tenant', :'tenant', $1 + 1000 + i, content FROM texts;
SELECT :'single_took'::numeric, extract(epoch FROM clock_timestamp() - :'single_began') * 1000000 / 5000;
END
}
with=$(write 1000000)
sql "$database" -c "SELECT tenancy.drop_triggers('chunks', 'tenancy\_%')" >/dev/null
without=$(write 2000000)
awk -F'|' -v with="$with" -v without="$without" 'BEGIN { split(with, a); split(without, b)
    printf "insert of one chunk: %.0f us with both stores, %.0f without (%.2f times); of 5,000 in one statement: %.0f us and %.0f a chunk (%.2f times)\n", a[1], b[1], a[1] / b[1], a[2], b[2], a[2] / b[2] }'
