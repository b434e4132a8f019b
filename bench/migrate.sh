# What a migration does to the application that runs beside it: an application's tables are given tenants while a writer
# inserts, updates and reads at a steady rate. Rows a second of the backfill, the writer's latencies with and without it, and
# the WAL that was written and that lay in pg_wal at most. Then plan_migration() on a thousand tables. ROWS=1000000 for
# less, BATCH_MS and PAUSE to try other paces. Expects TENANCY_TEST_URL, a superuser's conninfo, pgbench and tenancyctl.
set -euo pipefail

rows=${ROWS:-5000000} users=$((${ROWS:-5000000} / 500 + 1))
rate=${RATE:-200} clients=4 window=${WINDOW:-15}
work=$(mktemp -d)
watcher= writing=
trap 'kill $watcher $writing 2>/dev/null || true; rm -rf "$work"' EXIT
db="$TENANCY_TEST_URL dbname=bench_migrate"
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ctl=${TENANCYCTL:-$root/build/cmake/sdk/tenancyctl/tenancyctl}

export PGOPTIONS='-c client_min_messages=warning'
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE IF EXISTS bench_migrate WITH (FORCE)' -c 'CREATE DATABASE bench_migrate'
sql "$db" -v rows="$rows" -v users="$users" <<'END'
CREATE EXTENSION tenancy CASCADE;
CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer NOT NULL REFERENCES users, title text,
                    changed_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX notes_user_id_idx ON notes (user_id);
INSERT INTO users SELECT g, 'user' || g || '@example.com' FROM generate_series(1, :users) g;
INSERT INTO notes (user_id, title) SELECT 1 + g % :users, 'a title of the usual length, number ' || g FROM generate_series(1, :rows) g;
VACUUM ANALYZE;
CHECKPOINT;
END
cat >"$work/writer.sql" <<END
\\set user random(1, $users)
\\set note random(1, $rows)
INSERT INTO notes (user_id, title) VALUES (:user, 'a title that is written meanwhile');
UPDATE notes SET title = 'another title', changed_at = now() WHERE id = :note;
SELECT count(*) FROM notes WHERE user_id = :user;
END

# writer SECONDS: logs the microseconds of each transaction, without the time it waited for its turn. Where it runs in
# the background, its process is pgbench itself.
writer() {
    cd "$work"
    exec pgbench -n -M prepared -c "$clients" -j 1 -R "$rate" -T "$1" -f writer.sql -l --log-prefix=writer "$db" >writer.out 2>&1
}
# latencies WINDOWS: the quantiles of what the writer began within these times, in milliseconds
latencies() {
    awk 'FNR == NR { from[FNR] = $1 + 1; to[FNR] = $2; n = FNR; next }
         NF >= 6 { for (i = 1; i <= n; i++) if ($5 >= from[i] && $5 < to[i]) { print ($3 - $7) / 1000; break } }' "$1" "$work"/writer.[0-9]* | sort -n |
        awk '{ a[NR] = $1 } END { printf "%d %.2f %.2f %.2f %.2f", NR, a[int((NR + 1) / 2)], a[int(NR * 0.99)], a[int(NR * 0.999)], a[NR] }'
}
seconds() { date +%s; }

echo "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
sql "$db" -c "SELECT tenancy.start_migration('personal')" ${BATCH_MS:+-c "SELECT tenancy.tune_migration(batch_ms => $BATCH_MS)"} \
    ${PAUSE:+-c "SELECT tenancy.tune_migration(pause_factor => $PAUSE)"} >/dev/null
start_lsn=$(sql "$db" -c 'SELECT pg_current_wal_lsn()')
(while :; do sql "$db" -c 'SELECT sum(size) FROM pg_ls_waldir()'; sleep 1; done >"$work/wal" 2>/dev/null) &
watcher=$!
writer 7200 &
writing=$!
# The migration runs and pauses in turns, so that both are measured beside whatever else the machine does.
sleep 2
while :; do
    began=$(seconds)
    (sleep "$window" && sql "$db" -c 'SELECT tenancy.pause_migration()' >/dev/null) &
    pauser=$!
    "$ctl" --db "$db" -q migrate run --to trial 2>"$work/said" && finished=1 || finished=
    echo "$began $(seconds)" >>"$work/running"
    [[ -z $finished ]] || break
    grep -q 'is paused' "$work/said" || { cat "$work/said" && exit 1; }
    wait "$pauser"
    began=$(seconds)
    sleep "$window"
    echo "$began $(seconds)" >>"$work/paused"
    sql "$db" -c 'SELECT tenancy.resume_migration()' >/dev/null
done
kill "$pauser" 2>/dev/null || true
kill "$writing" "$watcher"
wait "$writing" "$watcher" 2>/dev/null || true
writing= watcher=
during=$(latencies "$work/running")
before=$(latencies "$work/paused")

printf '\n%-28s %8s %8s %8s %8s %8s\n' 'writer, milliseconds' n p50 p99 p99.9 max
# shellcheck disable=SC2086
printf '%-28s %8s %8s %8s %8s %8s\n' 'migration paused' $before 'migration running' $during
awk -v b="$(cut -d' ' -f3 <<<"$before")" -v d="$(cut -d' ' -f3 <<<"$during")" 'BEGIN { printf "p99 running / paused: %.2f\n", d / b }'
sql "$db" <<END
SELECT format('backfill of notes: %s rows, %s rows/s while at work, %s rows/s with the pauses that it makes itself', rows_done,
              round(rows_done / seconds), round(rows_done / seconds / (1 + ${PAUSE:-1})))
FROM tenancy.migration_steps WHERE kind = 'backfill' AND relation = 'notes'::regclass;
SELECT format('step %s: %s, %s s, gave way %s times', step, kind, round(extract(epoch FROM finished_at - started_at)::numeric, 1), attempts)
FROM tenancy.migration_steps WHERE extract(epoch FROM finished_at - started_at) > 2 OR attempts > 0 ORDER BY step;
SELECT format('WAL: %s written by all, %s in pg_wal at most', pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), '$start_lsn')),
              pg_size_pretty($(sort -n "$work/wal" | tail -n 1)::bigint));
SELECT format('rows without a tenant: %s', count(*)) FROM notes WHERE tenant_id IS NULL;
SELECT format('rows with another tenant than their user: %s', count(*)) FROM notes n JOIN users u ON u.id = n.user_id WHERE n.tenant_id <> u.tenant_id;
END

# A thousand tables, two foreign keys each.
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE bench_migrate WITH (FORCE)' -c 'CREATE DATABASE bench_migrate'
sql "$db" <<'SQL'
CREATE EXTENSION tenancy CASCADE;
CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL UNIQUE);
INSERT INTO users VALUES (1, 'one@example.com');
DO $$
BEGIN
    FOR i IN 1..500 LOOP
        EXECUTE format('CREATE TABLE a%s (id bigserial PRIMARY KEY, user_id integer NOT NULL REFERENCES users, name text UNIQUE)', i);
        EXECUTE format('CREATE TABLE b%s (id bigserial PRIMARY KEY, a_id bigint NOT NULL REFERENCES a%s ON DELETE CASCADE, user_id integer REFERENCES users)', i, i);
        IF i % 50 = 0 THEN COMMIT; END IF;
    END LOOP;
END
$$;
ANALYZE;
\timing on
\echo
\echo plan_migration() on 1,000 tables, without and with looking at rows:
SELECT count(*) || ' rows' FROM tenancy.plan_migration(examine => false);
SELECT count(*) || ' rows' FROM tenancy.plan_migration();
\timing off
SQL
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE bench_migrate WITH (FORCE)'
