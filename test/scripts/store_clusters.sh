#!/usr/bin/env bash
# The server is killed again and again while the chunks of large tenants are put into clusters, added to them, changed and
# deleted. After each recovery the clusters find what there is, and without them search answers what the rows say. Prints TAP.
# STORE_CRASHES=100 for more than a few.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

cluster=store-clusters
trap 'scripts/cluster drop $cluster >/dev/null 2>&1; rm -rf "$work"' EXIT
settings=(wal_consistency_checking=heap,btree full_page_writes=on max_wal_size=100MB)
scripts/cluster drop $cluster >/dev/null 2>&1
scripts/cluster start $cluster -- "${settings[@]}" >/dev/null || exit 1
sql() { scripts/cluster psql $cluster -XqAt -v ON_ERROR_STOP=1 "$@"; }
# A page has ten of these vectors, so that little is large.
export PGOPTIONS='-c client_min_messages=warning -c tenancy.approximate_above=512kB'

sql <<'SQL' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_corpus(dimensions => 768, metric => 'l2');
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
INSERT INTO documents (tenant_id, id) SELECT id, id FROM tenancy.tenants;
CREATE TABLE subjects AS
SELECT n, array_agg((random() - 0.5)::real ORDER BY i)::vector AS centre FROM generate_series(0, 29) n, generate_series(1, 768) i GROUP BY n;
-- Vectors of little noise that do not take long to make.
CREATE TABLE noises AS
SELECT n, array_agg((random() * 0.3 - 0.15)::real ORDER BY i)::vector AS off FROM generate_series(0, 199) n, generate_series(1, 768) i GROUP BY n;
CREATE FUNCTION about(subject bigint) RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT s.centre + a.off + b.off FROM subjects s, noises a, noises b, (SELECT floor(random() * 200) AS a, floor(random() * 200) AS b OFFSET 0) r
    WHERE s.n = subject % 30 AND a.n = r.a AND b.n = r.b
$$;
CREATE SEQUENCE places;

CREATE PROCEDURE work(slug text) LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid := (SELECT t.id FROM tenancy.tenants t WHERE t.slug = work.slug);
BEGIN
    LOOP
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
        SELECT tenant, tenant, i, '', about(i) FROM (SELECT nextval('places') i FROM generate_series(1, 340 + (random() * 400)::integer)) n;
        COMMIT;
        UPDATE chunks SET embedding = about(chunk_index + 1) WHERE tenant_id = tenant AND random() < 0.1;
        IF random() < 0.3 THEN ROLLBACK; ELSE COMMIT; END IF;
        DELETE FROM chunks WHERE tenant_id = tenant AND random() < 0.25;
        COMMIT;
    END LOOP;
END
$$;
CREATE FUNCTION answer(query vector, setting text) RETURNS text[] LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
BEGIN
    PERFORM set_config('tenancy.approximate_above', setting, true);
    RETURN ARRAY(SELECT m.chunk_id || ' ' || m.similarity FROM tenancy.match_chunks(query, 10) m);
END
$$;
-- How many of the ten nearest the clusters find, of all; an exception where what is exact is not what the rows say.
CREATE FUNCTION compare(slug text, OUT searched bigint, OUT hits bigint, OUT wanted bigint) LANGUAGE plpgsql AS $$
DECLARE
    query vector;
    by_rows text[];
BEGIN
    searched := 0; hits := 0; wanted := 0;
    PERFORM set_config('tenancy.tenant_id', (SELECT t.id::text FROM tenancy.tenants t WHERE t.slug = compare.slug), true);
    FOR i IN 1..30 LOOP
        query := about(i);
        BEGIN
            UPDATE tenancy.stores SET state = 'stale';
            by_rows := answer(query, '-1');
            RAISE division_by_zero;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        IF answer(query, '-1') <> by_rows THEN
            RAISE EXCEPTION '% is not %', answer(query, '-1'), by_rows;
        END IF;
        hits := hits + (SELECT count(*) FROM unnest(answer(query, '512kB')) a WHERE a = ANY (by_rows));
        wanted := wanted + cardinality(by_rows);
        searched := searched + (SELECT count(*) FROM tenancy.explain_match(query, 10) e WHERE e.tier = 'clusters');
    END LOOP;
END
$$;
SQL

by_clusters=0
agrees() {
    local said searched found wanted
    said=$(sql -c "SET tenancy.tenant_id = '$tenant'" -c "SELECT * FROM compare('$1')") || return
    echo "$said"
    IFS='|' read -r searched found wanted <<<"$said"
    by_clusters=$((by_clusters + searched))
    ((found * 100 >= wanted * 98))
}

tenant=$(sql -c "SELECT id FROM tenancy.tenants WHERE slug = 'a'")
sql -c "INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT t.id, t.id, i, '', about(i) FROM tenancy.tenants t, generate_series(1, 1500) i WHERE slug IN ('a', 'b')"
for ((round = 1; round <= ${STORE_CRASHES:-3}; ++round)); do
    sql -c "CALL work('a')" >/dev/null 2>&1 &
    first=$!
    sql -c "CALL work('b')" >/dev/null 2>&1 &
    second=$!
    sleep "1.$((RANDOM % 9))"
    kill_server $cluster
    wait $first $second
    ok "crash $round: the server recovers" scripts/cluster start $cluster -- "${settings[@]}"
    ok "crash $round: one tenant finds its chunks" agrees a
    ok "crash $round: another finds its own" agrees b
done
is_by_clusters() { echo "$by_clusters"; ((by_clusters > 0)); }
ok "clusters were searched" is_by_clusters
consistent() { ! grep -E 'PANIC|inconsistent page|terminated by signal' "$(scripts/cluster log $cluster)"; }
ok "replayed pages are what they were" consistent

finish
