#!/usr/bin/env bash
# A session that makes refusals without end: bounded and counted in the audit log, while those of others arrive one by one,
# in the same database and in another, as the same role and as another. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop audit-flood >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop audit-flood >/dev/null 2>&1
scripts/cluster start audit-flood >/dev/null || exit 1
sql() { scripts/cluster psql audit-flood -XqAt -v ON_ERROR_STOP=1 -d "$@"; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE ROLE flooding LOGIN' -c 'CREATE ROLE quiet LOGIN' -c 'CREATE DATABASE one' -c 'CREATE DATABASE two' || exit 1
for database in one two; do
    sql "$database" -c 'CREATE EXTENSION tenancy CASCADE' -c "SELECT tenancy.grant_app('flooding'), tenancy.grant_app('quiet'), tenancy.create_tenant('a')" >/dev/null || exit 1
    sql "$database" <<'END' || exit 1
-- How many refusals were raised: unknown slugs, each another one, for so many milliseconds or so often.
CREATE FUNCTION refuse(stem text, ms integer, at_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
    raised bigint := 0;
BEGIN
    WHILE raised < at_most AND clock_timestamp() < began + ms * interval '1 ms' LOOP
        BEGIN
            PERFORM tenancy.set_tenant(stem || raised);
        EXCEPTION WHEN SQLSTATE 'TN002' THEN
            raised := raised + 1;
        END;
    END LOOP;
    RETURN raised;
END $$;
CREATE VIEW refusals AS
SELECT l.actor, l.object, coalesce((l.after ->> 'merged')::boolean, false) AS merged, (l.after ->> 'times')::bigint AS times
FROM tenancy.audit_log l WHERE l.action = 'denied';
END
done

flood() { sql one -c 'SET SESSION AUTHORIZATION flooding' -c "SELECT refuse('$1-', 6000, 1000000000)"; }
flood x >"$work/x" &
first=$!
flood y >"$work/y" &
second=$!
sleep 2
# While it goes on.
sql one -c 'SET SESSION AUTHORIZATION quiet' -c "SELECT refuse('quiet-', 5000, 20)" >"$work/quiet"
sql one -c 'SET SESSION AUTHORIZATION flooding' -c "SELECT refuse('same-role-', 5000, 20)" >"$work/same"
sql two -c 'SET SESSION AUTHORIZATION flooding' -c "SELECT refuse('elsewhere-', 5000, 20)" >"$work/elsewhere"

count() { sql "$1" -c "SELECT count(DISTINCT object) FROM refusals WHERE object LIKE '%$2-%'"; }
arrives() {
    for _ in $(seq 100); do
        [[ $(count "$1" "$2") == 20 ]] && return
        sleep 0.1
    done
    echo "$(count "$1" "$2") of 20 arrived"
    return 1
}
ok "what another role is refused arrives, while the flood goes on" arrives one quiet
ok "what another session of the same role is refused arrives" arrives one same-role
ok "what is refused in another database arrives" arrives two elsewhere
wait "$first" "$second"

total() { sql one -c "SELECT coalesce(sum(times), 0) FROM refusals WHERE actor = 'role:flooding'"; }
raised=$(($(cat "$work/x") + $(cat "$work/y") + 20))
ok "the flood was one: $raised refusals" test "$raised" -gt 2000
complete() {
    for _ in $(seq 300); do
        [[ $(total) == "$raised" ]] && return
        sleep 0.1
    done
    echo "$(total) of $raised are told of"
    return 1
}
ok "all of it is told of" complete
rows=$(sql one -c 'SELECT count(*) FROM refusals')
ok "in few rows: $rows" test "$rows" -le 400
ok "of which those that merge say so" test "$(sql one -c "SELECT count(*) > 0 AND bool_and(object = 'more than is kept one by one') AND sum(times) > 1000 FROM refusals WHERE merged AND actor = 'role:flooding'")" = t
ok "others were not merged" test "$(sql one -c "SELECT count(*) FROM refusals WHERE merged AND actor <> 'role:flooding'")" = 0

# The same refusal again and again.
sql two -c 'SET SESSION AUTHORIZATION quiet' -c "DO \$\$ BEGIN FOR i IN 1..1000 LOOP BEGIN PERFORM tenancy.set_tenant('again'); EXCEPTION WHEN SQLSTATE 'TN002' THEN NULL; END; END LOOP; END \$\$"
again() {
    for _ in $(seq 200); do
        [[ $(sql two -c "SELECT sum(times) = 1000 AND count(*) <= 3 FROM refusals WHERE object LIKE '%again'") == t ]] && return
        sleep 0.1
    done
    return 1
}
ok "like refusals are one row or few, which count them" again
ok "savepoints that are rolled back count once each, and the chains are intact" test "$(sql two -c "SELECT sealed + waiting > 0 FROM tenancy.seal_audit()" -c 'SELECT intact FROM tenancy.verify_audit()')" = $'t\nt'

# A server that crashes loses what waited, and goes on.
kill_server audit-flood
scripts/cluster start audit-flood >/dev/null
sql one -c 'SET SESSION AUTHORIZATION quiet' -c "SELECT refuse('later-', 5000, 20)" >/dev/null
ok "after a crash refusals are recorded as before" arrives one later

# Without the library in shared memory, the server's log is all there is.
scripts/cluster stop audit-flood
scripts/cluster start audit-flood -- shared_preload_libraries= >/dev/null
sql one -c 'SET SESSION AUTHORIZATION quiet' -c "SELECT refuse('unloaded-', 5000, 5000)" >"$work/unloaded"
lines() { grep -c "tenancy refused role:quiet.*unloaded-" "$(scripts/cluster log audit-flood)"; }
said() {
    local rest
    rest=$(sed -nE 's/.*tenancy refused ([0-9]+) more times.*/\1/p' "$(scripts/cluster log audit-flood)" | awk "{ n += \$1 } END { print n + 0 }")
    (($(lines) <= 60 && $(lines) + rest == $(cat "$work/unloaded"))) || {
        echo "$(lines) lines, $rest more, of $(cat "$work/unloaded")"
        return 1
    }
}
ok "without preloading a session says some of its refusals in the server's log, and how many more" said

finish
