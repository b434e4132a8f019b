#!/usr/bin/env bash
# publish_tenant(): a subscriber gets the rows of one tenant, those that are there and those that come, and nothing of another.
# Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

trap 'scripts/cluster drop publish >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop publish >/dev/null 2>&1
url=$(scripts/cluster start publish | tail -n 1) || exit 1
sql() { scripts/cluster psql publish -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
arrives() {
    local try got
    for try in $(seq 600); do
        got=$(sql there -c "SELECT string_agg(id || body, ',' ORDER BY id) FROM notes")
        [[ $got != "$1" ]] || return 0
        sleep 0.1
    done
    echo "got: $got"
    return 1
}

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE here' -c 'CREATE DATABASE there'
sql here <<'END' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
CREATE TABLE notes (id integer PRIMARY KEY, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes SELECT n, t.slug, t.id FROM tenancy.tenants t, generate_series(1, 2) n WHERE t.slug IN ('a', 'b');
SELECT tenancy.publish_tenant('a', 'of_a');
SELECT pg_create_logical_replication_slot('of_a', 'pgoutput');
END
sql there -c 'CREATE TABLE notes (tenant_id uuid, id integer, body text, PRIMARY KEY (tenant_id, id))' || exit 1
ok "a subscriber is made" sql there -c "CREATE SUBSCRIPTION of_a CONNECTION '${url/dbname=postgres/dbname=here}' PUBLICATION of_a WITH (slot_name = of_a, create_slot = false)"
ok "it gets the rows that are there" arrives '1a,2a'
sql here -c "INSERT INTO notes SELECT 3, t.slug, t.id FROM tenancy.tenants t WHERE t.slug IN ('a', 'b')" \
    -c "UPDATE notes SET body = body || '!' WHERE id = 1" -c "DELETE FROM notes WHERE id = 2"
ok "and what happens to them" arrives '1a!,3a'
ok "nothing of another tenant" test "$(sql there -c 'SELECT count(DISTINCT tenant_id) FROM notes')" == 1
ok "check() is content" test "$(sql here -c "SELECT count(*) FROM tenancy.check() WHERE code NOT IN ('server_outdated', 'activity_shared', 'signals_shared', 'session_context')")" == 0
sql there -c 'ALTER SUBSCRIPTION of_a DISABLE' -c 'ALTER SUBSCRIPTION of_a SET (slot_name = NONE)' -c 'DROP SUBSCRIPTION of_a'
finish
