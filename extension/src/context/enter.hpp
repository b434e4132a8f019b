#pragma once

#include "context/catalogue.hpp"
#include "context/errors.hpp"

namespace tenancy::context {

/// Who enters, as far as it is known before the catalogue is read.
struct entrant {
    tenant_name tenant;
    optional_uuid user;
    optional_uuid api_key;
    const char* scopes; ///< names of permissions separated by spaces; empty takes nothing away
};

/// Make a tenant, and a user or key in it where one is given, the context of the transaction or session.
///
/// Raises TN002 for whatever may not be entered, TN003 when the transaction belongs to somebody else already, and
/// 25P01 for a local context outside a transaction block.
///
/// @param refuse raises what the caller has to say instead of TN002, such as that a credential is not valid
/// @returns the tenant's id
uuid enter(const entrant& who, bool is_local, void (*refuse)() = raise_not_available);

/// End the context, local and session-wide. The transaction stays sealed to whom it belonged.
void leave();

/// Refuse cursors that would carry one tenant's rows into another's transaction; called once from _PG_init.
void watch_holdable_cursors();

} // namespace tenancy::context
