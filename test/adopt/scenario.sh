# The story that each application of this folder goes through; source it after lib.sh. A test sets
#   size, changing   see lib.sh
#   plan             the arguments of tenancy.plan_migration() and tenancy.start_migration()
#   repairs          SQL that is run because the plan says so
#   belongs          a query that counts rows that were given to a wrong tenant
#   global_keys      a pattern for the names of keys that stay global, if there are any
#   switched         yes where tenancy is switched off and on again before the way back
#   new_application  a function: what the application does once it names its tenants

no_rows() {
    local found
    found=$(sql -c "$1" 2>&1) && [[ -z $found ]] || { printf '%s\n' "$found" | head -n 20 && false; }
}

open_errors() { sql -c "SELECT code, object, detail, fix FROM tenancy.plan_migration($plan) WHERE severity = 'error'"; }

# Tables that have the tenant column, with rows that have none.
without_tenant() {
    sql <<'EOSQL'
SELECT format('SELECT %L, count(*) FROM ONLY %s WHERE %I IS NULL HAVING count(*) > 0', c.oid::regclass, c.oid::regclass, m.tenant_column)
FROM (SELECT * FROM tenancy.migrations ORDER BY id DESC LIMIT 1) m
JOIN pg_attribute a ON a.attname = m.tenant_column AND a.attnum > 0
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^(pg_|information_schema$|tenancy$)'
\gexec
EOSQL
}

state_is() { test_equal "$(sql -c 'SELECT state FROM tenancy.migrations ORDER BY id DESC LIMIT 1')" "$1"; }
quiet() { local said && said=$("$@" 2>&1) && [[ -z $said ]] || { printf '%s\n' "$said" | head -n 20 && false; }; }
rows_kept() { rows_of >"$work/rows.now" && lost "$work/rows.before" "$work/rows.now"; }
same_rows() { rows_of | diff "$1" - | head -n 10 | { ! grep .; }; }
same_schema() { schema_of >"$work/schema.now" && diff "$work/schema.before" "$work/schema.now" >"$work/diff" || { head -n 20 "$work/diff" && false; }; }
wrote_meanwhile() { local now && now=$(grep -c '^+' "$work/journal") && ((now > ${written:-0})) && written=$now; }

# As a tenant, by the key that the old application knew it by: ok, or the SQLSTATE that it must fail with.
acts() { # acts KEY RESULT SQL
    local tenant said
    tenant=$(sql -c "SELECT id FROM tenancy.tenants WHERE external_key = '$1'")
    said=$(printf "BEGIN;\nSELECT tenancy.set_tenant('%s'::uuid) \\g /dev/null\n%s;\nCOMMIT;\n" "$tenant" "$3" | as_app -v VERBOSITY=sqlstate 2>&1)
    if [[ $2 == ok ]]; then [[ $said != *ERROR* ]]; else [[ $said == *"ERROR:  $2"* ]]; fi || { echo "$said" && false; }
}
run_to() { drive tenancyctl migrate run --wait --to "$1"; }
undo() { drive tenancyctl migrate undo --wait; }

# A database that is single-tenant for a while: the old application comes back, and then its rows find their tenants.
off_and_on() {
    ok "switched off" sql -c 'SELECT count(*) FROM tenancy.disable_tenancy()'
    start_writer "$folder/writer.sql" -v size="$size" -v pause=0.02
    sleep 1
    stop_writer
    ok "the old application writes again" wrote_meanwhile
    ok "and nothing happens to it" quiet writer_errors
    ok "switched on again" sql -c 'SELECT count(*) FROM tenancy.enable_tenancy()'
    ok "no row is without a tenant" quiet without_tenant
    ok "each row has the right tenant" quiet sql -c "$belongs"
    ok "each tenant sees its own rows and together they see all" isolation as_app
    ok "what was acknowledged to the writer is there" quiet journal_kept
}

scenario() {
    local every=10 tenants
    [[ -z $full ]] || every=1
    remember_columns "$changing"

    is "the plan names the role that knows nothing of tenancy" 'role adopt_old' \
        "SELECT object FROM tenancy.plan_migration($plan) WHERE code = 'role_not_granted'"
    tenants=$(sql -c 'SELECT count(*) FROM tenancy.tenants')
    if [[ -n ${repairs:-} ]]; then
        is "the plan says what must be repaired" t \
            "SELECT count(*) > 0 FROM tenancy.plan_migration($plan) WHERE kind = 'finding' AND severity <> 'info' AND fix <> ''"
        ok "it is repaired" sql -c "$repairs"
    fi
    ok "nothing stands in the way" quiet open_errors
    schema_of >"$work/schema.before"
    rows_of >"$work/rows.before"

    # First with every kind of death, and back from the middle.
    start_writer "$folder/writer.sql" -v size="$size" -v pause=0.02
    sql -c "SELECT tenancy.start_migration($plan)" >/dev/null
    arm "$every"
    client_kills=3 server_kill=1
    ok "the tables are prepared, however often it is killed" run_to prepared
    echo "# died $deaths times"
    ok "no row is without a tenant" quiet without_tenant
    ok "no row was lost" rows_kept
    ok "the old application wrote meanwhile" wrote_meanwhile
    client_kills=1
    ok "undone, killed again" undo
    ok "the old application wrote meanwhile" wrote_meanwhile
    stop_writer
    disarm
    ok "no row was lost" rows_kept
    ok "what was acknowledged to the writer is there" quiet journal_kept
    ok "the schema is as before, to the byte" same_schema
    is "and no tenants are left" "$tenants" 'SELECT count(*) FROM tenancy.tenants'

    # Then all the way.
    start_writer "$folder/writer.sql" -v size="$size" -v pause=0.02
    sql -c "SELECT tenancy.start_migration($plan)" >/dev/null
    arm "$((every * 2))"
    client_kills=2
    ok "prepared again, and on trial" run_to trial
    ok "no row is without a tenant" quiet without_tenant
    ok "the old application wrote meanwhile" wrote_meanwhile
    ok "it is on trial" state_is trial
    sql -c "SELECT tenancy.hold_roles('{adopt_new}')" >/dev/null
    ok "the new version of the application is held" run_to rollout
    ok "the old application wrote meanwhile" wrote_meanwhile
    stop_writer
    ok "the new one sees each tenant's rows by themselves" isolation as_new
    start_writer "$folder/writer.sql" -v size="$size" -v pause=0.02
    sleep 0.5
    ok "the old one writes on" wrote_meanwhile
    sleep 0.5
    ok "and on" wrote_meanwhile
    stop_writer
    ok "nothing happened to the writer but lost connections" quiet writer_errors
    ok "what was acknowledged to the writer is there" quiet journal_kept
    ok "enforced" run_to enforced
    disarm
    ok "no row was lost" rows_kept
    ok "no row is without a tenant" quiet without_tenant
    ok "each row has the right tenant" quiet sql -c "$belongs"
    ok "each tenant sees its own rows and together they see all" isolation as_app
    # The owner of the tables was given access for the sake of a definer function, and an owner may always write.
    ok "check() finds no error" no_rows "SELECT code, object, problem, fix FROM tenancy.check()
        WHERE severity = 'error' AND NOT (code = 'shared_writable' AND problem LIKE 'role adopt_owner %')"
    # What the application's own indexes tell in EXPLAIN, and the keys that are meant to hold for all tenants, are known.
    is "pentest() breaks in nowhere" '' "SELECT attack, relation, evidence FROM tenancy.pentest()
        WHERE result = 'LEAKED' AND attack <> 'explain' AND evidence !~ '${global_keys:-^$}'"
    refused() { ! as_app -c "$2" >"$work/said" 2>&1 && grep -q "$1" "$work/said"; }
    ok "the old application is told that it names no tenant" refused 'no tenant is set' "SELECT count(*) FROM $(tenant_tables | head -n 1)"
    new_application

    [[ -z ${switched:-} ]] || off_and_on

    rows_of >"$work/rows.enforced"
    arm "$every"
    client_kills=1
    ok "undone at last, killed again" undo
    disarm
    ok "all rows are there as they were" same_rows "$work/rows.enforced"
    ok "the schema is as before, to the byte" same_schema
    is "and no tenants are left" "$tenants" 'SELECT count(*) FROM tenancy.tenants'
    finish
}
