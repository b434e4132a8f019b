#!/usr/bin/env bash
# A corpus with its graph and pg_dump: restored into an empty database it answers the same, to the application too. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop dump-corpus >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop dump-corpus >/dev/null 2>&1
scripts/cluster start dump-corpus >/dev/null || exit 1
url=$(scripts/cluster url dump-corpus)
sql() { scripts/cluster psql dump-corpus -XqAt -v ON_ERROR_STOP=1 -d "$@"; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE one' -c 'CREATE DATABASE two' -c 'CREATE DATABASE three' -c 'CREATE ROLE dump_app LOGIN' || exit 1
sql one <<'END' >/dev/null || exit 1
CREATE SCHEMA vectors;
CREATE EXTENSION vector SCHEMA vectors;
CREATE EXTENSION tenancy;
SELECT tenancy.grant_app('dump_app');
GRANT USAGE ON SCHEMA vectors TO dump_app;
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
CREATE SCHEMA "Odd Schema";
GRANT USAGE ON SCHEMA "Odd Schema" TO dump_app;
SELECT tenancy.create_corpus(dimensions => 3);
SELECT tenancy.create_corpus('odd', 3, 'l2', 'plain', 'Odd Schema', 'halfvec');
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
SELECT setseed(0.1);
INSERT INTO documents (tenant_id, title) SELECT id, slug FROM tenancy.tenants;
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT tenant_id, id, n, 'Apples number ' || n % 7, ARRAY[random(), random(), random()]::vectors.vector FROM documents, generate_series(1, 50) n;
INSERT INTO "Odd Schema".odd_documents SELECT * FROM documents;
INSERT INTO "Odd Schema".odd_chunks (tenant_id, id, document_id, chunk_index, content, embedding)
SELECT tenant_id, id, document_id, chunk_index, content, embedding FROM chunks;
SELECT tenancy.create_graph(), tenancy.create_graph('odd');
SET SESSION AUTHORIZATION dump_app;
BEGIN;
SELECT tenancy.set_tenant('a');
SELECT tenancy.upsert_entities((SELECT jsonb_agg(jsonb_build_object('name', 'apple ' || n, 'description', 'number ' || n % 7, 'embedding', ARRAY[n, 1, 2],
    'chunk_ids', (SELECT jsonb_agg(c.id) FROM chunks c WHERE c.chunk_index = n))) FROM generate_series(1, 20) n), corpus) FROM unnest('{default,odd}'::text[]) corpus;
SELECT tenancy.upsert_relations((SELECT jsonb_agg(jsonb_build_object('source', 'apple ' || n, 'target', 'apple ' || n % 20 + 1, 'kind', 'next', 'weight', 1.0 / n))
    FROM generate_series(1, 20) n), corpus) FROM unnest('{default,odd}'::text[]) corpus;
COMMIT;
END

answers() {
    local corpus
    for corpus in default odd; do
        sql "$1" <<END
SET ROLE dump_app;
BEGIN;
SELECT tenancy.set_tenant('a') \\g /dev/null
SELECT * FROM tenancy.match_chunks('[0.2,0.3,0.4]'::vectors.vector, 20, corpus => '$corpus');
SELECT * FROM tenancy.keyword_search('apples 3', 20, corpus => '$corpus');
SELECT * FROM tenancy.hybrid_search('[0.2,0.3,0.4]'::vectors.vector, 'apples 3', 20, corpus => '$corpus');
SELECT * FROM tenancy.graph_search('apples number 3', depth => 4, match_count => 50, query_embedding => '[3,1,2]'::vectors.vector, corpus => '$corpus');
COMMIT;
END
    done
}
answers one >"$work/one"
ok "there are answers" test "$(wc -l <"$work/one")" -ge 120

"$PGBINDIR/pg_dump" "${url/dbname=postgres/dbname=one}" >"$work/plain.sql"
ok "a plain dump restores" sql two -f "$work/plain.sql"
answers two >"$work/two"
ok "and answers the same" diff "$work/one" "$work/two"

"$PGBINDIR/pg_dump" -Fc "${url/dbname=postgres/dbname=one}" >"$work/archive"
ok "an archive restores" "$PGBINDIR/pg_restore" -d "${url/dbname=postgres/dbname=three}" "$work/archive"
answers three >"$work/three"
ok "and answers the same, too" diff "$work/one" "$work/three"
clean() { [[ -z $(sql three -c "SELECT * FROM tenancy.check() WHERE severity = 'error'") ]] || { sql three -c 'SELECT * FROM tenancy.check()' && false; }; }
ok "the restored database is protected" clean
missing() { [[ $(sql three -c "SELECT count(*) FROM tenancy.check() WHERE code = 'store_missing'") == "$1" ]]; }
ok "the stores are not dumped, which is said" missing 4
ok "and built anew" sql three -c "CALL tenancy.rebuild_corpus()" -c "CALL tenancy.rebuild_corpus('odd')"
ok "nothing is missing then" missing 0
answers three >"$work/rebuilt"
ok "the answers stay the same" diff "$work/one" "$work/rebuilt"
tier() { sql three -c "SET tenancy.tenant_id = '$(sql three -c "SELECT id FROM tenancy.tenants WHERE slug = 'a'")'" -c "SELECT tier FROM tenancy.explain_match('[0.2,0.3,0.4]'::vectors.vector, corpus => 'odd')"; }
ok "by the store" test "$(tier)" = codes
grows() {
    sql three <<'END'
SET ROLE dump_app;
BEGIN;
SELECT tenancy.set_tenant('b') \g /dev/null
SELECT count(*) FROM tenancy.upsert_entities('[{"name": "pear"}, {"name": "plum"}]', 'odd');
SELECT tenancy.upsert_relations('[{"source": "pear", "target": "plum"}]', 'odd');
SELECT string_agg(name || distance, ',') FROM tenancy.graph_search('pear', corpus => 'odd');
COMMIT;
END
}
ok "the graph grows there" test "$(grows)" = $'2\n1\npear0,plum1'
ok "the corpus can be dropped there" sql three -c "SELECT tenancy.drop_corpus('odd', drop_tables => true)"

finish
