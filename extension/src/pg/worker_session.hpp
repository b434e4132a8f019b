#pragma once

namespace tenancy::pg {

/// Make the session of a background worker that has just connected independent of its database.
///
/// A worker runs as the bootstrap superuser, but ALTER DATABASE and ALTER ROLE ALL apply to it as to any session, and the first
/// is open to the database's owner, who need not be one. Every setting that came in that way gets the server's built-in value
/// again, and those that decide what a statement means are pinned whatever the server's configuration says.
///
/// Runs transactions of its own; call it outside of one.
void pin_worker_session();

} // namespace tenancy::pg
