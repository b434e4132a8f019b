#pragma once

#include "words/tables.hpp"

namespace tenancy::words {

/// So many chunks of one tenant in one statement make a segment at once; so many in the log are sealed into one.
inline constexpr std::size_t least_sealed = 64;

/// Seal a tenant's log when it has grown, merge segments of like sizes when there are too many of them, and merge all of
/// them when many chunks went.
///
/// Does nothing where another transaction does it. Leaves what a transaction that keeps one snapshot does not see.
///
/// @param made_segments whether this statement made segments; otherwise only a log that has grown is looked at
void seal(tenant_words& of, bool made_segments);

/// Merge segments of a tenant that a build made: those of like sizes when there are too many of them, and all but the
/// large ones when the tenant is built.
void merge_built(tenant_words& of, bool is_complete);

} // namespace tenancy::words
