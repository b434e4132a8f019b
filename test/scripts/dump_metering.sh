#!/usr/bin/env bash
# Plans, limits, usage and audit logs and pg_dump: restored into an empty database they are the same, limits hold, chains
# verify, and both go on. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop dump-metering >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop dump-metering >/dev/null 2>&1
scripts/cluster start dump-metering >/dev/null || exit 1
url=$(scripts/cluster url dump-metering)
sql() { scripts/cluster psql dump-metering -XqAt -v ON_ERROR_STOP=1 -d "$@"; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE one' -c 'CREATE DATABASE two' || exit 1
sql one <<'END' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.set_plan('team', 'of our own'), tenancy.set_plan_limit('team', 'documents', 50), tenancy.set_plan_limit('team', 'tenants', 1),
       tenancy.set_plan_limit('free', 'requests', 7), tenancy.define_metric('seats', 'level');
SELECT tenancy.create_organization('acme'), tenancy.change_plan('acme', 'team');
SELECT tenancy.create_corpus(dimensions => 2);
SELECT tenancy.audit('public.documents');
SELECT tenancy.create_tenant('a', organization => 'acme'), tenancy.create_tenant('b');
SELECT tenancy.set_limit('tenants', 5, organization => id) FROM tenancy.organizations WHERE slug = 'acme';
SELECT tenancy.create_tenant('c', organization => 'acme');
SELECT tenancy.set_limit('seats', 3, tenant => id), tenancy.record_usage('seats', 2, id), tenancy.record_usage('tokens', 1234, id)
FROM tenancy.tenants WHERE slug = 'a';
INSERT INTO documents (tenant_id, title) SELECT t.id, n::text FROM tenancy.tenants t, generate_series(1, 40) n WHERE t.slug IN ('a', 'b');
DELETE FROM documents WHERE title = '7';
SELECT tenancy.seal_audit();
UPDATE documents SET title = 'not sealed' WHERE title = '8';
-- A log that is old.
INSERT INTO tenancy.tenants (organization_id, slug, name) VALUES ('00000000-0000-0000-0000-000000000001', 'old', 'Old');
SELECT tenancy.write_event(id, now() - interval '30 days', 'role:x', 'old', E'tab\t"quote" \\ line\n' || n, NULL, '{"text": "\\\\ \\n \u00e4"}')
FROM tenancy.tenants, generate_series(1, 20) n WHERE slug = 'old';
SELECT tenancy.seal_audit();
UPDATE tenancy.audit_seals SET sealed_at = now() - interval '30 days' WHERE tenant_id = (SELECT id FROM tenancy.tenants WHERE slug = 'old');
SELECT tenancy.set_audit_retention('1 day');
END

# Events that expire go into a file first, which stays when they are gone.
old=$(sql one -c "SELECT id FROM tenancy.tenants WHERE slug = 'old'")
archive() { sql one -c "SELECT tenancy.archive_audit('$old')"; }
verified() {
    { echo 'CREATE TEMPORARY TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY, line jsonb);'
      echo "COPY archive (line) FROM STDIN (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01');"
      cat "$2"
      echo '\.'
      echo 'SELECT coalesce(v.problem, v.events::text) FROM tenancy.verify_audit_archive(ARRAY(SELECT line FROM archive ORDER BY number)) v;'
    } | sql "$1"
}

state() {
    sql "$1" <<'END'
SELECT * FROM tenancy.list_plans();
SELECT t.slug, l.* FROM tenancy.tenants t, tenancy.limits(t.id) l ORDER BY 1, 2;
SELECT * FROM tenancy.usage_report();
SELECT t.slug, e FROM tenancy.tenants t, tenancy.export_audit(t.id) e ORDER BY 1, e ->> 'id';
SELECT e FROM tenancy.export_audit() e;
END
}
intact() {
    [[ -z $(sql "$1" -c "SELECT v FROM tenancy.tenants t, tenancy.verify_audit(t.id) v WHERE NOT v.intact UNION ALL
                         SELECT v FROM tenancy.verify_audit() v WHERE NOT v.intact") ]]
}
nothing_unsealed() {
    [[ -z $(sql "$1" -c "SELECT v FROM tenancy.tenants t, tenancy.verify_audit(t.id) v WHERE NOT v.intact OR v.unsealed > 0") ]]
}
refused() { ! sql "$1" -c "$2" 2>/dev/null; }

archive >"$work/archive"
ok "an archive is written" test -s "$work/archive"
ok "and verifies" test "$(verified one "$work/archive")" = 20
last=$(tail -n 1 "$work/archive")
expire() { sql one -v line="$last" -v whose="$old" <<<"SELECT tenancy.expire_audit((:'line'::jsonb ->> 'number')::bigint, :'line'::jsonb ->> 'hash', :'whose')"; }
ok "what was archived expires" test "$(expire)" = 20
ok "the archive verifies afterwards" test "$(verified one "$work/archive")" = 20

state one >"$work/one"
ok "there is something to keep" test "$(wc -l <"$work/one")" -ge 100
ok "the chains are intact" intact one
"$PGBINDIR/pg_dump" "${url/dbname=postgres/dbname=one}" >"$work/plain.sql"
ok "the dump restores" sql two -f "$work/plain.sql"
state two >"$work/two"
ok "and everything is as it was" diff "$work/one" "$work/two"
ok "the chains verify" intact two
ok "the archive verifies there, too" test "$(verified two "$work/archive")" = 20

insert="INSERT INTO documents (tenant_id, title) SELECT t.id, n::text FROM tenancy.tenants t, generate_series(1, %s) n WHERE t.slug = 'a'"
# shellcheck disable=SC2059
ok "a limit holds: 12 documents do not fit to 39 of 50" refused two "$(printf "$insert" 12)"
# shellcheck disable=SC2059
ok "and 11 do" sql two -c "$(printf "$insert" 11)"
ok "an audited table still is" test "$(sql two -c "SELECT count(*) FROM tenancy.audit_log WHERE action = 'insert'")" = 91
sql two -c 'SELECT tenancy.seal_audit()' >/dev/null
ok "what was restored unsealed and what is new is sealed" nothing_unsealed two
sql two -c "UPDATE tenancy.audit_log SET actor = 'role:nobody' WHERE id = (SELECT events[1] FROM tenancy.audit_seals ORDER BY tenant_id DESC, number LIMIT 1)"
ok "a change shows" refused two "DO \$\$ BEGIN ASSERT (SELECT bool_and(v.intact) FROM tenancy.tenants t, tenancy.verify_audit(t.id) v); END \$\$"

finish
