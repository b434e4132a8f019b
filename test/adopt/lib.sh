# What the tests of this folder share; source it. Each takes the schema of an application that knows nothing of tenants,
# fills it, and migrates it while a writer goes on with the application's own statements and everything is killed again
# and again; then it compares, undoes, and compares again. ADOPT_SIZE=full is for hundreds of thousands of rows and a
# kill at every step; the default is for a check that stays short.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

name=$(basename "$0" .sh)
cluster=adopt_$name
folder=test/adopt/${fixture:-$name}
full=
[[ ${ADOPT_SIZE:-quick} != full ]] || full=1

skip_all() {
    echo "1..0 # SKIP $*"
    rm -rf "$work"
    exit 0
}

# fetch PACKAGE: its files under build/adopt/PACKAGE. Packages are only unpacked, never installed.
fetch() {
    local package=$1 target=build/adopt/$1 apt=(apt-get -o Acquire::http::Timeout=20 -o Acquire::Retries=1)
    [[ ! -d $target ]] || return 0
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || skip_all "no apt, so $package cannot be had"
    rm -rf "$target.new"
    mkdir -p "$target.new"
    download() { (cd "$target.new" && timeout 180 "${apt[@]}" download "$package" >log 2>&1); }
    download || { [[ $EUID -eq 0 ]] && timeout 180 "${apt[@]}" update >/dev/null 2>&1 && download; } ||
        skip_all "the package $package cannot be downloaded: $(grep -m 1 '^E:' "$target.new/log" || echo 'no answer')"
    dpkg-deb -x "$target.new"/*.deb "$target.new/root" || skip_all "the package $package cannot be unpacked"
    mv "$target.new/root" "$target"
    rm -rf "$target.new"
}

# ---- the private server

clean_up() {
    stop_writer
    scripts/cluster drop "$cluster" >/dev/null 2>&1
    rm -rf "$work"
}

start_server() {
    trap clean_up EXIT
    trap 'exit 1' INT TERM
    scripts/cluster drop "$cluster" >/dev/null 2>&1
    # shared_buffers above the default, so that full runs do not measure the disk.
    scripts/cluster start "$cluster" -- shared_buffers=256MB max_wal_size=4GB >/dev/null || exit 1
    url=$(scripts/cluster url "$cluster")
    sql -d postgres -c 'CREATE ROLE adopt_owner LOGIN' -c 'CREATE ROLE adopt_old LOGIN' -c 'CREATE ROLE adopt_new LOGIN' -c 'CREATE ROLE adopt_app LOGIN' \
        -c 'CREATE DATABASE adopt OWNER adopt_owner' >/dev/null || exit 1
    url=${url/dbname=postgres/dbname=adopt}
    sql -c 'CREATE EXTENSION tenancy CASCADE' -c 'ALTER SCHEMA public OWNER TO adopt_owner' \
        -c "SELECT tenancy.grant_app('adopt_app'), tenancy.grant_app('adopt_new'), tenancy.grant_app('adopt_owner'), tenancy.grant_owner('adopt_owner')" >/dev/null || exit 1
}

export PGOPTIONS='-c client_min_messages=warning'
sql() { PGDATABASE=adopt scripts/cluster psql "$cluster" -XqAt -v ON_ERROR_STOP=1 "$@"; }
as_owner() { PGUSER=adopt_owner sql "$@"; }
as_app() { PGUSER=adopt_app sql "$@"; }
as_new() { PGUSER=adopt_new sql "$@"; }

# The old application, which knows nothing of tenancy, its new version, which is held first, and what is there in the end:
# each may do on every table what an application does.
grant_to_applications() {
    local schema
    for schema in "$@"; do
        as_owner -c "GRANT USAGE ON SCHEMA $schema TO adopt_old, adopt_new, adopt_app" \
            -c "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA $schema TO adopt_old, adopt_new, adopt_app" \
            -c "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA $schema TO adopt_old, adopt_new, adopt_app"
    done
}

is() { # is NAME VALUE SQL
    local got
    got=$(sql -c "$3" 2>&1)
    ok "$1" test_equal "$got" "$2"
}
test_equal() { [[ $1 == "$2" ]] || { printf '%s\n' "$1" | head -n 20 && printf 'expected: %s\n' "$2" && false; }; }

# ---- what is compared

schema_of() { "$PGBINDIR/pg_dump" -s "$url" | grep -vE '^\\(un)?restrict '; }

# Remembers which columns the application's tables have, without those that the old application goes on changing, which are
# named as table.column: rows_of then prints every row of these as one line, whatever columns have come since.
remember_columns() {
    sql -v changing="{$1}" >"$work/columns.sql" <<'EOSQL'
SELECT format('SELECT %L || md5(ROW(%s)::text) FROM ONLY %s;', c.oid::regclass || ' ',
              string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.oid::regclass)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema$|tenancy$)'
  AND c.relname || '.' || a.attname <> ALL (:'changing'::text[])
GROUP BY c.oid ORDER BY c.oid
EOSQL
}

rows_of() { sql -f "$work/columns.sql" | LC_ALL=C sort; }

# Lines of the first file that are not in the second.
lost() {
    LC_ALL=C comm -23 "$1" "$2" >"$work/lost"
    [[ ! -s $work/lost ]] || { printf '%s rows are gone, such as\n' "$(wc -l <"$work/lost")" && cut -d ' ' -f 1 "$work/lost" | sort | uniq -c && false; }
}

# ---- the old application

writer_pid=''
start_writer() {
    local program=$1
    shift
    rm -f "$work/stop"
    (
        trap - EXIT
        # The server goes away now and then; the application comes back.
        while [[ ! -e $work/stop ]]; do
            while [[ ! -e $work/stop ]] && cat "$program" 2>/dev/null; do :; done |
                PGUSER=adopt_old PGDATABASE=adopt scripts/cluster psql "$cluster" -XqAt -v journal=test/adopt/journal.sql "$@" \
                    >>"$work/journal" 2>>"$work/writer.err"
            sleep 0.05
        done
    ) 2>/dev/null &
    writer_pid=$!
}

stop_writer() {
    [[ -n $writer_pid ]] || return 0
    touch "$work/stop"
    wait "$writer_pid" 2>/dev/null
    writer_pid=''
}

# What the server acknowledged and the writer did not try to take away again is there.
journal_kept() {
    awk '/^\+ / { print $2 "\t" $3 }' "$work/journal" >"$work/added"
    awk '/^- / { print $2 "\t" $3 }' "$work/journal" >"$work/removed"
    sql <<EOSQL
CREATE TEMP TABLE added (source text, key text);
CREATE TEMP TABLE removed (source text, key text);
\\copy added FROM '$work/added'
\\copy removed FROM '$work/removed'
CREATE TEMP TABLE missing (source text, key text);
SELECT format('INSERT INTO missing SELECT a.* FROM added a WHERE a.source = %L AND NOT EXISTS (SELECT FROM removed r WHERE r = a) '
              'AND NOT EXISTS (SELECT FROM %I t WHERE t.%I::text = a.key)', source, split_part(source, '.', 1), split_part(source, '.', 2))
FROM added GROUP BY source \\gexec
SELECT source, count(*) FROM missing GROUP BY source;
EOSQL
}

# Connections that end are the test's own doing; nothing else may happen to the old application.
writer_errors() {
    grep -E '^! [0-9A-Z]{5} ' "$work/journal" | grep -vE '^! (57P0[123]|08[0-9A-Z]{3}) ' | sed -E 's/[0-9]{3,}/N/g' | sort | uniq -c | sort -rn | head -n 10
    grep -vE 'no rows returned|more than one row|terminating connection|server closed|connection to server|This probably means|before or while|DETAIL: |HINT: |CONTEXT: |WARNING: |not yet accepting|starting up|recovery mode|shutting down|No such file|Is the server running|not yet accepting|^$' "$work/writer.err" |
        grep -E 'psql: error' | sort | uniq -c | head -n 5
    true
}

# ---- killing

# From now on a session that writes the progress of a migration dies at every :every-th change of a step's state, once at
# each: by pg_terminate_backend, or, now and then, by a signal that takes the whole server through its recovery. What
# happened already is remembered in files, as the transaction that dies would take the memory with it.
arm() {
    sql -v every="$1" <<'EOSQL'
CREATE SCHEMA harness;
CREATE TABLE harness.setting AS SELECT :every AS every, current_setting('data_directory') || '/harness/' AS folder;
SELECT format('COPY (SELECT 1) TO PROGRAM %L', format('cat >/dev/null; mkdir -p %s', folder)) FROM harness.setting \gexec
CREATE FUNCTION harness.strike() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    setting harness.setting;
    mark text;
    made integer;
BEGIN
    SELECT * INTO setting FROM harness.setting;
    -- A step's state, or, in an undo, that of a table.
    mark := setting.folder || concat_ws('-', tg_relid::oid, new.migration,
                                        coalesce(to_jsonb(new) ->> 'step', to_jsonb(new) ->> 'ordinal'),
                                        coalesce(to_jsonb(new) ->> 'state', to_jsonb(new) ->> 'undone'));
    IF (pg_stat_file(mark, true)).size IS NOT NULL THEN
        RETURN new;
    END IF;
    EXECUTE format('COPY (SELECT 1) TO %L', mark);
    SELECT count(*) INTO made FROM pg_ls_dir(setting.folder);
    IF made % setting.every <> 0 THEN
        RETURN new;
    END IF;
    EXECUTE format('COPY (SELECT 1) TO %L', setting.folder || 'struck-' || made);
    IF made / setting.every % 12 = 3 THEN
        EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'cat >/dev/null; kill -9 ' || pg_backend_pid());
    END IF;
    PERFORM pg_terminate_backend(pg_backend_pid());
    RETURN new;
END
$$;
CREATE TRIGGER strike BEFORE UPDATE OF state ON tenancy.migration_steps FOR EACH ROW
    WHEN (new.state IS DISTINCT FROM old.state) EXECUTE FUNCTION harness.strike();
CREATE TRIGGER strike BEFORE UPDATE OF undone ON tenancy.migration_tables FOR EACH ROW
    WHEN (new.undone IS DISTINCT FROM old.undone) EXECUTE FUNCTION harness.strike();
EOSQL
}

disarm() { sql -c 'DROP SCHEMA harness CASCADE' >/dev/null; }

wait_for_server() {
    local try
    for try in {1..200}; do
        sql -c 'SELECT 1' >/dev/null 2>&1 && return
        sleep 0.1
    done
    return 1
}

# Kills the postmaster itself, as a machine that stops would, and starts it again.
crash_server() {
    local pid
    # It may be in a recovery already.
    until pid=$(sql -c "SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)" 2>/dev/null); do
        wait_for_server || return 1
    done
    kill -9 "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    sleep 0.5
    scripts/cluster start "$cluster" -- shared_buffers=256MB max_wal_size=4GB >/dev/null && wait_for_server
}

tenancyctl() { build/cmake/sdk/tenancyctl/tenancyctl --db "$url" "$@"; }

# drive COMMAND...: the same command again and again until it succeeds, while it and its server are killed. Whatever it
# says that is not about being killed ends the drive.
client_kills=0
server_kill=
deaths=0
drive() {
    local pid rc lives=0
    while ((++lives < 600)); do
        "$@" >"$work/driven" 2>&1 &
        pid=$!
        if ((client_kills > 0)); then
            sleep "0.$((RANDOM % 4))$((RANDOM % 9 + 1))"
            if kill -9 "$pid" 2>/dev/null; then ((--client_kills)); fi
        elif [[ -n $server_kill ]]; then
            sleep "0.$((RANDOM % 4))$((RANDOM % 9 + 1))"
            crash_server || return 1
            server_kill=
        fi
        rc=0
        wait "$pid" 2>/dev/null || rc=$?
        ((rc)) || return 0
        ((++deaths))
        # 137: killed by us. 3: no connection. The session of a client that was killed may still be at its step.
        if ((rc != 137 && rc != 3)) && ! grep -qE 'terminating connection|server closed|connection to server|another session is migrating|lost|not yet accepting|starting up|recovery mode|shutting down' "$work/driven"; then
            cat "$work/driven"
            return 1
        fi
        wait_for_server || return 1
    done
    echo "it does not come to an end"
    return 1
}

# ---- what must hold once tenants are kept apart

# The tables whose rows belong to tenants, or will when the migration that is under way is enforced.
tenant_tables() {
    sql -c "SELECT t.relation FROM tenancy.migration_tables t
            JOIN (SELECT m.* FROM tenancy.migrations m ORDER BY m.id DESC LIMIT 1) m ON m.id = t.migration
            JOIN pg_class c ON c.oid = t.relation
            WHERE (t.action = 'column' OR t.action = 'path' AND m.state = 'enforced')
              AND has_schema_privilege('adopt_app', c.relnamespace, 'USAGE')
            ORDER BY t.relation::text"
}

# Tenant after tenant: what they see of each table, as the role that FUNCTION acts as, adds up to all that there is.
isolation() { # isolation FUNCTION
    local tables counts
    tables=$(tenant_tables)
    [[ -n $tables ]] || return 1
    counts=$(sed 's/.*/SELECT '"'&'"', count(*) FROM &;/' <<<"$tables")
    sql -c 'SELECT id FROM tenancy.tenants ORDER BY id' | while read -r tenant; do
        printf 'BEGIN;\nSELECT tenancy.set_tenant(%s) \\g /dev/null\n%s\nCOMMIT;\n' "'$tenant'::uuid" "$counts"
    done >"$work/as_tenants.sql"
    "$1" -f "$work/as_tenants.sql" >"$work/seen" || return 1
    awk -F '|' 'NF == 2 { sum[$1] += $2 } END { for (t in sum) print t "|" sum[t] }' "$work/seen" | sort >"$work/seen.sum"
    sql -c "$counts" | sort | diff - "$work/seen.sum"
}
