#!/usr/bin/env bash
# The server is killed again and again while a migration runs, forth and back, and the old application writes. It goes on where
# it was, and no row that was committed is lost or without its tenant. Prints TAP. MIGRATE_CRASHES=50 for more.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

cluster=migrate-crash
trap 'scripts/cluster drop $cluster >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop $cluster >/dev/null 2>&1
start() { scripts/cluster start $cluster -- full_page_writes=on; }
start >/dev/null || exit 1
sql() { scripts/cluster psql $cluster -XqAt -v ON_ERROR_STOP=1 "$@"; }
export PGOPTIONS='-c client_min_messages=warning'

sql <<'SQL' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE notes (id bigserial PRIMARY KEY, user_id integer NOT NULL REFERENCES users, body text);
CREATE TABLE lines (id bigserial PRIMARY KEY, note_id bigint NOT NULL REFERENCES notes, body text);
INSERT INTO users SELECT g, 'user' || g || '@x.example' FROM generate_series(1, 100) g;
INSERT INTO notes (user_id, body) SELECT g % 100 + 1, repeat('note ', 20) FROM generate_series(1, 20000) g;
INSERT INTO lines (note_id, body) SELECT g % 20000 + 1, repeat('line ', 20) FROM generate_series(1, 40000) g;
-- What the application does: it knows of no tenant.
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
DECLARE
    note bigint;
BEGIN
    LOOP
        BEGIN
            INSERT INTO notes (user_id, body) VALUES (1 + floor(random() * 100), 'kept') RETURNING id INTO note;
            INSERT INTO lines (note_id, body) VALUES (note, 'kept');
        EXCEPTION WHEN SQLSTATE 'TN001' THEN
            EXIT; -- It is enforced, and this application is out of date.
        END;
        COMMIT;
        RAISE INFO 'committed %', note;
        PERFORM pg_sleep(0.001);
    END LOOP;
END
$$;
SQL
"$PGBINDIR/pg_dump" -s "$(scripts/cluster url $cluster)" -t users -t notes -t lines | grep -v '^--\|^.\(un\)\?restrict\|^$' >"$work/before"
begin() { sql -c "SELECT tenancy.start_migration('personal', users => 'users', online => false)" -c "SELECT tenancy.tune_migration(batch_ms => 5, pause_factor => 0.1)" >/dev/null; }
state() { sql -c 'SELECT state FROM tenancy.migration_status()'; }
begin || exit 1

states=''
for ((round = 1; round <= ${MIGRATE_CRASHES:-6}; ++round)); do
    sql -c 'SET client_min_messages = info' -c 'CALL work()' >/dev/null 2>>"$work/application" &
    application=$!
    [[ $(state) != undone ]] || begin
    case $(state) in
        enforced | undoing) sql -c 'CALL tenancy.undo_migration()' >/dev/null 2>&1 & ;;
        *) sql -c "CALL tenancy.run_migration('enforced')" >/dev/null 2>&1 & ;;
    esac
    migration=$!
    sleep "0.$((RANDOM % 5 + 1))$((RANDOM % 10))"
    kill_server $cluster
    wait $application $migration
    ok "crash $round: the server recovers" start
    states+=" $(state)"
done
ok "the migration was not always over:$states" grep -qE 'running|undoing|trial' <<<"$states"
[[ $(state) != undoing ]] || sql -c 'CALL tenancy.undo_migration()' || exit 1
[[ $(state) != undone ]] || begin

done_at_last() { sql -c "CALL tenancy.run_migration('enforced')" && [[ $(state) == enforced ]]; }
ok "the migration comes to its end" done_at_last
sums() { sql -c "SELECT count(*) FILTER (WHERE body <> 'kept'), count(*) FILTER (WHERE body = 'kept') > 0 FROM $1"; }
ok "all notes are there" test "$(sums notes)" = '20000|t'
ok "all lines are there" test "$(sums lines)" = '40000|t'
nothing_lost() {
    local told
    told=$(sed -n 's/.*INFO:  committed //p' "$work/application")
    [[ -n $told && $(sql -c "SELECT count(*) FROM unnest('{${told//$'\n'/,}}'::bigint[]) t WHERE NOT EXISTS (SELECT FROM notes WHERE id = t) OR NOT EXISTS (SELECT FROM lines WHERE note_id = t)") == 0 ]]
}
ok "and what the application was told is safe" nothing_lost
none() { [[ $(sql -c "SELECT count(*) FROM ($1) s") == 0 ]] || { sql -c "$1 LIMIT 5" && false; }; }
ok "every note is its user's" none 'SELECT n.id FROM notes n JOIN users u ON u.id = n.user_id WHERE n.tenant_id IS DISTINCT FROM u.tenant_id'
ok "every line is its note's" none 'SELECT l.id FROM lines l JOIN notes n ON n.id = l.note_id WHERE l.tenant_id IS DISTINCT FROM n.tenant_id'
ok "every user has a tenant of their own" none 'SELECT tenant_id FROM users GROUP BY 1 HAVING count(*) > 1 OR tenant_id IS NULL'
ok "no index is broken" none 'SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid'
ok "the protection lacks nothing" none "SELECT * FROM tenancy.protected_tables p, tenancy.protection_faults(p.relation) f"
ok "it is undone" sql -c 'CALL tenancy.undo_migration()'
"$PGBINDIR/pg_dump" -s "$(scripts/cluster url $cluster)" -t users -t notes -t lines | grep -v '^--\|^.\(un\)\?restrict\|^$' >"$work/after"
ok "to what was there before" diff "$work/before" "$work/after"
ok "with all that the application wrote" nothing_lost
finish
