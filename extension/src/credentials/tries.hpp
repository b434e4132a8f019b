#pragma once

#include "pg/prelude.hpp"

/// Limits wrong tries of API keys, without ever keeping out whoever has the right one.
///
/// All sessions count the wrong tries of a minute by the short id that was tried, known or not. A key is checked whatever
/// the count says, so that nobody can lock its owner out; but from the eleventh wrong try on the answer is TN006, and
/// the session waits before it gives it, longer with every further try up to tenancy.wrong_try_delay. At most a tenth of
/// all connections wait so at a time: wrong tries cannot use the connections up either.
namespace tenancy::credentials {

/// Count a wrong try and raise TN007, or TN006 when there were too many.
///
/// @param short_id as it was tried; empty for what was no key at all
[[noreturn]] void refuse_wrong_try(std::string_view short_id);

/// Set shared memory aside, where the library is loaded with the server; called once from _PG_init.
void request_shared_tries();

} // namespace tenancy::credentials
