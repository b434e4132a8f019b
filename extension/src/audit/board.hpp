#pragma once

#include "pg/prelude.hpp"

#include "audit/pure/refusals.hpp"

/// What sessions and workers share: refusals to be written, and databases with events to be sealed.
namespace tenancy::audit {

/// Whether there is shared memory: the library was preloaded, and this process is past its start.
bool has_board() noexcept;

/// Note a refusal, and wake the launcher where there is something new to do.
void put(const refusal& one) noexcept;

/// Take up to `most` refusals of a database that are due.
std::size_t take(Oid database, refusals* into, std::size_t most) noexcept;

/// Take up to `most` refusals of a database that cannot be written, due or not.
std::size_t take_unwritten(Oid database, refusals* into, std::size_t most) noexcept;

/// How many refusals since the last call found no room at all.
std::uint64_t take_lost() noexcept;

/// Whether refusals of another database than this one are due.
bool is_due_elsewhere(Oid database) noexcept;

/// Milliseconds until the next refusal is due, or -1 when none waits.
long ms_until_due() noexcept;

/// How many were taken out so far: a worker that did its work moved this.
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
