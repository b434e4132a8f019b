#pragma once

#include "pg/prelude.hpp"
#include "pure/uuid.hpp"

/// What sessions and workers share: refusals to be written, and databases with events to be sealed.
namespace tenancy::audit {

/// A refusal as it lies in shared memory.
struct denial {
    Oid database;
    TimestampTz at;
    bool has_tenant;
    uuid tenant;
    char sqlstate[6];
    char actor[NAMEDATALEN + 8];
    char object[192];
};

/// Whether there is shared memory: the library was preloaded, and this process is past its start.
bool has_board() noexcept;

/// Put a refusal into the ring and wake the launcher.
/// @returns false when the ring is full; the loss is counted
bool put(const denial& refused) noexcept;

/// Take up to `most` refusals of a database out of the ring, oldest first.
std::size_t take(Oid database, denial* into, std::size_t most) noexcept;

/// How many refusals were lost since the last call because the ring was full.
std::uint64_t take_lost() noexcept;

/// Whether refusals wait, of any database.
bool has_denials() noexcept;

/// How many refusals were taken out so far: a worker that did its work moved this.
std::uint64_t count_taken() noexcept;

/// Note that a database has events to be sealed.
void mark_unsealed(Oid database) noexcept;

bool has_unsealed() noexcept;

struct errand {
    Oid database;      ///< InvalidOid when there is nothing to do
    bool has_denials;
    bool has_unsealed; ///< and the mark was taken off
};

/// What the launcher should start a worker for.
/// @param sealing_is_due whether databases that only have events to be sealed count too
errand next_errand(bool sealing_is_due) noexcept;

/// The launcher's latch, which put() sets; null when it ends.
void set_launcher(Latch* latch) noexcept;

/// Ask for the memory; called once from _PG_init while the server preloads libraries.
void request_board();

} // namespace tenancy::audit
