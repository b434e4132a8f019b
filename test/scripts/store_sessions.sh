#!/usr/bin/env bash
# Sessions write one tenant's chunks at random at the same time, each its own document, and others search: whatever the
# moment, the store finds what the rows say under the same snapshot, and no writer fails because of it. Prints TAP.
# STORE_SECONDS=60 for longer.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

cluster=store-sessions
trap 'scripts/cluster drop $cluster >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop $cluster >/dev/null 2>&1
scripts/cluster start $cluster >/dev/null || exit 1
sql() { scripts/cluster psql $cluster -XqAt -v ON_ERROR_STOP=1 "$@"; }
export PGOPTIONS='-c client_min_messages=warning'

sql <<'SQL' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_corpus(dimensions => 12, metric => 'l2');
SELECT tenancy.create_tenant('a');
INSERT INTO documents (tenant_id, id) SELECT t.id, ('00000000-0000-4000-8000-00000000000' || i)::uuid FROM tenancy.tenants t, generate_series(1, 4) i WHERE slug = 'a';

CREATE FUNCTION random_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((random() - 0.5)::real)::vector FROM generate_series(1, 12)
$$;
CREATE SEQUENCE places;

CREATE PROCEDURE work(document uuid, seconds integer) LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + make_interval(secs => seconds);
    whose uuid := (SELECT t.id FROM tenancy.tenants t WHERE slug = 'a');
    what float8;
BEGIN
    WHILE clock_timestamp() < until LOOP
        COMMIT;
        what := random();
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
        SELECT whose, document, nextval('places'), 'bulk', random_vector() FROM generate_series(1, (random() * random() * 500)::integer);
        FOR i IN 1..(random() * 20)::integer LOOP
            INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (whose, document, nextval('places'), 'single', random_vector());
        END LOOP;
        BEGIN
            UPDATE chunks c SET embedding = random_vector() WHERE c.document_id = work.document AND random() < 0.1;
            IF random() < 0.3 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        DELETE FROM chunks c WHERE c.document_id = work.document AND random() < 0.3;
        IF what < 0.25 THEN
            ROLLBACK;
        END IF;
    END LOOP;
END
$$;

CREATE PROCEDURE compare(seconds integer, INOUT compared integer, INOUT by_store integer) LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + make_interval(secs => seconds);
    query vector;
    found text;
    should text;
BEGIN
    compared := 0;
    by_store := 0;
    WHILE clock_timestamp() < until LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        PERFORM set_config('tenancy.tenant_id', (SELECT t.id::text FROM tenancy.tenants t WHERE slug = 'a'), true);
        FOR i IN 1..3 LOOP
            query := random_vector();
            SELECT string_agg(m.chunk_id || ' ' || m.similarity, ', ') INTO found FROM tenancy.match_chunks(query, 30) m;
            SELECT string_agg(r.id || ' ' || r.similarity, ', ') INTO should
            FROM (SELECT c.id, 1 / (1 + (c.embedding <-> query)) AS similarity FROM chunks c ORDER BY c.embedding <-> query, c.id LIMIT 30) r;
            IF found IS DISTINCT FROM should THEN
                RAISE EXCEPTION 'found % and not %', found, should;
            END IF;
            compared := compared + 1;
            by_store := by_store + (SELECT count(*) FROM tenancy.explain_match(query) e WHERE e.tier = 'codes');
            PERFORM pg_sleep(0.02);
        END LOOP;
    END LOOP;
END
$$;
SQL

seconds=${STORE_SECONDS:-4}
pids=()
for number in 1 2 3 4; do
    level='read committed'
    ((number < 3)) || level='repeatable read'
    (PGOPTIONS="$PGOPTIONS -c default_transaction_isolation=${level/ /\\ }" sql -c "CALL work('00000000-0000-4000-8000-00000000000$number', $seconds)" >"$work/writer$number" 2>&1) &
    pids+=($!)
done
for number in 1 2; do
    sql -c "CALL compare($seconds, 0, 0)" >"$work/reader$number" 2>&1 &
    pids+=($!)
done
statuses=()
for pid in "${pids[@]}"; do
    wait "$pid"
    statuses+=($?)
done
for number in 1 2 3 4; do
    ended() { cat "$work/writer$number"; ((statuses[number - 1] == 0)); }
    ok "writer $number ends without an error" ended
done
for number in 1 2; do
    agreed() { cut -c1-500 "$work/reader$number"; ((statuses[number + 3] == 0)) && [[ $(cut -d'|' -f1 "$work/reader$number") -ge 3 && $(cut -d'|' -f1 "$work/reader$number") == $(cut -d'|' -f2 "$work/reader$number") ]]; }
    ok "reader $number finds what the rows say, by the store" agreed
done
ok "and afterwards, too" sql -c 'CALL compare(1, 0, 0)'
# Whoever wrote last may have left the packing to somebody who was at it; the next statement need not.
sql -c "INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT tenant_id, id, nextval('places'), 'last', random_vector() FROM documents LIMIT 1" || exit 1
tidy() { sql -c 'SELECT count(*) FROM tenancy.vector_blocks WHERE kind = 2' && (($(sql -c 'SELECT count(*) FROM tenancy.vector_blocks WHERE kind = 2') <= 32)); }
ok "loose codes are packed" tidy
finish
