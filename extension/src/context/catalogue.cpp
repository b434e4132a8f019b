#include "context/catalogue.hpp"

#include "context/row_lookup.hpp"
#include "pure/permissions.hpp"

namespace tenancy::context {

namespace {

// Column numbers of sql/10_catalog.sql and sql/12_identity.sql; columns are only ever appended there.
enum organizations_column : AttrNumber { organizations_id = 1, organizations_status = 4 };
enum tenants_column : AttrNumber {
    tenants_id = 1,
    tenants_organization_id = 2,
    tenants_slug = 3,
    tenants_status = 5,
    tenants_external_key = 6,
    tenants_external_key_bigint = 7,
};
enum memberships_column : AttrNumber { memberships_tenant_id = 1, memberships_user_id = 2, memberships_role = 3 };
enum roles_column : AttrNumber { roles_tenant_id = 1, roles_name = 2, roles_permissions = 4 };
enum users_column : AttrNumber { users_id = 1, users_status = 4 };
enum api_keys_column : AttrNumber {
    api_keys_id = 1,
    api_keys_tenant_id = 2,
    api_keys_role = 4,
    api_keys_expires_at = 6,
    api_keys_revoked_at = 7,
};

void read_tenant(const tenant_name& name, Snapshot snapshot, standing& result, uuid& organization, bool& is_active) {
    ScanKeyData key;
    if (name.is_slug)
        ScanKeyInit(&key, tenants_slug, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name.slug));
    else
        ScanKeyInit(&key, tenants_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(name.id));

    row_lookup row{"tenants", name.is_slug ? "tenants_slug_key" : "tenants_pkey", snapshot, 1, &key};
    if (row.found()) {
        bool is_null;
        is_active = row.text_is(tenants_status, "active");
        result.tenant_id = row.uuid_of(tenants_id);
        organization = row.uuid_of(tenants_organization_id);
        row.copy_text(tenants_external_key, result.external_key, sizeof result.external_key);
        Datum number = row.column(tenants_external_key_bigint, is_null);
        result.has_external_key_bigint = !is_null;
        if (!is_null) result.external_key_bigint = DatumGetInt64(number);
    }
    row.close();
}

bool organization_is_active(const uuid& organization, Snapshot snapshot) {
    ScanKeyData key;
    ScanKeyInit(&key, organizations_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(organization));
    row_lookup row{"organizations", "organizations_pkey", snapshot, 1, &key};
    bool is_active = row.found() && row.text_is(organizations_status, "active");
    row.close();
    return is_active;
}

bool read_membership(const uuid& tenant, const uuid& user, Snapshot snapshot, standing& result) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], memberships_tenant_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(tenant));
    ScanKeyInit(&keys[1], memberships_user_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(user));
    row_lookup row{"memberships", "memberships_pkey", snapshot, 2, keys};
    if (row.found()) row.copy_text(memberships_role, result.role, sizeof result.role);
    bool is_member = row.found();
    row.close();
    return is_member;
}

bool user_is_active(const uuid& user, Snapshot snapshot) {
    ScanKeyData key;
    ScanKeyInit(&key, users_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(user));
    row_lookup row{"users", "users_pkey", snapshot, 1, &key};
    bool is_active = row.found() && row.text_is(users_status, "active");
    row.close();
    return is_active;
}

bool read_api_key(const uuid& tenant, const uuid& id, Snapshot snapshot, standing& result) {
    ScanKeyData key;
    ScanKeyInit(&key, api_keys_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(id));
    row_lookup row{"api_keys", "api_keys_pkey", snapshot, 1, &key};
    bool is_of_tenant = row.found() && row.uuid_of(api_keys_tenant_id) == tenant;
    if (is_of_tenant) {
        row.copy_text(api_keys_role, result.role, sizeof result.role);
        // A key that is being replaced is revoked at a time to come, and works until then.
        result.good_until = std::min(row.time_or_never(api_keys_expires_at), row.time_or_never(api_keys_revoked_at));
    }
    row.close();
    return is_of_tenant && result.good_until > GetCurrentTimestamp();
}

/// Permissions of a role of the tenant's own, else of the built-in one of that name, which belongs to no tenant.
void read_permissions(Snapshot snapshot, standing& result) {
    if (result.role[0] == '\0') {
        strlcpy(result.permissions, application_permissions, sizeof result.permissions);
        return;
    }
    for (const uuid& tenant : {result.tenant_id, uuid{}}) {
        ScanKeyData keys[2];
        ScanKeyInit(&keys[0], roles_tenant_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(tenant));
        ScanKeyInit(&keys[1], roles_name, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(result.role));
        row_lookup row{"roles", "roles_pkey", snapshot, 2, keys};
        bool found = row.found();
        if (found) row.copy_text(roles_permissions, result.permissions, sizeof result.permissions);
        row.close();
        if (found) return;
    }
}

} // namespace

standing look_up(const tenant_name& tenant, const optional_uuid& user, const optional_uuid& api_key,
                 const char* role) {
    standing result{};
    uuid organization{};
    bool tenant_is_active = false;
    result.good_until = DT_NOEND;
    strlcpy(result.role, role, sizeof result.role);

    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    read_tenant(tenant, snapshot, result, organization, tenant_is_active);
    bool organization_active = organization_is_active(organization, snapshot);
    bool user_stands = !user.is_set || (user_is_active(user.value, snapshot) &
                                        read_membership(result.tenant_id, user.value, snapshot, result));
    bool key_stands = !api_key.is_set || read_api_key(result.tenant_id, api_key.value, snapshot, result);
    read_permissions(snapshot, result);
    UnregisterSnapshot(snapshot);

    result.may_enter = tenant_is_active && organization_active && user_stands && key_stands;
    return result;
}

Oid signal_relation() { return own_relation("context_signal"); }

} // namespace tenancy::context
