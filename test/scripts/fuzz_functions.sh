#!/usr/bin/env bash
# Calls every C function of the extension as a superuser with nasty values of each of its argument types: nulls, far too long ones,
# negative ones, arrays of odd shapes, relations of other kinds and none; trigger functions on tables, levels and events that they
# were not made for. The server must not crash, no call may end in an internal error (XX000), and none may take long or go on
# after it was cancelled. FUZZ_CALLS says how many calls with values by chance each function gets. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

cluster=${FUZZ_CLUSTER:-fuzz-functions}
trap 'scripts/cluster drop $cluster >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop $cluster >/dev/null 2>&1
scripts/cluster start $cluster -- jit=off tenancy.wrong_try_delay=0 statement_timeout=${FUZZ_TIMEOUT:-20s} log_statement=all >/dev/null || exit 1
export PGOPTIONS='-c client_min_messages=error'
sql() { scripts/cluster psql $cluster -XqAt "$@"; }
sql -v ON_ERROR_STOP=1 -f test/fuzz/functions.sql >/dev/null || exit 1

unknown=$(sql -c "SELECT DISTINCT t FROM fuzz.functions f, unnest(f.types) t WHERE fuzz.many(t) = 0")
ok "there are values for every argument type" test -z "$unknown"
[[ -z $unknown ]] || echo "# none for: $unknown"

calls=0
# One function in a session of its own. What it says is judged afterwards.
fuzz() {
    local oid=$1 rc=0
    sql -c "SELECT setseed(0.5)" -c "SELECT fuzz.calls($oid, ${FUZZ_CALLS:-15})" -c "SELECT fuzz.attachments($oid)" | sed 1d >"$work/calls" || return 1
    calls=$(wc -l <"$work/calls")
    ((calls > 0)) || { echo "there is nothing to call"; return 1; }
    # COPY and the like would wait for more input.
    timeout 600 scripts/cluster psql $cluster -XqAtb -v VERBOSITY=sqlstate -f "$work/calls" </dev/null >/dev/null 2>"$work/errors" || rc=$?
    if ((rc != 0)); then
        echo "psql ended with $rc: $(tail -n 2 "$work/errors")"
        echo "the last statement: $(grep -E 'LOG:  statement: ' "$(scripts/cluster log $cluster)" | tail -n 1 | cut -c 1-600)"
        for _ in $(seq 100); do sql -c 'SELECT 1' >/dev/null 2>&1 && break; sleep 0.2; done
        return 1
    fi
    grep -A 1 -E 'ERROR:  (XX...|57014|08...)' "$work/errors" | cut -c 1-600 | head -n 10 >"$work/bad"
    [[ ! -s $work/bad ]] || { cat "$work/bad"; return 1; }
}
total=0
while IFS='|' read -r oid function; do
    ok "$function" fuzz "$oid"
    ((total += calls))
done < <(sql -c "SELECT f.oid, f.name FROM fuzz.functions f ORDER BY f.name COLLATE \"C\"")
ok "there were many calls ($total)" test "$total" -gt 1000
ok "the server did not crash" bash -c "! grep -E 'was terminated by signal|TRAP|PANIC' '$(scripts/cluster log $cluster)'"
finish
