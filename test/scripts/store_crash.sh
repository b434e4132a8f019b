#!/usr/bin/env bash
# The server is killed again and again while chunks are inserted, packed, changed and deleted. After each recovery search
# by the stores answers what the rows say. Prints TAP. STORE_CRASHES=100 for more than a few.
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
SELECT tenancy.create_corpus(dimensions => 24);
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
INSERT INTO documents (tenant_id, id) SELECT id, id FROM tenancy.tenants;

CREATE FUNCTION random_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((random() - 0.5)::real)::vector FROM generate_series(1, 24)
$$;
CREATE FUNCTION random_text() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg('word' || floor(exp(random() * 6)), ' ') FROM generate_series(1, (random() * 40)::integer)
$$;
CREATE SEQUENCE places;

-- Each round is a transaction of its own: bulk and single inserts, updates and deletes, enough for packing every time.
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid;
BEGIN
    LOOP
        SELECT id INTO tenant FROM tenancy.tenants WHERE slug IN ('a', 'b') ORDER BY random() LIMIT 1;
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
        SELECT tenant, tenant, nextval('places'), coalesce(random_text(), ''), random_vector() FROM generate_series(1, (random() * 400)::integer);
        FOR i IN 1..20 LOOP
            INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) VALUES (tenant, tenant, nextval('places'), coalesce(random_text(), ''), random_vector());
        END LOOP;
        COMMIT;
        UPDATE chunks SET embedding = random_vector(), content = coalesce(random_text(), '') WHERE random() < 0.05;
        DELETE FROM chunks WHERE random() < 0.2;
        COMMIT;
    END LOOP;
END
$$;

CREATE FUNCTION answer(query vector, slug text) RETURNS text LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
BEGIN
    PERFORM set_config('tenancy.tenant_id', (SELECT t.id::text FROM tenancy.tenants t WHERE t.slug = answer.slug), true);
    RETURN (SELECT coalesce(string_agg(m.chunk_id || ' ' || m.similarity, ', '), 'nothing') FROM tenancy.match_chunks(query, 25) m)
        || (SELECT coalesce(string_agg(k.chunk_id || ' ' || k.similarity, ', '), 'nothing') FROM tenancy.keyword_search('word1 word7 "word2 word3" word200 -word5', 25) k);
END
$$;
CREATE FUNCTION differences() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    query vector;
    slug text;
    found text;
    should text;
BEGIN
    FOR i IN 1..10 LOOP
        query := random_vector();
        FOREACH slug IN ARRAY '{a,b}'::text[] LOOP
            IF (SELECT e.tier FROM tenancy.explain_match(query) e) <> 'codes' THEN
                RETURN NEXT 'the store does not answer';
            END IF;
            IF EXISTS (SELECT FROM tenancy.stores s WHERE s.state <> 'built') THEN
                RETURN NEXT 'a store is not built';
            END IF;
            found := answer(query, slug);
            BEGIN
                UPDATE tenancy.stores SET state = 'stale';
                should := answer(query, slug);
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

# All processes of this cluster at once, as a machine that stops.
kill_server() {
    local postmaster
    postmaster=$(head -n 1 "build/clusters/$cluster/data/postmaster.pid")
    local all="$postmaster $(pgrep -P "$postmaster")"
    # shellcheck disable=SC2086
    kill -9 $all
    while pgrep -P "$postmaster" >/dev/null || kill -0 "$postmaster" 2>/dev/null; do sleep 0.05; done
}

agrees() {
    local said
    said=$(sql -c "SET tenancy.tenant_id = '$tenant'" -c 'SELECT differences()' -c "SELECT 'compared'")
    echo "$said"
    [[ $said == compared ]]
}
grows() { (($(sql -c 'SELECT count(*) FROM chunks') > 0)); }

tenant=$(sql -c "SELECT id FROM tenancy.tenants WHERE slug = 'a'")
for ((round = 1; round <= ${STORE_CRASHES:-4}; ++round)); do
    sql -c 'CALL work()' >/dev/null 2>&1 &
    writer=$!
    sql -c 'CALL work()' >/dev/null 2>&1 &
    other=$!
    until grows; do sleep 0.05; done
    sleep "0.$((RANDOM % 6 + 3))"
    kill_server
    wait $writer $other
    ok "crash $round: the server recovers" scripts/cluster start $cluster -- wal_consistency_checking=all full_page_writes=on max_wal_size=100MB
    ok "crash $round: there are chunks" grows
    ok "crash $round: search by the store finds what the rows say" agrees
done
consistent() { ! grep -E 'PANIC|inconsistent page|terminated by signal' "$(scripts/cluster log $cluster)"; }
ok "replayed pages are what they were" consistent

finish
