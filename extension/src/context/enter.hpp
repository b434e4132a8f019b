#pragma once

#include "context/catalogue.hpp"

namespace tenancy::context {

/// Make a tenant, and a user in it where one is given, the context of the transaction or session.
///
/// Raises TN002 for whatever may not be entered, TN003 when the transaction belongs to somebody else already, and
/// 25P01 for a local context outside a transaction block.
///
/// @returns the tenant's id
uuid enter(const tenant_name& tenant, const optional_uuid& user, bool is_local);

/// End the context, local and session-wide. The transaction stays sealed to whom it belonged.
void leave();

/// Refuse cursors that would carry one tenant's rows into another's transaction; called once from _PG_init.
void watch_holdable_cursors();

} // namespace tenancy::context
