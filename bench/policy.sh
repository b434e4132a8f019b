# What a policy costs: the same rows in three tables, read as the application with a hand-written condition (no row level
# security), through tenancy's policies, and through the policy one would write with current_setting(). Measured inside
# the server, so no round trip hides a difference, and in turns, so all see the same machine; the ratio is the
# median over the rounds. Shared buffers must hold all (1.5 GB), or it is the cache that is measured.
# Expects TENANCY_TEST_URL, a superuser's conninfo.
set -euo pipefail

rows=${ROWS:-2000000}
rounds=${ROUNDS:-9}
tenants=20
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

sql "$TENANCY_TEST_URL" -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS bench_policy' -c 'CREATE DATABASE bench_policy'
PGOPTIONS='-c client_min_messages=warning' sql "$TENANCY_TEST_URL dbname=bench_policy" <<END
CREATE EXTENSION tenancy CASCADE;
DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bench_app') THEN CREATE ROLE bench_app LOGIN; END IF; END \$\$;
SELECT tenancy.grant_app('bench_app') \\g /dev/null
SELECT tenancy.create_tenant('bench-' || n) FROM generate_series(1, $tenants) n \\g /dev/null
CREATE TABLE rows AS
    SELECT t.id AS tenant_id, n::bigint AS id, n % 1000 AS amount, md5(n::text) AS note
      FROM generate_series(1, $rows) n
      JOIN (SELECT id, row_number() OVER (ORDER BY slug) - 1 AS i FROM tenancy.tenants WHERE slug LIKE 'bench-%') t
        ON t.i = n % $tenants;
CREATE TABLE by_hand (tenant_id uuid NOT NULL, id bigint, amount integer, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE by_policy (LIKE by_hand INCLUDING ALL);
CREATE TABLE by_setting (LIKE by_hand INCLUDING ALL);
INSERT INTO by_hand SELECT * FROM rows ORDER BY id;
INSERT INTO by_policy SELECT * FROM rows ORDER BY id;
INSERT INTO by_setting SELECT * FROM rows ORDER BY id;
DROP TABLE rows;
SELECT tenancy.protect('by_policy') \\g /dev/null
ALTER TABLE by_setting ENABLE ROW LEVEL SECURITY;
CREATE POLICY naive ON by_setting USING (tenant_id = current_setting('bench.tenant')::uuid);
GRANT SELECT ON by_hand, by_policy, by_setting TO bench_app;
VACUUM (FREEZE, ANALYZE) by_hand;
VACUUM (FREEZE, ANALYZE) by_policy;
VACUUM (FREEZE, ANALYZE) by_setting;
END

# measured TABLE CONDITION: a function that runs each kind of query so often and returns microseconds for one.
measured() {
    local table=$1 own=$2
    cat <<END
CREATE FUNCTION pg_temp.${table}_point(t uuid, times int) RETURNS float LANGUAGE plpgsql AS \$\$
DECLARE began timestamptz := clock_timestamp(); found_amount int;
BEGIN
    FOR i IN 1..times LOOP
        SELECT amount INTO STRICT found_amount FROM $table WHERE ${own}id = (i * 7919 % 90000) * $tenants + 20;
    END LOOP;
    RETURN extract(epoch FROM clock_timestamp() - began) * 1e6 / times;
END \$\$;
CREATE FUNCTION pg_temp.${table}_range(t uuid, times int) RETURNS float LANGUAGE plpgsql AS \$\$
DECLARE began timestamptz := clock_timestamp(); n bigint; low bigint;
BEGIN
    FOR i IN 1..times LOOP
        low := (i * 7919 % 80000) * $tenants;
        SELECT count(amount) INTO n FROM $table WHERE ${own}id > low AND id <= low + 1000 * $tenants;
        IF n <> 1000 THEN RAISE 'range of % rows', n; END IF;
    END LOOP;
    RETURN extract(epoch FROM clock_timestamp() - began) * 1e6 / times;
END \$\$;
CREATE FUNCTION pg_temp.${table}_scan(t uuid, times int) RETURNS float LANGUAGE plpgsql
    SET enable_indexscan = off SET enable_bitmapscan = off SET enable_indexonlyscan = off AS \$\$
DECLARE began timestamptz := clock_timestamp(); n bigint;
BEGIN
    FOR i IN 1..times LOOP
        SELECT count(*) INTO n FROM $table WHERE ${own}amount >= 0;
        IF n <> $rows / $tenants THEN RAISE 'scan found % rows', n; END IF;
    END LOOP;
    RETURN extract(epoch FROM clock_timestamp() - began) * 1e6 / times;
END \$\$;
END
}

tenant=$(sql "$TENANCY_TEST_URL dbname=bench_policy" -c "SELECT tenant_id FROM by_hand WHERE id = $tenants")
{
    echo "SET jit = off; SET max_parallel_workers_per_gather = 0; SET bench.tenant = '$tenant';"
    echo "SELECT tenancy.set_tenant('$tenant'::uuid, is_local => false) \\g /dev/null"
    measured by_hand 'tenant_id = t AND '
    measured by_policy ''
    measured by_setting ''
    for ((round = 0; round <= rounds; round++)); do
        for kind in 'point 20000' 'range 300' 'scan 1'; do
            read -r name times <<<"$kind"
            for table in by_hand by_policy by_setting; do
                # The first round only warms up.
                ((round > 0)) && echo "SELECT '$name', '$table', $round, pg_temp.${table}_$name('$tenant', $times);" ||
                    echo "SELECT pg_temp.${table}_$name('$tenant', $times) \\g /dev/null"
            done
        done
    done
} >"${TMPDIR:-/tmp}/bench_policy.$$"
trap 'rm -f "${TMPDIR:-/tmp}/bench_policy.$$"' EXIT
sql "$TENANCY_TEST_URL dbname=bench_policy user=bench_app" -f "${TMPDIR:-/tmp}/bench_policy.$$" | awk -F'|' -v rows="$rows" '
    function median(list, n,   i, j, t) {
        for (i = 2; i <= n; i++) for (j = i; j > 1 && list[j] < list[j - 1]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    { time[$1, $2, $3] = $4; if ($3 > rounds) rounds = $3 }
    END {
        label["point"] = "point query by key"; label["range"] = "range of 1,000 rows"
        label["scan"] = "sequential scan, " rows " rows"
        limit["point"] = 1.05; limit["range"] = 1.05; limit["scan"] = 1.25
        printf "%-34s %14s %10s %10s %8s\n", "", "by hand", "tenancy", "at most", "naive"
        split("point range scan", kinds, " ")
        for (k = 1; k <= 3; k++) {
            kind = kinds[k]
            for (r = 1; r <= rounds; r++) {
                base[r] = time[kind, "by_hand", r]
                ours[r] = time[kind, "by_policy", r] / base[r]
                naive[r] = time[kind, "by_setting", r] / base[r]
            }
            printf "%-34s %11.1f us %10.2f %10.2f %8.2f\n", label[kind], median(base, rounds), median(ours, rounds), limit[kind], median(naive, rounds)
        }
    }'
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE bench_policy'
