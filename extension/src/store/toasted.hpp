#pragma once

#include "pg/prelude.hpp"

/// Values that lie outside of their rows.
namespace tenancy::store {

/// Whether read_toasted() reads this value: one that was moved out of its row, as it is.
bool is_toasted(Datum value) noexcept;

/// Read values of which is_toasted() is true, into the current memory context. What detoasting sets up for each value is set up once.
///
/// Calls PostgreSQL, so it runs under a guard of the caller, and under a snapshot that sees the rows of the values.
void read_toasted(Datum* values, std::size_t count);

} // namespace tenancy::store
