#!/usr/bin/env bash
# A dump of an installation that uses everything is restored in every way that pg_dump and pg_restore have, in every order of
# loading, in parallel and in pieces: no error, and the same rows, keys, triggers and findings as in the source. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop dump-orders >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop dump-orders >/dev/null 2>&1
# Without the library preloaded nothing seals the audit log meanwhile, and a restore has to find the library by itself.
scripts/cluster start dump-orders -- shared_preload_libraries= >/dev/null || exit 1
url=$(scripts/cluster url dump-orders)
at() { printf '%s' "${url/dbname=postgres/dbname=$1}"; }
sql() { scripts/cluster psql dump-orders -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
dump() { "$PGBINDIR/pg_dump" "$(at one)" "$@"; }
restore() { "$PGBINDIR/pg_restore" --exit-on-error -d "$(at two)" "$@"; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE ROLE app LOGIN' -c 'CREATE ROLE owner LOGIN' -c 'CREATE ROLE operator LOGIN' -c 'CREATE ROLE boss SUPERUSER' \
    -c 'CREATE DATABASE one' || exit 1
sql one -f test/scripts/installation.sql >/dev/null || exit 1

# Rows of all tables that are dumped, foreign keys, triggers, policies, findings, limits and chains; after the verification, which
# settles what the order of loading has left, as the documentation says.
state() {
    sql "$1" <<'END'
SELECT FROM tenancy.verify_restore() \g /dev/null
SELECT format('SELECT %L, count(*), md5(string_agg(j, E''\n'' ORDER BY j)) FROM (SELECT (to_jsonb(t) - ''transaction_id'')::text AS j FROM ONLY %s t %s) x',
              c.oid::regclass, c.oid::regclass, e.condition)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN (SELECT u.* FROM pg_extension, unnest(extconfig, extcondition) u (relation, condition) WHERE extname = 'tenancy') e ON e.relation = c.oid
WHERE c.relkind = 'r' AND (e.relation IS NOT NULL OR n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^tenancy')
ORDER BY c.oid::regclass::text \gexec
-- PostgreSQL names the keys of partitions, and orders those on one column, as it likes.
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
ORDER BY conrelid::regclass::text, conname;
SELECT format('%s %s %s %s', tgrelid::regclass, regexp_replace(tgname, '_\d+$', ''), tgfoid::regproc, tgenabled) AS t, count(*) FROM pg_trigger
WHERE tgrelid::regclass::text !~ '^tenancy.(stores|words|vector)' GROUP BY t ORDER BY t;
SELECT polrelid::regclass, polname, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY polrelid::regclass::text, polname;
SELECT sequencename, last_value FROM pg_sequences WHERE schemaname !~ '^tenancy' ORDER BY 1;
-- Whether tables were analysed meanwhile is up to autovacuum.
SELECT c.* FROM tenancy.check() c WHERE code NOT IN ('store_missing', 'explain_open');
SELECT t.slug, l.* FROM tenancy.tenants t, tenancy.limits(t.id) l ORDER BY 1, 2;
SELECT t.slug, v.* FROM tenancy.tenants t, tenancy.verify_audit(t.id) v ORDER BY 1;
SELECT 'unverified', relation, name FROM tenancy.unverified_keys;
SELECT v.* FROM tenancy.verify_restore() v WHERE problem !~ '^its stores';
END
}
state one >"$work/one"
fresh() { sql postgres -c 'DROP DATABASE IF EXISTS two' -c "CREATE DATABASE two ${1:-}"; }
# Lines that match the pattern may differ.
same() {
    state two >"$work/two" && diff <(grep -vE "${1:-^$}" "$work/one") <(grep -vE "${1:-^$}" "$work/two")
}
# A key of each tenant enters, and the application sees that tenant's rows and no others.
isolated() {
    local tenant key
    while IFS='|' read -r tenant key; do
        [[ $(sql two -c 'SET ROLE app' -c BEGIN -c "SELECT FROM tenancy.enter_with_key('$key')" \
            -c "SELECT count(*), count(DISTINCT tenant_id), bool_and(tenant_id = tenancy.current_tenant_id()) FROM public.many" -c COMMIT) == '500|1|t' ]] || return 1
    done < <(sql one -c "SELECT tenant, text FROM public.credentials WHERE kind = 'key'")
    ! sql two -c 'SET ROLE app' -c 'SELECT * FROM public.many' 2>"$work/err" && grep -q 'no tenant is set' "$work/err"
}
# way NAME COMMAND...: restores by it into an empty database and compares.
way() {
    local name=$1
    shift
    fresh
    ok "$name" "$@"
    ok "  and all is as it was" same "${but:-}"
}

dump >"$work/plain.sql"
dump --inserts >"$work/inserts.sql"
dump -Fc -f "$work/archive"
dump -Fd -j 2 -f "$work/folder"
dump -Ft -f "$work/tar"
ok "there is something to keep" test "$(wc -l <"$work/one")" -ge 200

way "plain" sql two -f "$work/plain.sql"
ok "  keys enter, and each tenant sees its own" isolated
way "plain, by INSERT, in one transaction" sql two -1 -f "$work/inserts.sql"
way "a tar, in one transaction" restore -1 "$work/tar"
way "a folder, -j 8" restore -j 8 "$work/folder"
way "an archive, -j 3" restore -j 3 "$work/archive"
ok "  keys enter, and each tenant sees its own" isolated
way "by another superuser, without owners" restore --no-owner --role=boss -j 2 "$work/archive"

# The entries of the archive, the data of tables in some order.
list() { "$PGBINDIR/pg_restore" -l "$work/archive" | grep -v '^;'; }
is_data='TABLE DATA|SEQUENCE SET'
before_data() { list | sed -nE "/$is_data/q; p"; }
after_data() { list | sed -nE "/$is_data/,\$p" | grep -vE "$is_data"; }
data() { list | grep -E "$is_data"; }
{ before_data; data | tac; after_data; } >"$work/reversed"
way "data in reversed order" restore -L "$work/reversed" "$work/archive"
{ before_data; data | awk 'BEGIN { srand(1) } { print rand() "\t" $0 }' | sort -n | cut -f 2-; after_data; } >"$work/shuffled"
way "data in shuffled order" restore -L "$work/shuffled" "$work/archive"
{ before_data; data | grep -v ' tenancy '; after_data; data | grep ' tenancy ' | tac; } >"$work/late"
way "the catalogue's data after keys and policies, -j 4" restore -j 4 -L "$work/late" "$work/archive"

sections() {
    local section
    for section in pre-data data post-data; do
        restore --section=$section "$@" || return
    done
}
way "section by section, -j 4" sections -j 4 "$work/folder"
# PostgreSQL turns all triggers on again as ordinary ones, those that were to fire always, too.
but='tenancy.keep_(vectors|words) '
in_halves() { restore -s "$work/archive" && restore -a --disable-triggers -j 4 "$work/archive"; }
way "the schema, then the data without triggers, -j 4" in_halves
halves_of_dump() { sql two -f <(dump -s) && sql two -f <(dump -a); }
way "a dump of the schema and a dump of the data" halves_of_dump

made_before() { sql two -c 'CREATE EXTENSION tenancy CASCADE' && restore -j 2 "$work/archive"; }
way "into a database that has the extension" made_before
table_by_table() {
    restore -s "$work/archive" || return
    local schema table
    while read -r schema table; do
        restore -a --disable-triggers -n "$schema" -t "$table" "$work/archive" || return
    done < <(data | sed -nE 's/.* TABLE DATA ([^ ]+) ([^ ]+) .*/\1 \2/p' | tac)
    restore -a -L <(data | grep 'SEQUENCE SET') "$work/archive"
}
way "table by table" table_by_table
but=''
ok "over what is there, -j 4" restore --clean --if-exists -j 4 "$work/archive"
ok "  and all is as it was" same

# What is missing is said, and not said any more when it is there.
findings() { [[ $(sql two -c "SELECT count(*) FILTER (WHERE code = 'rows_without_parent'), count(*) FILTER (WHERE code = 'key_unverified') FROM tenancy.check()") == "$1" ]]; }
problems() { [[ $(sql two -c "SELECT count(*) FILTER (WHERE problem ~ '$1'), count(*) FROM tenancy.verify_restore() WHERE problem !~ '^its stores'") == "$2" ]]; }
fresh
ok "a restore without the tenants" restore -L <(list | grep -v 'TABLE DATA tenancy tenants') "$work/archive"
ok "leaves rows that refer to nothing, in the catalogue and in tables of the application" findings '8|10'
ok "which the verification names" problems 'rows refer to rows of tenancy.tenants that are not there' '18|18'
ok "until the tenants are restored, too" restore -a -n tenancy -t tenants "$work/archive"
ok "  and all is as it was" same

fresh
ok "a restore without the secrets" restore -j 2 -L <(list | grep -v 'TABLE DATA tenancy secrets') "$work/archive"
ok "leaves keys that cannot enter, which is said" problems 'API keys were made with it' '1|1'
sql two -c "UPDATE tenancy.usage_slots SET used = used + 1 WHERE metric = 'documents' AND used > 0"
ok "documents that are not there and are counted" problems 'documents are counted' '5|6'
sql two -c 'ALTER TABLE tenancy.memberships DISABLE TRIGGER context_changed' -c 'ALTER TABLE app.authors DISABLE TRIGGER ALL'
ok "triggers that stayed off" problems 'is turned off' '9|15'
sql two -c 'SET session_replication_role = replica' -c "DELETE FROM tenancy.audit_seals WHERE number = 1"
ok "and a log that is not whole" problems 'the chain ends with link 0 instead of 1' '7|22'
finish
