#!/usr/bin/env bash
# tenancyctl doctor: what it prints, to a terminal and to others, and how it exits. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
ctl=$(find build/cmake -type f -name tenancyctl -perm -u+x 2>/dev/null | head -n 1)
[[ -n $ctl ]] || {
    echo "1..0 # SKIP tenancyctl is not built"
    exit 0
}

trap 'scripts/cluster drop doctor >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop doctor >/dev/null 2>&1
url=$(scripts/cluster start doctor | tail -n 1) || exit 1
sql() { scripts/cluster psql doctor -XqAt -v ON_ERROR_STOP=1 "$@"; }
doctor() { "$ctl" --db "$url" doctor "$@" >"$work/out" 2>"$work/err"; }
exits() {
    local wanted=$1 rc=0
    shift
    "$@" || rc=$?
    ((rc == wanted)) || { echo "exit $rc, not $wanted" && cat "$work/out" "$work/err" && false; }
}
prints() { grep -qE -- "$1" "$work/out" || { cat "$work/out" && false; }; }
prints_not() { ! grep -qE -- "$1" "$work/out" || { cat -v "$work/out" && false; }; }

export PGOPTIONS='-c client_min_messages=warning'
ok "without the extension it fails" exits 1 doctor
sql -c 'CREATE EXTENSION tenancy CASCADE' -f test/any_server.sql -c 'CREATE TABLE notes (id integer, body text)' -c "SELECT FROM tenancy.protect('notes')" \
    -c 'CREATE ROLE app LOGIN' -c "SELECT FROM tenancy.grant_app('app')" -c "SELECT FROM tenancy.create_corpus(dimensions => 3)" >/dev/null
ok "a clean database: exit 0" exits 0 doctor
ok "and says so" prints '^nothing found$'
ok "quietly, nothing" exits 0 doctor -q
ok "is printed" test ! -s "$work/out"
ok "attacked too" exits 0 doctor --pentest
ok "it is held" prints '^[0-9]+ attacks: [0-9]+ held, 0 got through, 0 skipped$'
ok "as JSON" exits 0 doctor --json --pentest
ok "it is clean" prints '"clean": true'

sql -c 'CREATE INDEX notes_body ON notes (body)'
ok "a note does not fail by default" exits 0 doctor
ok "but is printed, with its repair" prints '^    DROP INDEX public.notes_body; CREATE INDEX notes_body ON public.notes USING btree \(tenant_id, body\)$'
ok "it fails if it is asked to" exits 1 doctor --fail-on info
ok "saying why" grep -qxF 'tenancyctl: 1 finding of severity info or worse' "$work/err"
sql -c 'GRANT TRUNCATE ON notes TO app' -c 'CREATE TABLE other (id integer, tenant_id uuid)' 2>/dev/null
ok "findings: exit 1" exits 1 doctor
ok "the worst come first" test "$(grep -E '^(error|warning|info)$' "$work/out" | tr '\n' ' ')" == 'error warning info '
ok "with a summary" prints '^1 error, 1 warning, 1 note$'
ok "no colours where nobody looks" prints_not $'\e'
ok "only errors fail, on demand" exits 1 doctor --fail-on error
sql -c "SELECT tenancy.accept_finding('app_role_privilege', 'table public.notes', 'emptied at night')" \
    -c "SELECT tenancy.accept_finding('table_unprotected', 'table public.other', 'of one tenant only')" >/dev/null
ok "what is accepted does not fail" exits 0 doctor
ok "and is printed apart, with the reason" prints '^    emptied at night$'
ok "below the rest" test "$(grep -E '^(error|warning|info|accepted)$' "$work/out" | tr '\n' ' ')" == 'info accepted '
ok "and counted" prints '^0 errors, 0 warnings, 1 note, 2 accepted$'
ok "as JSON too" exits 0 doctor --json
ok "it is apart" test "$(python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(d["clean"], len(d["findings"]), sorted(a["accepted"] for a in d["accepted"]))' "$work/out")" == "True 1 ['emptied at night', 'of one tenant only']"
sql -c 'GRANT REFERENCES ON notes TO app'
ok "another fault of the same object fails" exits 1 doctor --fail-on error
ok "with that alone" prints '^1 error, 0 warnings, 1 note, 2 accepted$'
sql -c 'REVOKE TRUNCATE, REFERENCES ON notes FROM app' -c "SELECT tenancy.unaccept_finding('table_unprotected', 'table public.other')" >/dev/null
ok "an acceptance of what is gone is a note" exits 1 doctor --fail-on info
ok "that says how to take it back" prints "SELECT tenancy.unaccept_finding\\('app_role_privilege', 'table public.notes'\\)"
sql -c "SELECT tenancy.unaccept_finding('app_role_privilege', 'table public.notes')" >/dev/null
ok "and no longer without one" exits 0 doctor --fail-on error
ok "or never" exits 0 doctor --fail-on none
ok "as JSON it exits alike" exits 1 doctor --json
ok "with the findings" prints '"code": "table_unprotected"'
ok "and their counts" prints '"warning": 1$'
sql -c 'SET session_replication_role = replica' -c 'ALTER TABLE notes DISABLE ROW LEVEL SECURITY'
ok "an attack that gets through fails whatever is asked" exits 1 doctor --pentest --fail-on none
ok "it is printed with its evidence" prints '^  LEAKED  read_by_scan  table notes$'

ok "colours on demand" exits 1 doctor --color always
ok "are there" prints $'^\e\\[1m\e\\[31merror\e\\[0m$'
if script --version >/dev/null 2>&1; then
    on_terminal() { TERM=xterm script -qec "$*" /dev/null >"$work/out" </dev/null; }
    on_terminal "'$ctl' --db '$url' doctor"
    ok "and on a terminal" prints $'\e\\[31merror'
    NO_COLOR=1 on_terminal "'$ctl' --db '$url' doctor"
    ok "but for NO_COLOR" prints_not $'\e\\['
    TERM=dumb script -qec "'$ctl' --db '$url' doctor" /dev/null >"$work/out" </dev/null
    ok "and dumb ones" prints_not $'\e\\['
fi
ok "wrong usage: exit 2" exits 2 doctor --fail-on sometimes
ok "no connection: exit 3" exits 3 "$ctl" --db host=/nonexistent -q doctor
finish
