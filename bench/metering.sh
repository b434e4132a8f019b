# What counting and auditing cost, and whether sessions stand in each other's way: transactions a second of one session
# and of eight, of one tenant, with pgbench. For comparison a counter in one row, which is what one writes by hand. Every
# transaction counts one unit and then holds what it locked for a while, as one does that has other work (PAUSE_US).
# Then microseconds for a statement by one session. Expects TENANCY_TEST_URL, a superuser's conninfo, and pgbench.
set -euo pipefail

seconds=${SECONDS_EACH:-5}
pause=${PAUSE_US:-2000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
db="$TENANCY_TEST_URL dbname=bench_metering"

sql "$TENANCY_TEST_URL" -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS bench_metering' -c 'CREATE DATABASE bench_metering'
PGOPTIONS='-c client_min_messages=warning' sql "$db" <<'END' >"$work/setup"
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_tenant('bench');
SELECT tenancy.set_limit('limited', 1000000000, tenant => id) FROM tenancy.tenants WHERE slug = 'bench';
CREATE TABLE by_hand (tenant_id uuid PRIMARY KEY, used bigint NOT NULL);
INSERT INTO by_hand SELECT id, 0 FROM tenancy.tenants WHERE slug = 'bench';
CREATE TABLE plain (tenant_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, title text, PRIMARY KEY (tenant_id, id));
CREATE TABLE audited (LIKE plain INCLUDING ALL);
SELECT tenancy.protect('plain'), tenancy.protect('audited');
SELECT tenancy.audit('audited');
END

body() {
    case $1 in
    empty) echo 'SELECT 1;' ;;
    by_hand) echo "UPDATE by_hand SET used = used + 1;" ;;
    unlimited) echo "SELECT tenancy.record_usage('unlimited');" ;;
    limited) echo "SELECT tenancy.record_usage('limited');" ;;
    plain) echo "INSERT INTO plain (title) VALUES ('a row that somebody writes');" ;;
    audited) echo "INSERT INTO audited (title) VALUES ('a row that somebody writes');" ;;
    esac
}
# tps KIND SESSIONS PAUSE
tps() {
    {
        echo 'BEGIN;'
        echo "SELECT tenancy.set_tenant('bench');"
        body "$1"
        (($3 == 0)) || echo "\\sleep $3 us"
        echo 'COMMIT;'
    } >"$work/$1.sql"
    pgbench -n -M prepared -c "$2" -j 2 -T "$seconds" -f "$work/$1.sql" "$db" 2>"$work/errors" | awk '/^tps/ { print $3 }'
}

printf '%-42s %12s %12s %8s\n' "transactions a second, $pause us each" '1 session' '8 sessions' ratio
for kind in by_hand limited unlimited plain audited; do
    one=$(tps "$kind" 1 "$pause")
    eight=$(tps "$kind" 8 "$pause")
    case $kind in
    by_hand) label='a counter in one row, by hand' ;;
    limited) label='record_usage, with a limit' ;;
    unlimited) label='record_usage, without a limit' ;;
    plain) label='insert into a protected table' ;;
    audited) label='insert into an audited table' ;;
    esac
    awk -v l="$label" -v a="$one" -v b="$eight" 'BEGIN { printf "%-42s %12.0f %12.0f %8.1f\n", l, a, b, b / a }'
done

echo
printf '%-42s %12s %12s\n' 'without a pause, 1 session' 'us' 'ratio'
base=$(tps empty 1 0)
for kind in empty by_hand limited plain audited; do
    rate=$(tps "$kind" 1 0)
    awk -v l="$kind" -v a="$rate" -v b="$base" 'BEGIN { printf "%-42s %12.0f %12.2f\n", l, 1e6 / a, b / a }'
done

echo
sql "$db" <<'END'
SELECT tenancy.seal_audit() \g /dev/null
SELECT count(*) || ' events in the log' FROM tenancy.audit_log;
\timing on
SELECT 'verified: ' || intact FROM tenancy.verify_audit((SELECT id FROM tenancy.tenants WHERE slug = 'bench'));
END
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE bench_metering WITH (FORCE)'
