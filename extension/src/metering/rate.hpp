#pragma once

#include "pg/prelude.hpp"
#include "pure/uuid.hpp"

/// How often each key is used in a minute, counted in shared memory: no transaction waits for another, and what is rolled
/// back is counted too. Without shared memory (the library is not in shared_preload_libraries) a table counts instead.
namespace tenancy::metering {

/// Count one use of a key in this minute of the clock.
///
/// Raises TN006, saying how many seconds to wait, when it had `per_minute` of them already.
void take_rate(const uuid& key, int per_minute);

/// Ask for shared memory; called once from _PG_init.
void request_rates();

} // namespace tenancy::metering
