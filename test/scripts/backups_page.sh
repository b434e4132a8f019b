#!/usr/bin/env bash
# The commands of docs/backups.md run, in their order, on an installation, and do what the page says. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. scripts/lib.sh
load_env
find_place
. test/scripts/tap.sh

backups=$place/clusters/backups-page-files
trap 'as_server "$bin/pg_ctl" -D "$backups/base" -m immediate stop >/dev/null 2>&1; scripts/cluster drop backups-page >/dev/null 2>&1; rm -rf "$work" "$backups"' EXIT
bin=$place/stage$("$PG_CONFIG" --bindir)
scripts/cluster drop backups-page >/dev/null 2>&1
rm -rf "$backups"
mkdir -p "$backups/wal" || exit 1
[[ $EUID -ne 0 ]] || chown -R "$server_user" "$backups"
scripts/cluster start backups-page -- wal_level=replica archive_mode=on "archive_command=cp %p $backups/wal/%f" >/dev/null || exit 1
cp build/clusters/backups-page/tenancy.conf "$backups/" # where the data folder of a private server looks for it
socket=$(scripts/cluster url backups-page | sed -E 's/.*host=([^ ]+).*/\1/')
sql() { scripts/cluster psql backups-page -XqAt -v ON_ERROR_STOP=1 -d "$@"; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE shop' -c 'CREATE ROLE app LOGIN' || exit 1
sql shop <<'END' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.grant_app('app'), tenancy.create_organization('acme-inc'), tenancy.create_organization('other');
SELECT tenancy.create_tenant('acme', organization => 'acme-inc'), tenancy.create_tenant('globex', organization => 'other');
CREATE TABLE notes (id integer PRIMARY KEY, tenant_id uuid NOT NULL, body text);
INSERT INTO notes SELECT row_number() OVER (), t.id, 'note of ' || t.slug FROM tenancy.tenants t, generate_series(1, 3);
SELECT FROM tenancy.protect('notes');
SELECT tenancy.create_corpus(dimensions => 3);
INSERT INTO documents (tenant_id, title) SELECT id, slug FROM tenancy.tenants;
END

# One block after another, in one environment; a block fails with the first command that does.
run() { as_server env PGHOST="$socket" PGUSER=postgres PATH="$bin:$PATH" BACKUPS="$backups" bash -euo pipefail -c "$1" </dev/null; }
block='' line=0 start=0
while IFS= read -r text; do
    ((++line))
    case $text in
    '```sh') start=$line block='' ;;
    '```') ((start > 0)) && ok "the commands at docs/backups.md:$start" run "$block" && start=0 ;;
    *) ((start > 0)) && block+=$text$'\n' ;;
    esac
done <docs/backups.md

rows() { [[ $(sql "$1" -c "$2") == "$3" ]] || { sql "$1" -c "$2" && false; }; }
for database in restored in_halves; do
    ok "$database has all tenants and notes" rows $database 'SELECT (SELECT count(*) FROM tenancy.tenants), (SELECT count(*) FROM notes)' '3|9'
    ok "and lacks nothing but stores" rows $database "SELECT count(*) FROM tenancy.verify_restore() WHERE problem !~ '^its stores'" 0
done
ok "which were rebuilt where the page says so" rows restored 'SELECT count(*) FROM tenancy.verify_restore()' 0
ok "the accident happened here" rows shop "SELECT count(*) FROM tenancy.tenants WHERE name = 'gone wrong'" 3
as_server "$bin/pg_ctl" -D "$backups/base" -l "$backups/base.log" -w start >/dev/null
there() { as_server env PGHOST="$socket" PGUSER=postgres "$bin/psql" -XqAt -p 5433 -d shop -c "$1"; }
ok "and not in the server that went back" test "$(there "SELECT count(*) FILTER (WHERE name = 'gone wrong'), count(*) FROM tenancy.tenants")" == '0|3'
ok "where everything is, stores too" test "$(there 'SELECT count(*) FROM tenancy.verify_restore()')" == 0
ok "one tenant's rows were written" grep -q 'note of acme' "$backups/tenant.jsonl"
ok "and no other's" test "$(grep -c 'note of globex' "$backups/tenant.jsonl")" == 0
finish
