#pragma once

#include "pg/prelude.hpp"
#include "pure/uuid.hpp"

/// Refusals on their way into the audit log.
///
/// The transaction that is refused rolls back, so it cannot write the event itself. With the library in
/// shared_preload_libraries the refusal is put into a ring in shared memory, and a background worker writes it to the log
/// in a transaction of its own. Without, and on a standby, it goes to the server's log.
namespace tenancy::audit {

/// Note a refusal that is about to be raised. Never raises, and touches neither tables nor locks of the transaction.
///
/// @param sqlstate five characters
/// @param tenant   whose audit log it belongs in where there is such a tenant, else the installation's; may be null
/// @param object   what was asked for; cut after 191 bytes
void note_denial(const char* sqlstate, const uuid* tenant, const char* object);

/// Note that this transaction adds events to the log, so that they are sealed soon after its commit.
void note_events();

/// Ask for shared memory and start the launcher; called once from _PG_init.
void register_workers();

} // namespace tenancy::audit
