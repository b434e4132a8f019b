#!/usr/bin/env bash
# Attack 22: pg_dump by an application, by the owner of the tables, by a role for backups and by a superuser. A dump is complete,
# or it fails; what is restored is protected as what was dumped. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop dump-role >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop dump-role >/dev/null 2>&1
url=$(scripts/cluster start dump-role | tail -n 1) || exit 1
sql() { scripts/cluster psql dump-role -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
rows() { [[ $(sql "$1" -c "$2") == "$3" ]] || { sql "$1" -c "$2" && false; }; }
dump_as() { "$PGBINDIR/pg_dump" "${url/user=postgres dbname=postgres/user=$1 dbname=one}" "${@:2}"; }
# Fails, with this message, and what it wrote holds no row.
refused() {
    local pattern=$1
    shift
    ! "$@" >"$work/out" 2>"$work/err" && grep -q "$pattern" "$work/err" && ! grep -q 'of [ab][0-9]' "$work/out"
}

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE one' -c 'CREATE ROLE app LOGIN' -c 'CREATE ROLE owner LOGIN' \
    -c 'CREATE ROLE backups LOGIN BYPASSRLS' -c 'GRANT pg_read_all_data TO backups' || exit 1
sql one <<'END' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
SELECT tenancy.grant_app('app'), tenancy.grant_owner('owner');
CREATE TABLE authors (id integer PRIMARY KEY, mail text CONSTRAINT authors_mail UNIQUE);
CREATE TABLE notes (id integer PRIMARY KEY, author integer REFERENCES authors, body text UNIQUE);
CREATE TABLE parts (id integer, kind text) PARTITION BY LIST (kind);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
ALTER TABLE authors OWNER TO owner;
ALTER TABLE notes OWNER TO owner;
ALTER TABLE parts OWNER TO owner;
ALTER TABLE parts_a OWNER TO owner;
SELECT FROM tenancy.protect('authors', global_keys => '{authors_mail}');
SELECT FROM tenancy.protect('notes');
SELECT FROM tenancy.protect('parts');
SELECT FROM tenancy.create_corpus(dimensions => 3);
INSERT INTO authors SELECT 1, t.slug || '@example.com', t.id FROM tenancy.tenants t WHERE t.slug IN ('a', 'b');
INSERT INTO notes SELECT n, 1, format('of %s%s', t.slug, n), t.id FROM tenancy.tenants t, generate_series(1, 10) n WHERE t.slug IN ('a', 'b');
INSERT INTO parts SELECT 1, 'a', t.id FROM tenancy.tenants t WHERE t.slug IN ('a', 'b');
GRANT SELECT, INSERT, UPDATE, DELETE ON authors, notes, parts, parts_a TO app;
GRANT CREATE ON SCHEMA public TO owner;
END
ok "what is dumped is clean" rows one "SELECT count(*) FROM tenancy.check() WHERE code NOT IN ('server_outdated', 'activity_shared', 'signals_shared', 'session_context')" 0

for role in app owner; do
    ok "as $role: refused" refused 'query would be affected by row-level security policy' dump_as $role -t notes
    ok "as $role with row security: there is no tenant" refused 'no tenant is set\|permission denied for function current_tenant_id' \
        dump_as $role -t notes --enable-row-security
    ok "as $role with a tenant in the options: not that way" refused 'permission denied to set parameter' \
        env PGOPTIONS="-c tenancy.tenant_id=$(sql one -c "SELECT id FROM tenancy.tenants WHERE slug = 'a'")" "$PGBINDIR/pg_dump" \
        "${url/user=postgres dbname=postgres/user=$role dbname=one}" -t notes --enable-row-security
    ok "as $role, a partition alone: refused" refused 'query would be affected by row-level security policy' dump_as $role -t parts_a
done
ok "the whole database as app: refused" refused 'permission denied\|row-level security' dump_as app

restore() {
    sql postgres -c 'DROP DATABASE IF EXISTS two' -c 'CREATE DATABASE two'
    sql two -f "$1"
}
for role in postgres backups; do
    ok "as $role it is dumped" dump_as $role -f "$work/$role.sql"
    ok "with all rows" test "$(grep -c 'of [ab][0-9]' "$work/$role.sql")" == 20
    ok "and restored into an empty database" restore "$work/$role.sql"
    ok "the stores of corpora, which are not dumped, are built anew" sql two -c "CALL tenancy.rebuild_corpus('default')"
    ok "check() is clean there" rows two "SELECT count(*) FROM tenancy.check() WHERE code NOT IN ('server_outdated', 'activity_shared', 'signals_shared', 'session_context')" 0
    ok "and pentest() held, but for the key that is global" rows two "SELECT attack, evidence FROM tenancy.pentest() WHERE result <> 'held'" \
        'probe_unique|public.authors_mail is global by choice, so it tells that a value is taken'
    ok "each tenant sees its own" rows two "BEGIN; SET ROLE app; SELECT count(tenancy.set_tenant('a')); SELECT count(*), count(DISTINCT tenant_id) FROM notes" $'1\n10|1'
    ok "and nobody without one" refused 'no tenant is set' sql two -c 'SET ROLE app' -c 'SELECT * FROM notes'
    ok "keys are per tenant, but for the one that is not" rows two \
        "SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid::regclass::text) ~ 'authors_mail ON public.authors USING btree .mail.*authors_pkey ON public.authors USING btree .tenant_id, id' FROM pg_index WHERE indrelid = 'authors'::regclass AND indisunique" t
    ok "the owner may take the protection away there" sql two -c 'SET ROLE owner' -c "SELECT FROM tenancy.unprotect('parts')"
done
finish
