#pragma once

/// Rows of documents tables that change under session_replication_role = replica, as in a subscription's workers.
///
/// Those fire no triggers for statements, and a count that is written for each row grows ever slower within one transaction.
/// So changes are added up in memory, rolled back with their savepoints, and written when the statement ends where there
/// is one, else before the commit.
namespace tenancy::metering {

/// Called once from _PG_init.
void watch_applied();

} // namespace tenancy::metering
