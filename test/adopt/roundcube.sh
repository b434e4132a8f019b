#!/usr/bin/env bash
# The webmail Roundcube: users own contacts, identities and settings, and each becomes a tenant. Prints TAP.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
size=60
[[ -z $full ]] || size=6000
fetch roundcube-core
start_server
as_owner -f build/adopt/roundcube-core/usr/share/dbconfig-common/data/roundcube/install/pgsql -v size=$size -f "$folder/fill.sql" >/dev/null || exit 1
grant_to_applications public
changing=users.last_login,users.failed_login_counter

# Whoever logs in is looked up by name before there is a tenant: the users stay open. What no user owns is left as it is.
plan=$(
    cat <<'END'
strategy => 'personal', users => 'users', tables => '{"users": "column_only", "session": "leave", "cache_shared": "leave", "system": "share"}'
END
)
belongs="SELECT c.contact_id FROM contacts c JOIN users u USING (user_id) JOIN tenancy.tenants t ON t.id = c.tenant_id
          WHERE t.external_key <> u.user_id::text
          UNION ALL SELECT m.contact_id FROM contactgroupmembers m JOIN contacts c USING (contact_id) WHERE m.tenant_id <> c.tenant_id"
new_application() {
    ok "the new application writes for a user" acts 1 ok "INSERT INTO contacts (user_id, name) VALUES (1, 'Mine')"
    ok "and not what belongs to another" acts 1 23503 \
        "INSERT INTO contactgroupmembers SELECT min(contactgroup_id), 21 FROM contactgroups"
    ok "nor for another" acts 1 42501 \
        "INSERT INTO contacts (user_id, tenant_id) VALUES (2, gen_random_uuid())"
    ok "a key that holds per tenant is named with it" acts 1 ok \
        "INSERT INTO cache (user_id, cache_key, data) VALUES (1, 'key 1', 'x') ON CONFLICT (tenant_id, user_id, cache_key) DO UPDATE SET data = excluded.data"
}
. test/adopt/scenario.sh
scenario
