#pragma once

#include "pg/prelude.hpp"

/// Whether a corpus has a store of a kind ("vectors", "words"), and whether it may be read.
namespace tenancy::store {

enum class phase {
    absent,   ///< nothing is kept: a restored dump, a corpus attached with rows
    building, ///< triggers keep it, and what was there before is being added
    built,
    stale,    ///< something passed the triggers by; nothing is kept until it is rebuilt
};

/// What tenancy.stores says now, which may be newer than the transaction's snapshot.
struct state {
    phase is = phase::absent;
    std::int32_t number = 0; ///< of the store, first column of its tables
    TransactionId since = InvalidTransactionId;
};

/// Of a corpus by name. Cached until the registry of stores changes. Throws, so not under a guard.
state state_of(const std::string& corpus, const char* kind);

/// Whether triggers must write to it.
inline bool is_kept(const state& of) noexcept { return of.is == phase::building || of.is == phase::built; }

/// Whether a query with this snapshot finds in it all that it sees in the corpus's tables.
bool is_readable(const state& of, Snapshot snapshot);

/// Chunks went with a partition, and of a single one nobody is told which. A keyword store has to be built anew before it is
/// read again, as what went still counts in it; in a vector store their codes are passed over, and check() says so. Throws.
void note_loss(const std::string& corpus, const char* kind);

/// Listen for changes of the registry; called once from _PG_init.
void register_store_invalidation();

} // namespace tenancy::store
