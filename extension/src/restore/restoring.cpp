#include "restore/restoring.hpp"

#include "context/caller.hpp"
#include "pg/guard.hpp"

namespace tenancy::restore {

namespace {

/// Whether a superuser said so in this session, as what pg_dump and pg_restore write does. The value alone says nothing: the owner
/// of a database gives it to every session there (ALTER DATABASE), and a definer function leaves it behind. In the script of an
/// extension the server sets it.
bool is_set_for_restore() {
    if (check_function_bodies || creating_extension) return false;
    // Settings live where they are as long as the process.
    static const config_generic* setting = nullptr;
    if (!setting) setting = pg::setting_named("check_function_bodies");
    return setting->source == PGC_S_SESSION && superuser_arg(setting->srole);
}

} // namespace

bool is_restoring() {
    return is_set_for_restore() && !InLocalUserIdChange() && !InSecurityRestrictedOperation() && superuser();
}

bool caller_is_restoring() {
    // A trigger function of a migration is no entry function: there the caller is its owner, and only the session's own role says
    // who writes. Neither of the two is enough.
    return is_set_for_restore() && !InSecurityRestrictedOperation() && superuser_arg(context::caller()) &&
           superuser_arg(GetOuterUserId());
}

} // namespace tenancy::restore

TENANCY_FUNCTION(tenancy_is_restoring) { PG_RETURN_BOOL(tenancy::restore::is_restoring()); }

TENANCY_FUNCTION(tenancy_caller_is_restoring) { PG_RETURN_BOOL(tenancy::restore::caller_is_restoring()); }
