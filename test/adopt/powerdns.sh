#!/usr/bin/env bash
# The name server PowerDNS: integer keys, zones with the account of a customer, records that only name their zone. Prints TAP.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
size=50
[[ -z $full ]] || size=5000
fetch pdns-backend-pgsql
start_server
as_owner -f build/adopt/pdns-backend-pgsql/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql -v size=$size -f "$folder/fill.sql" >/dev/null || exit 1
grant_to_applications public
changing=domains.notified_serial,domains.last_check

sql -c "SELECT count(tenancy.create_tenant('customer-' || g, external_key => 'customer-' || g)) FROM generate_series(1, $size) g" >/dev/null || exit 1
# Customers are known by a column of their zones, and a zone of nobody's is the operator's own. Names of zones stay unique
# in the whole world.
plan=$(
    cat <<'END'
strategy => 'system', tables => '{
    "domains": {"expression": "(SELECT t.id FROM tenancy.tenants t WHERE t.external_key = account)", "global_keys": ["name_index"]},
    "supermasters": {"expression": "(SELECT t.id FROM tenancy.tenants t WHERE t.external_key = account)"}, "records": {"column": "domain_id", "parent": "domains"},
    "comments": {"action": "path", "column": "domain_id", "parent": "domains"}, "domainmetadata": {"column": "domain_id", "parent": "domains"},
    "cryptokeys": {"column": "domain_id", "parent": "domains"}, "tsigkeys": "share"}'
END
)
global_keys='domains_pkey|name_index'
belongs="SELECT r.id FROM records r JOIN domains d ON d.id = r.domain_id JOIN tenancy.tenants t ON t.id = r.tenant_id
          WHERE t.external_key IS DISTINCT FROM d.account"
new_application() {
    ok "the new application writes for a customer" acts customer-1 ok "INSERT INTO records (domain_id, name) SELECT min(id), 'mine.example' FROM domains"
    ok "and not into another's zone" acts customer-1 23503 "INSERT INTO records (domain_id, name) VALUES (4, 'theirs.example')"
    ok "nor takes another's name" acts customer-1 23505 "INSERT INTO domains (name, type) VALUES ('zone2-1.example.com', 'NATIVE')"
}
. test/adopt/scenario.sh
is "an account is no tenant by itself, and the plan says so" expression_fails \
    "SELECT code FROM tenancy.plan_migration('system', '{\"domains\": {\"expression\": \"account\"}}') WHERE severity = 'error'"
scenario
