#!/usr/bin/env bash
# A streaming standby answers what its primary does, from the stores that were replayed there, without writing anything.
# Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. scripts/lib.sh
load_env
find_place
. test/scripts/tap.sh

trap 'scripts/cluster drop store-standby >/dev/null 2>&1; scripts/cluster drop store-primary >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop store-standby >/dev/null 2>&1
scripts/cluster drop store-primary >/dev/null 2>&1
scripts/cluster start store-primary -- wal_consistency_checking=all >/dev/null || exit 1
export PGOPTIONS='-c client_min_messages=warning'
primary() { scripts/cluster psql store-primary -XqAt -v ON_ERROR_STOP=1 "$@"; }
standby() { scripts/cluster psql store-standby -XqAt -v ON_ERROR_STOP=1 "$@"; }

primary <<'SQL' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
CREATE ROLE reader LOGIN;
SELECT tenancy.grant_app('reader');
SELECT tenancy.create_corpus(dimensions => 24);
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
INSERT INTO documents (tenant_id, id) SELECT id, id FROM tenancy.tenants;
CREATE FUNCTION random_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((random() - 0.5)::real)::vector FROM generate_series(1, 24)
$$;
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT t.id, t.id, i, 'chunk', random_vector() FROM tenancy.tenants t, generate_series(1, 1000) i WHERE t.slug IN ('a', 'b');
SQL

# Its files belong to who runs the servers.
clusters=$place/clusters
mkdir -p "$clusters/store-standby"
[[ $EUID -ne 0 ]] || chown "$server_user" "$clusters/store-standby"
bin=$place/stage$("$PG_CONFIG" --bindir)
url=$(scripts/cluster url store-primary)
ok "a copy is taken" as_server "$bin/pg_basebackup" -D "$clusters/store-standby/data" -R -X stream -c fast -d "${url/dbname=postgres/}"
ok "the standby starts" scripts/cluster start store-standby -- wal_consistency_checking=all

for _ in 1 2 3; do
    primary <<'SQL' >/dev/null
DO $$ BEGIN
    FOR i IN 1..70 LOOP
        INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
        SELECT t.id, t.id, (SELECT max(chunk_index) + 1 FROM chunks), 'later', random_vector() FROM tenancy.tenants t WHERE t.slug = 'a';
    END LOOP;
END $$;
UPDATE chunks SET embedding = random_vector() WHERE random() < 0.1;
DELETE FROM chunks WHERE random() < 0.25;
VACUUM tenancy.vector_blocks;
SQL
done

caught_up() {
    local upto
    upto=$(primary -c 'SELECT pg_current_wal_lsn()')
    for _ in $(seq 600); do
        [[ $(standby -c "SELECT pg_last_wal_replay_lsn() >= '$upto'") == t ]] && return
        sleep 0.1
    done
    return 1
}
ok "it catches up" caught_up

# The same queries of the same tenants, as the application.
answers() {
    local tenant
    for tenant in a b; do
        "$1" <<SQL
SET extra_float_digits = 3;
SET ROLE reader;
SELECT tenancy.set_tenant('$tenant', false) \\g /dev/null
SELECT q.i, m.chunk_id, m.similarity FROM generate_series(1, 20) q (i),
    tenancy.match_chunks((SELECT array_agg(sin(q.i * d)::real)::vector FROM generate_series(1, 24) d), 20) m;
SELECT tier, codes, exact FROM tenancy.explain_match((SELECT array_agg(sin(d)::real)::vector FROM generate_series(1, 24) d));
SQL
    done
}
answers primary >"$work/primary"
answers standby >"$work/standby"
by_codes() { (($(grep -c '^codes' "$work/standby") == 2)) && (($(wc -l <"$work/standby") == 802)); }
ok "the standby answers from its stores" by_codes
ok "the same as the primary" diff "$work/primary" "$work/standby"
consistent() { ! grep -E 'PANIC|FATAL.*inconsistent|inconsistent page|terminated by signal' "$(scripts/cluster log store-standby)"; }
ok "every replayed page is what it was" consistent

scripts/cluster stop store-primary >/dev/null
ok "it is promoted" standby -c 'SELECT pg_promote()'
primary() { standby "$@"; }
ok "and written" standby -c "INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT t.id, t.id, -1, 'promoted', (SELECT array_agg(sin(d)::real)::vector FROM generate_series(1, 24) d) FROM tenancy.tenants t WHERE t.slug = 'a'"
ok "the new chunk is found" grep -q promoted <(standby -c "SET tenancy.tenant_id = '$(standby -c "SELECT id FROM tenancy.tenants WHERE slug = 'a'")'" -c "SELECT content FROM tenancy.match_chunks((SELECT array_agg(sin(d)::real)::vector FROM generate_series(1, 24) d), 1)")

finish
