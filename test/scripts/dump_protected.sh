#!/usr/bin/env bash
# Protected tables and pg_dump: unprotect() leaves a schema equal to the byte; a dump restored into an empty database is protected
# and clean; a dump by somebody whom policies hold fails loudly. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop dump >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop dump >/dev/null 2>&1
scripts/cluster start dump >/dev/null || exit 1
url=$(scripts/cluster url dump)
sql() { scripts/cluster psql dump -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
dump() { "$PGBINDIR/pg_dump" "${url/dbname=postgres/dbname=$1}" "${@:2}" | grep -vE '^\\(un)?restrict '; }
rows() { [[ $(sql "$1" -c "$2") == "$3" ]] || { sql "$1" -c "$2" && false; }; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE one' -c 'CREATE DATABASE two' -c 'CREATE ROLE dump_app LOGIN' -c 'CREATE ROLE dump_owner LOGIN' || exit 1
sql one <<'END' || exit 1
CREATE EXTENSION tenancy CASCADE;
DO $$BEGIN PERFORM tenancy.create_tenant('a', external_key => '1'), tenancy.create_tenant('b', external_key => '2'); END$$;
UPDATE tenancy.tenants SET external_key = '0' WHERE slug = 'default';
DO $$BEGIN PERFORM tenancy.grant_app('dump_app'), tenancy.grant_owner('dump_owner'); END$$;
CREATE SCHEMA "Odd Schema" AUTHORIZATION dump_owner;
CREATE TABLE bare (id integer PRIMARY KEY, body text);
INSERT INTO bare SELECT g, 'text ' || g FROM generate_series(1, 100) g;
CREATE TABLE "Odd Schema"."odd ""table""" (id integer, "Tenant" bigint DEFAULT 2 NOT NULL);
INSERT INTO "Odd Schema"."odd ""table""" VALUES (1, 1), (2, 2);
CREATE TABLE ready (tenant_id uuid NOT NULL REFERENCES tenancy.tenants (id), id integer, PRIMARY KEY (tenant_id, id));
CREATE TABLE policed (id integer, tenant_id uuid, author text);
ALTER TABLE policed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON policed USING (author = current_user);
CREATE TABLE parts (id integer, tenant_id uuid) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE INDEX parts_1_own ON parts_1 (tenant_id);
ALTER TABLE parts_1 ADD CONSTRAINT own_key FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE parts_21 PARTITION OF parts_2 FOR VALUES IN (2);
ALTER TABLE parts_21 ALTER COLUMN tenant_id SET DEFAULT gen_random_uuid(), ALTER COLUMN tenant_id SET NOT NULL;
CREATE TABLE family (id integer);
CREATE TABLE family_child (extra integer) INHERITS (family);
CREATE TABLE family_rich (tenant_id uuid NOT NULL DEFAULT gen_random_uuid()) INHERITS (family);
INSERT INTO family_child VALUES (1, 2);
ALTER TABLE bare OWNER TO dump_owner;
END
protect="SELECT tenancy.protect(t::regclass) FROM unnest('{bare,ready,parts,family}'::text[]) t;
         SELECT tenancy.protect('policed', own_policies => true);
         SELECT tenancy.protect('\"Odd Schema\".\"odd \"\"table\"\"\"', 'Tenant', foreign_key => false)"
unprotect="SELECT tenancy.unprotect(t::regclass) FROM unnest('{bare,ready,parts,family,policed}'::text[]) t;
           SELECT tenancy.unprotect('\"Odd Schema\".\"odd \"\"table\"\"\"')"

dump one -s >"$work/before.sql"
ok "protect" sql one -c "$protect"
dump one -s >"$work/protected.sql"
ok "a protected schema is another one" test "$(diff "$work/before.sql" "$work/protected.sql" | wc -l)" -gt 200
ok "unprotect" sql one -c "$unprotect"
dump one -s >"$work/after.sql"
ok "the schema is the same to the byte as before" diff "$work/before.sql" "$work/after.sql"

sql one >/dev/null <<END
$protect;
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES IN (3);
END
sql one -c "INSERT INTO bare SELECT 100 + g + 10 * (t.slug = 'b')::int, 'more', t.id FROM generate_series(1, 10) g, tenancy.tenants t WHERE t.slug IN ('a', 'b')"
ok "what is dumped is clean" rows one "SELECT count(*) FROM tenancy.check() WHERE code NOT IN ('server_outdated', 'activity_shared', 'signals_shared', 'session_context')" 0
dump one >"$work/whole.sql"
ok "it restores into an empty database without an error" sql two -f "$work/whole.sql"
ok "where check() is clean" rows two "SELECT count(*) FROM tenancy.check() WHERE code NOT IN ('server_outdated', 'activity_shared', 'signals_shared', 'session_context')" 0
ok "the registry is the same" test "$(sql one -c 'SELECT * FROM tenancy.protected_tables ORDER BY relation::text')" == \
    "$(sql two -c 'SELECT * FROM tenancy.protected_tables ORDER BY relation::text')"
ok "all rows are there" rows two "SELECT count(*), count(DISTINCT tenant_id) FROM bare" "120|3"
sql two -c 'GRANT SELECT ON bare TO dump_app'
ok "a tenant sees its own of them" rows two "BEGIN; SET ROLE dump_app; SELECT count(tenancy.set_tenant('a')); SELECT count(*) FROM bare" $'1\n10'
ok "partitions of the restored table are protected too" \
    rows two "CREATE TABLE parts_4 PARTITION OF parts FOR VALUES IN (4); SELECT count(*) FROM tenancy.protection_faults('parts_4'); SELECT count(*) FROM tenancy.protected_tables WHERE relation = 'parts_4'::regclass; DROP TABLE parts_4" $'0\n1'
ok "what was restored is unprotected" sql two -c "$unprotect"
sql two -c 'REVOKE SELECT ON bare FROM dump_app' -c 'DROP TABLE parts_3'
sql one -c "$unprotect" -c 'DROP TABLE parts_3' >/dev/null
dump two -s >"$work/restored.sql"
ok "and its schema is as before the first protect(), to the byte" diff "$work/before.sql" "$work/restored.sql"

# A custom archive, restored by two workers: whatever order they take.
sql one -c "$protect" >/dev/null
"$PGBINDIR/pg_dump" -Fc "${url/dbname=postgres/dbname=one}" -f "$work/archive"
sql postgres -c 'CREATE DATABASE three'
ok "an archive is restored in parallel" "$PGBINDIR/pg_restore" -j 2 --exit-on-error -d "${url/dbname=postgres/dbname=three}" "$work/archive"
ok "and is clean" rows three "SELECT count(*) FROM tenancy.check() WHERE code NOT IN ('server_outdated', 'activity_shared', 'signals_shared', 'session_context')" 0

fails() { ! "$@" >"$work/out" 2>"$work/err" && grep -q "$pattern" "$work/err"; }
as() { "$PGBINDIR/pg_dump" "${url/user=postgres dbname=postgres/user=$1 dbname=one}" "${@:2}"; }
pattern='query would be affected by row-level security policy'
ok "the owner's dump fails, and is not empty silently" fails as dump_owner -t bare
sql one -c 'GRANT SELECT ON bare TO dump_app'
pattern='no tenant is set'
ok "with row security it fails for want of a tenant" fails as dump_app -t bare --enable-row-security --data-only
finish
