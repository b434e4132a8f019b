# What check() costs on a database of many protected tables, each with four indexes and a foreign key to the one before, in all and by
# its parts, and what plan_migration() costs where the same tables know nothing of tenants yet: the median of several runs, after
# the first, by the clock and by the processor, which machines with other things to do leave alone. Each at most 2 seconds for
# 1,000 tables.
# Expects TENANCY_TEST_URL, a superuser's conninfo.
set -euo pipefail

tables=${TABLES:-1000}
rounds=${ROUNDS:-5}
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

sql "$TENANCY_TEST_URL" -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS bench_check' -c 'CREATE DATABASE bench_check'
PGOPTIONS='-c client_min_messages=warning' sql "$TENANCY_TEST_URL dbname=bench_check" <<END
CREATE EXTENSION tenancy CASCADE;
CREATE PROCEDURE make_tables() LANGUAGE plpgsql AS \$\$
BEGIN
    FOR i IN 1..$tables LOOP
        EXECUTE format('CREATE TABLE t%s (tenant_id uuid NOT NULL, id bigint, number integer, body text, at timestamptz, before bigint, PRIMARY KEY (tenant_id, id))', i);
        EXECUTE format('CREATE INDEX ON t%s (tenant_id, number)', i);
        EXECUTE format('CREATE INDEX ON t%s (tenant_id, body)', i);
        EXECUTE format('CREATE UNIQUE INDEX ON t%s (tenant_id, at)', i);
        IF i > 1 THEN
            EXECUTE format('ALTER TABLE t%s ADD FOREIGN KEY (tenant_id, before) REFERENCES t%s', i, i - 1);
        END IF;
        PERFORM tenancy.protect(format('t%s', i)::regclass);
        COMMIT;
    END LOOP;
END \$\$;
CALL make_tables();
VACUUM ANALYZE;
END
sql "$TENANCY_TEST_URL" -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS bench_plan' -c 'CREATE DATABASE bench_plan'
PGOPTIONS='-c client_min_messages=warning' sql "$TENANCY_TEST_URL dbname=bench_plan" <<END
CREATE EXTENSION tenancy CASCADE;
CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE);
CREATE PROCEDURE make_tables() LANGUAGE plpgsql AS \$\$
BEGIN
    FOR i IN 1..$tables LOOP
        EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, number integer, body text, at timestamptz UNIQUE, before bigint, owner bigint%s)', i,
                       CASE WHEN i % 10 = 1 THEN ' REFERENCES users' ELSE '' END);
        EXECUTE format('CREATE INDEX ON t%s (number)', i);
        EXECUTE format('CREATE INDEX ON t%s (body)', i);
        IF i % 10 <> 1 THEN
            EXECUTE format('ALTER TABLE t%s ADD FOREIGN KEY (before) REFERENCES t%s', i, i - 1);
        END IF;
        COMMIT;
    END LOOP;
END \$\$;
CALL make_tables();
VACUUM ANALYZE;
END

# Hundredths of a second of processor time that the server process had.
ticks="(SELECT f[12]::integer + f[13]::integer FROM regexp_split_to_array(regexp_replace(pg_read_file('/proc/self/stat'), '^.*\) ', ''), ' ') f)"
{
    for ((round = 0; round <= rounds; round++)); do
        for part in check check_tables check_keys check_readers check_roles check_settings check_server; do
            echo "SELECT clock_timestamp() AS began, $ticks AS before \\gset"
            echo "SELECT count(*) AS found FROM tenancy.$part() \\gset"
            echo "SELECT '$part', $round, extract(epoch FROM clock_timestamp() - :'began') * 1000, ($ticks - :before) * 10, :found;"
        done
    done
    echo "\\c bench_plan"
    for ((round = 0; round <= rounds; round++)); do
        echo "SELECT clock_timestamp() AS began, $ticks AS before \\gset"
        echo "SELECT count(*) FILTER (WHERE kind = 'finding') AS found FROM tenancy.plan_migration() \\gset"
        echo "SELECT 'plan_migration', $round, extract(epoch FROM clock_timestamp() - :'began') * 1000, ($ticks - :before) * 10, :found;"
    done
} | sql "$TENANCY_TEST_URL dbname=bench_check" | awk -F'|' -v tables="$tables" '
    $2 > 0 { n[$1]++; time[$1, n[$1]] = $3; work[$1] += $4; found[$1] = $5; if (n[$1] == 1) order[++parts] = $1 }
    END {
        printf "%-18s %11s %10s %10s %10s\n", "", tables " tables", "processor", "at most", "findings"
        for (p = 1; p <= parts; p++) {
            name = order[p]
            for (i = 2; i <= n[name]; i++) for (j = i; j > 1 && time[name, j] < time[name, j - 1]; j--) {
                t = time[name, j]; time[name, j] = time[name, j - 1]; time[name, j - 1] = t
            }
            printf "%-18s %8.0f ms %7.0f ms %10s %10d\n", name, time[name, int((n[name] + 1) / 2)], work[name] / n[name], name == "check" || name == "plan_migration" ? "2000 ms" : "", found[name]
        }
    }'
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE bench_check' -c 'DROP DATABASE bench_plan'
