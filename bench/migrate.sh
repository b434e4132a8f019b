# What a migration does to the application that runs beside it: an application's tables are given tenants while a writer
# inserts, updates and reads at a steady rate. Rows a second of the backfill, the writer's latencies before and during, and
# the WAL that was written and that lay in pg_wal at most. Then plan_migration() on a thousand tables. ROWS=1000000 for
# less, BATCH_MS and PAUSE to try other paces. Expects TENANCY_TEST_URL, a superuser's conninfo, pgbench and tenancyctl.
set -euo pipefail

rows=${ROWS:-5000000} users=$((${ROWS:-5000000} / 500 + 1))
rate=${RATE:-200} clients=4
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

# writer SECONDS NAME: logs the microseconds of each transaction, without the time it waited for its turn. Where it runs in
# the background, its process is pgbench itself.
writer() {
    cd "$work"
    exec pgbench -n -M prepared -c "$clients" -j 1 -R "$rate" -T "$1" -f writer.sql -l --log-prefix="$2" "$db" >"$2.out" 2>&1
}
# latencies NAME FROM TO: the quantiles of what began between two times, in milliseconds
latencies() {
    cat "$work/$1".* | awk -v from="$2" -v to="$3" 'NF >= 6 && $5 >= from && $5 < to { print ($3 - $7) / 1000 }' | sort -n |
        awk '{ a[NR] = $1 } END { printf "%d %.2f %.2f %.2f %.2f", NR, a[int((NR + 1) / 2)], a[int(NR * 0.99)], a[int(NR * 0.999)], a[NR] }'
}
seconds() { date +%s; }

echo "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
(writer 30 before)
before=$(latencies before 0 9999999999)

sql "$db" -c "SELECT tenancy.start_migration('personal')" >/dev/null
start_lsn=$(sql "$db" -c 'SELECT pg_current_wal_lsn()')
(while :; do sql "$db" -c 'SELECT sum(size) FROM pg_ls_waldir()'; sleep 1; done >"$work/wal" 2>/dev/null) &
watcher=$!
writer 7200 during &
writing=$!
sleep 2
began=$(seconds)
"$ctl" --db "$db" -q migrate run --to trial ${BATCH_MS:+--batch-ms $BATCH_MS} ${PAUSE:+--pause $PAUSE}
ended=$(seconds)
kill "$writing"
wait "$writing" 2>/dev/null || true
writing=
kill "$watcher" && wait "$watcher" 2>/dev/null || true
watcher=
during=$(latencies during "$began" "$ended")

printf '\n%-28s %8s %8s %8s %8s %8s\n' 'writer, milliseconds' n p50 p99 p99.9 max
# shellcheck disable=SC2086
printf '%-28s %8s %8s %8s %8s %8s\n' before $before during $during
awk -v b="$(cut -d' ' -f3 <<<"$before")" -v d="$(cut -d' ' -f3 <<<"$during")" 'BEGIN { printf "p99 during / before: %.2f\n", d / b }'
sql "$db" <<END
SELECT format('%s steps in %s s; backfill of notes: %s rows in %s s, %s rows/s (at work %s rows/s)',
              (SELECT count(*) FROM tenancy.migration_steps WHERE state = 'done'), $ended - $began, rows_done,
              round(extract(epoch FROM finished_at - started_at)), round(rows_done / extract(epoch FROM finished_at - started_at)),
              round(rows_done / seconds))
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
