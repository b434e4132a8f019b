#pragma once

#include "pg/prelude.hpp"

namespace tenancy::restore {

/// Whether the statement that runs is one of a dump that a superuser restores, and no function of ours stands in between.
///
/// pg_dump and pg_restore turn check_function_bodies off in every session that they load with, whatever the format and the
/// options. It counts where a superuser said so in the session itself, and not where it comes from a database, a role or a
/// connection; for superusers only, who can turn every trigger off anyway; and never inside of a SECURITY DEFINER function,
/// which is how everybody else reaches the catalogue.
bool is_restoring();

/// The same for a trigger function that is SECURITY DEFINER itself: asks who called it.
bool caller_is_restoring();

} // namespace tenancy::restore
