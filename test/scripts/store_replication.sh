#!/usr/bin/env bash
# A subscriber of logical replication keeps stores of its own, though its workers fire triggers for rows only. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop store-logical >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop store-logical >/dev/null 2>&1
scripts/cluster start store-logical -- wal_level=logical >/dev/null || exit 1
export PGOPTIONS='-c client_min_messages=warning'
sql() { scripts/cluster psql store-logical -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
tenant=00000000-0000-4000-8000-00000000000a

sql postgres -c 'CREATE DATABASE one' -c 'CREATE DATABASE two' || exit 1
for database in one two; do
    sql $database <<SQL >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_corpus(dimensions => 3);
INSERT INTO tenancy.tenants (id, organization_id, slug, name) VALUES ('$tenant', '00000000-0000-0000-0000-000000000001', 'a', 'A');
SQL
done
sql one <<SQL >/dev/null || exit 1
INSERT INTO documents (tenant_id, id) VALUES ('$tenant', '$tenant');
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT '$tenant', '$tenant', i, 'first', ARRAY[i, 1, 2]::vector FROM generate_series(1, 50) i;
CREATE PUBLICATION everything FOR TABLE documents, chunks;
SELECT pg_create_logical_replication_slot('store_logical', 'pgoutput');
SQL
url=$(scripts/cluster url store-logical)
ok "subscribe" sql two -c "CREATE SUBSCRIPTION everything CONNECTION '${url/dbname=postgres/dbname=one}' PUBLICATION everything WITH (create_slot = false, slot_name = store_logical)"

answer() {
    sql "$1" -c "SET tenancy.tenant_id = '$tenant'" \
        -c "SELECT m.chunk_id, m.similarity FROM tenancy.match_chunks('[1,2,3]', 1000) m" \
        -c "SELECT count(*), min(k.similarity), (array_agg(k.chunk_id))[1] FROM tenancy.keyword_search('first later -gone', 1000) k" -c "SELECT tier FROM tenancy.explain_match('[1,2,3]')"
}
follows() {
    for _ in $(seq 600); do
        answer one >"$work/one"
        answer two >"$work/two"
        if diff -q "$work/one" "$work/two" >/dev/null; then return; fi
        sleep 0.1
    done
    diff "$work/one" "$work/two"
}
ok "what was there before is found" follows
# The worker that copies a table fires the triggers of its rows and those of its statement.
codes() { sql "$1" -c 'SELECT sum(entries) FROM tenancy.vector_blocks WHERE kind IN (1, 2, 6, 7)'; }
ok "and the vector store has each chunk that was copied once" test "$(codes two)" = 50
ok "as its publisher's has" test "$(codes one)" = 50
words() { sql "$1" -c "SET tenancy.tenant_id = '$tenant'" -c "SELECT tenancy.prewarm_tenant('$tenant')"; }
ok "so has the keyword store" test "$(words two)" = "$(words one)"
sql one <<SQL >/dev/null
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT '$tenant', '$tenant', i, 'later', ARRAY[i, 1, 2]::vector FROM generate_series(51, 150) i;
DELETE FROM chunks WHERE chunk_index BETWEEN 40 AND 60;
UPDATE chunks SET embedding = ARRAY[1, chunk_index, 1]::vector WHERE chunk_index > 140;
SQL
ok "so is what changed since" follows
ok "all of it by the store" grep -qx codes "$work/two"
ok "and nothing is missing" test "$(wc -l <"$work/two")" -eq 131

sql two -c 'ALTER SUBSCRIPTION everything DISABLE' -c 'ALTER SUBSCRIPTION everything SET (slot_name = NONE)' -c 'DROP SUBSCRIPTION everything'
finish
