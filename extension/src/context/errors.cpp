#include "context/errors.hpp"

#include "audit/denials.hpp"
#include "context/settings.hpp"

namespace tenancy::context {

namespace {

/// Refusals inside a tenant belong into its audit log.
void note_denial_here(const char* object) {
    const optional_uuid& tenant = current_settings().who.tenant;
    audit::note_denial(sqlstate::role_permission_denied, tenant.is_set ? &tenant.value : nullptr, object);
}

} // namespace

void raise_no_tenant() {
    ereport(ERROR,
            (errcode(errcode_of(sqlstate::no_tenant)), errmsg("no tenant is set"),
             errdetail("Protected tables are read and written in the context of one tenant."),
             errhint("Begin a transaction and call tenancy.set_tenant() with the tenant's id or slug.")));
    pg_unreachable();
}

// One text for unknown, suspended, deleted and not-a-member, so that nobody can tell which tenants exist.
void raise_not_available() {
    ereport(ERROR, (errcode(errcode_of(sqlstate::tenant_not_available)), errmsg("tenant is not available"),
                    errhint("Check the tenant's id or slug, that it is active, and that the user is a member.")));
    pg_unreachable();
}

void raise_sealed() {
    ereport(ERROR, (errcode(errcode_of(sqlstate::context_sealed)), errmsg("context is sealed"),
                    errdetail("This transaction belongs to another tenant or user already."),
                    errhint("End the transaction and enter in a new one; call tenancy.leave() first where the context "
                            "was set for the session.")));
    pg_unreachable();
}

void raise_may_not_write(const char* role) {
    note_denial_here("data.write");
    ereport(ERROR, (errcode(errcode_of(sqlstate::role_permission_denied)), errmsg("permission denied by role"),
                    errdetail("Role \"%s\" may not write in this tenant.", role),
                    errhint("Act as a member with a role that may write, such as \"editor\".")));
    pg_unreachable();
}

void raise_lacks_permission(const char* role, std::string_view permission) {
    note_denial_here(pnstrdup(permission.data(), permission.size()));
    ereport(ERROR, (errcode(errcode_of(sqlstate::role_permission_denied)), errmsg("permission denied by role"),
                    role[0] == '\0'
                        ? errdetail("No user or key is in context; permission \"%.*s\" is needed.",
                                    static_cast<int>(permission.size()), permission.data())
                        : errdetail("Role \"%s\" does not hold permission \"%.*s\" here.", role,
                                    static_cast<int>(permission.size()), permission.data()),
                    errhint("Act as a member whose role holds the permission.")));
    pg_unreachable();
}

} // namespace tenancy::context
