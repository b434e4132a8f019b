#pragma once

#include "pg/prelude.hpp"

/// Counting what policies would have hidden, while a migration is on trial: for each relation, without a lock
/// and in read-only transactions too.
namespace tenancy::migrate {

/// What became of a row, had the policies held.
enum class judgement : int {
    passed,         ///< it is the current tenant's
    without_tenant, ///< read with no tenant set: an error
    other_tenant,   ///< read in another tenant's context: not seen
    written_without_tenant,
    written_to_other,
    not_permitted, ///< written by a role that may not write
    count
};

constexpr int judgements = static_cast<int>(judgement::count);

struct tally {
    Oid relation;
    std::uint64_t counts[judgements];
    TimestampTz last_hidden; ///< 0 when nothing was
};

void count(Oid relation, judgement what) noexcept;

/// Fill `into` with the tallies of this database, and say how many there are.
std::size_t read_tallies(tally* into, std::size_t most) noexcept;

/// Begin again at zero.
void clear_tally(Oid relation) noexcept;

/// Whether all sessions count into the same place: the library is preloaded, or the server has named
/// segments.
bool is_shared() noexcept;

constexpr std::size_t most_tallies = 4096;

/// Ask for the memory; called once from _PG_init.
void request_tallies();

} // namespace tenancy::migrate
