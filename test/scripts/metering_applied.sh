#!/usr/bin/env bash
# Documents that no statement of the application brings: through a subscription (its first copy and what follows), under
# session_replication_role = replica, in prepared transactions, by pg_restore. They count, whatever the limit, and once.
# Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop metering-applied >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop metering-applied >/dev/null 2>&1
scripts/cluster start metering-applied -- wal_level=logical max_prepared_transactions=10 >/dev/null || exit 1
url=$(scripts/cluster url metering-applied)
sql() { scripts/cluster psql metering-applied -XqAt -v ON_ERROR_STOP=1 -d "$@"; }

export PGOPTIONS='-c client_min_messages=warning'
for database in source target; do
    sql postgres -c "CREATE DATABASE $database" || exit 1
    sql "$database" <<'END' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
INSERT INTO tenancy.tenants (id, organization_id, slug, name)
SELECT id::uuid, '00000000-0000-0000-0000-000000000001', slug, slug
FROM (VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'a'), ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'b')) AS t (id, slug);
SELECT tenancy.create_corpus(dimensions => 2), tenancy.set_limit('documents', 50, tenant => id) FROM tenancy.tenants WHERE slug = 'a';
CREATE VIEW counts AS
SELECT string_agg(t.slug || ' ' || (SELECT coalesce(sum(s.used), 0) FROM tenancy.usage_slots s WHERE s.subject = t.id AND s.metric = 'documents'), ' ' ORDER BY t.slug)
FROM tenancy.tenants t WHERE t.slug IN ('a', 'b');
END
done
add() { sql "$1" -c "INSERT INTO documents (tenant_id, title) SELECT id, n::text FROM tenancy.tenants, generate_series(1, $3) n WHERE slug = '$2'"; }
counts() {
    for _ in $(seq 100); do
        [[ $(sql "$1" -c 'TABLE counts') == "$2" ]] && break
        sleep 0.1
    done
    [[ $(sql "$1" -c 'TABLE counts') == "$2" && -z $(sql "$1" -c 'SELECT * FROM tenancy.document_drift()') ]] || {
        sql "$1" -c 'TABLE counts' -c 'SELECT * FROM tenancy.document_drift()'
        return 1
    }
}

# A subscription.
sql target -c "SELECT tenancy.drop_limit('documents', tenant => id), tenancy.set_limit('documents', 5, tenant => id) FROM tenancy.tenants WHERE slug = 'a'" >/dev/null
add source a 40
sql source -c 'CREATE PUBLICATION p FOR TABLE documents, chunks' -c "SELECT pg_create_logical_replication_slot('s', 'pgoutput')" >/dev/null
sql target -c "CREATE SUBSCRIPTION s CONNECTION '${url/dbname=postgres/dbname=source}' PUBLICATION p WITH (create_slot = false, slot_name = 's')"
ok "the first copy counts, above the limit" counts target 'a 40 b 0'
add source b 2000
ok "so do rows that follow" counts target 'a 40 b 2000'
sql source -c "UPDATE documents SET title = 'x'"
ok "what keeps its tenant does not" counts target 'a 40 b 2000'
sql source -c "UPDATE documents SET tenant_id = (SELECT id FROM tenancy.tenants WHERE slug = 'b') WHERE id IN (SELECT id FROM documents WHERE tenant_id = (SELECT id FROM tenancy.tenants WHERE slug = 'a') LIMIT 10)"
ok "what changes its tenant does" counts target 'a 30 b 2010'
sql source -c "DELETE FROM documents WHERE tenant_id = (SELECT id FROM tenancy.tenants WHERE slug = 'b')"
ok "what is deleted is given back" counts target 'a 30 b 0'
refused() { ! sql target -c "INSERT INTO documents (tenant_id, title) SELECT id, 'x' FROM tenancy.tenants WHERE slug = 'a'" 2>/dev/null; }
ok "nothing is added on this side to a tenant above its limit" refused
sql source -c 'TRUNCATE documents CASCADE'
ok "what is truncated is given back" counts target 'a 0 b 0'
sql target -c 'ALTER SUBSCRIPTION s DISABLE' -c 'ALTER SUBSCRIPTION s SET (slot_name = NONE)' -c 'DROP SUBSCRIPTION s'
sql source -c "SELECT pg_drop_replication_slot('s')" >/dev/null

# Another role of replication, savepoints, prepared transactions.
add source a 10
sql source <<'END'
SET session_replication_role = replica;
BEGIN;
INSERT INTO documents (tenant_id, title) SELECT id, 'replica' FROM tenancy.tenants WHERE slug IN ('a', 'b');
SAVEPOINT s;
DELETE FROM documents;
ROLLBACK TO s;
PREPARE TRANSACTION 'two';
END
ok "a prepared transaction does not count" counts source 'a 10 b 0'
sql source -c "COMMIT PREPARED 'two'"
ok "until it commits" counts source 'a 11 b 1'
sql source -c 'BEGIN' -c "DELETE FROM documents WHERE title = 'replica'" -c "PREPARE TRANSACTION 'two'"
sql source -c "ROLLBACK PREPARED 'two'"
ok "nor where it is rolled back" counts source 'a 11 b 1'
copied() {
    {
        echo 'COPY documents (tenant_id, title) FROM STDIN;'
        for n in 1 2 3; do printf 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb\t%s\n' "$n"; done
        echo '\.'
    } | sql source && counts source 'a 11 b 4'
}
ok "COPY counts" copied

# Restored by parts, into a database with the triggers.
"$PGBINDIR/pg_dump" -Fc "${url/dbname=postgres/dbname=source}" >"$work/dump"
sql postgres -c 'CREATE DATABASE parts'
restore() { "$PGBINDIR/pg_restore" -d "${url/dbname=postgres/dbname=parts}" "$@" "$work/dump"; }
ok "everything restores" restore --single-transaction
ok "and counts once" counts parts 'a 11 b 4'
sql parts -c 'TRUNCATE documents CASCADE'
ok "data alone, with triggers" restore --data-only -t documents
ok "counts once" counts parts 'a 11 b 4'
sql parts -c 'TRUNCATE documents CASCADE'
ok "data alone, without" restore --data-only --disable-triggers -t documents
ok "counts once, too" counts parts 'a 11 b 4'
add parts b 1
ok "and on" counts parts 'a 11 b 5'
sql parts -c 'SET session_replication_role = replica' -c "DELETE FROM documents WHERE tenant_id = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'"
ok "also under session_replication_role = replica" counts parts 'a 11 b 0'

finish
