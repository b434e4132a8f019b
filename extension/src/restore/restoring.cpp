#include "restore/restoring.hpp"

#include "context/caller.hpp"
#include "pg/guard.hpp"

namespace tenancy::restore {

bool is_restoring() noexcept {
    return !check_function_bodies && !InLocalUserIdChange() && !InSecurityRestrictedOperation() && superuser();
}

bool caller_is_restoring() noexcept {
    // A trigger function of a migration is no entry function: there the caller is its owner, and only the session's own role says
    // who writes. Neither of the two is enough.
    return !check_function_bodies && !InSecurityRestrictedOperation() && superuser_arg(context::caller()) &&
           superuser_arg(GetOuterUserId());
}

} // namespace tenancy::restore

TENANCY_FUNCTION(tenancy_is_restoring) { PG_RETURN_BOOL(tenancy::restore::is_restoring()); }

TENANCY_FUNCTION(tenancy_caller_is_restoring) { PG_RETURN_BOOL(tenancy::restore::caller_is_restoring()); }
