#!/usr/bin/env bash
# The server is killed again and again while chunks are inserted, packed, sealed, changed and deleted, and stores built anew;
# every second time only one of its processes. After each recovery nothing that was committed is lost, and search by the
# stores answers what the rows say. Prints TAP. STORE_CRASHES=100 for more than a few.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

cluster=store-crash
trap 'scripts/cluster drop $cluster >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop $cluster >/dev/null 2>&1
scripts/cluster start $cluster -- wal_consistency_checking=all full_page_writes=on max_wal_size=100MB >/dev/null || exit 1
sql() { scripts/cluster psql $cluster -XqAt -v ON_ERROR_STOP=1 "$@"; }
export PGOPTIONS='-c client_min_messages=warning'

sql <<'SQL' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_corpus(dimensions => 24), tenancy.create_corpus('rebuilt', dimensions => 24, metric => 'l2');
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
INSERT INTO documents (tenant_id, id) SELECT id, id FROM tenancy.tenants;

CREATE FUNCTION random_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((random() - 0.5)::real)::vector FROM generate_series(1, 24)
$$;
CREATE FUNCTION random_text() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg('word' || floor(exp(random() * 6)), ' ') FROM generate_series(1, (random() * 40)::integer)
$$;
CREATE SEQUENCE places;
INSERT INTO rebuilt_documents SELECT * FROM documents;
INSERT INTO rebuilt_chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT tenant_id, id, i, coalesce(random_text(), ''), random_vector() FROM documents, generate_series(1, 3000) i;

-- Each round is a transaction of its own: bulk and single inserts, updates and deletes, enough for packing every time.
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
    place bigint;
BEGIN
    LOOP
        SELECT id INTO tenant FROM tenancy.tenants WHERE slug IN ('a', 'b') ORDER BY random() LIMIT 1;
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
        SELECT tenant, tenant, nextval('places'), coalesce(random_text(), ''), random_vector() FROM generate_series(1, (random() * 400)::integer);
        FOR i IN 1..20 LOOP
            INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (tenant, tenant, nextval('places'), coalesce(random_text(), ''), random_vector());
        END LOOP;
        -- Never changed, and told when it is safe.
        place := nextval('places');
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (tenant, tenant, place, 'kept', random_vector());
        COMMIT;
        RAISE INFO 'committed %', place;
        UPDATE chunks SET embedding = random_vector(), content = coalesce(random_text(), '') WHERE content <> 'kept' AND random() < 0.05;
        DELETE FROM chunks WHERE content <> 'kept' AND random() < 0.2;
        COMMIT;
    END LOOP;
END
$$;

CREATE FUNCTION answer(query vector, slug text, corpus text) RETURNS text LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
BEGIN
    PERFORM set_config('tenancy.tenant_id', (SELECT t.id::text FROM tenancy.tenants t WHERE t.slug = answer.slug), true);
    RETURN (SELECT coalesce(string_agg(m.chunk_id || ' ' || m.similarity, ', '), 'nothing') FROM tenancy.match_chunks(query, 25, corpus => answer.corpus) m)
        || (SELECT coalesce(string_agg(k.chunk_id || ' ' || k.similarity, ', '), 'nothing') FROM tenancy.keyword_search('word1 word7 "word2 word3" word200 -word5', 25, corpus => answer.corpus) k);
END
$$;
CREATE FUNCTION differences(corpus text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    query vector;
    slug text;
    found text;
    should text;
BEGIN
    FOR i IN 1..10 LOOP
        query := random_vector();
        FOREACH slug IN ARRAY '{a,b}'::text[] LOOP
            IF (SELECT e.tier FROM tenancy.explain_match(query, corpus => differences.corpus) e) <> 'codes' THEN
                RETURN NEXT 'the store does not answer';
            END IF;
            IF EXISTS (SELECT FROM tenancy.stores s WHERE s.corpus = differences.corpus AND s.state <> 'built') THEN
                RETURN NEXT 'a store is not built';
            END IF;
            found := answer(query, slug, corpus);
            BEGIN
                UPDATE tenancy.stores SET state = 'stale';
                should := answer(query, slug, corpus);
                RAISE division_by_zero;
            EXCEPTION WHEN division_by_zero THEN NULL;
            END;
            IF found <> should THEN
                RETURN NEXT slug || ': ' || found || ' and not ' || should;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
SQL

agrees() {
    local said
    said=$(sql -c "SET tenancy.tenant_id = '$tenant'" -c "SELECT differences('$1')" -c "SELECT 'compared'")
    echo "$said"
    [[ $said == compared ]]
}
# One process: the others end, the server recovers by itself.
kill_one() {
    kill -9 "$(sql -c "SELECT pid FROM pg_stat_activity WHERE query LIKE '%work()%' AND pid <> pg_backend_pid() LIMIT 1")"
}
# Also what was begun and not finished: the next call goes on.
is_rebuilt() { sql -c "CALL tenancy.rebuild_corpus('rebuilt')" && agrees rebuilt; }
nothing_lost() {
    local told lost
    told=$(sed -n 's/.*INFO:  committed //p' "$work"/writer*)
    lost=$(sql -c "SELECT count(*) FROM unnest('{${told//$'\n'/,}}'::bigint[]) t WHERE NOT EXISTS (SELECT FROM chunks WHERE chunk_index = t AND content = 'kept')")
    echo "$lost of $(wc -w <<<"$told")"
    ((lost == 0)) && [[ -n $told ]]
}
grows() { (($(sql -c 'SELECT count(*) FROM chunks') > 0)); }

tenant=$(sql -c "SELECT id FROM tenancy.tenants WHERE slug = 'a'")
for ((round = 1; round <= ${STORE_CRASHES:-4}; ++round)); do
    writers=()
    for number in 1 2; do
        sql -c 'SET client_min_messages = info' -c 'CALL work()' >/dev/null 2>>"$work/writer$number" &
        writers+=($!)
    done
    while :; do sql -c "UPDATE tenancy.stores SET state = 'stale' WHERE corpus = 'rebuilt'" -c "CALL tenancy.rebuild_corpus('rebuilt', 200)" || break; done >/dev/null 2>&1 &
    writers+=($!)
    until grep -q committed "$work/writer1" && grows; do sleep 0.05; done
    sleep "0.$((RANDOM % 6 + 3))"
    if ((round % 2)); then kill_server $cluster; else kill_one; fi
    wait "${writers[@]}"
    until ((round % 2)) || sql -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
    ok "crash $round: the server recovers" scripts/cluster start $cluster -- wal_consistency_checking=all full_page_writes=on max_wal_size=100MB
    ok "crash $round: there are chunks" grows
    ok "crash $round: search by the store finds what the rows say" agrees default
    ok "crash $round: a store that was being built anew, too" is_rebuilt
    ok "crash $round: nothing that was committed is lost" nothing_lost
done
consistent() { ! grep -E 'PANIC|inconsistent page|terminated by signal ([0-8]|9[0-9])' "$(scripts/cluster log $cluster)"; }
ok "replayed pages are what they were" consistent

finish
