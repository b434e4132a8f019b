#pragma once

#include "vectors/pure/block.hpp"
#include "vectors/pure/collector.hpp"
#include "vectors/pure/query.hpp"

namespace tenancy::vectors {

/// Compare a query with vectors `begin` to `begin + count` of a block.
///
/// @param approximate, upper room for `count` keys each; see query for what they say
/// @throws error XX001 when the block is not of the query's metric and dimensions, or holds what no builder writes
void compare(const query& asked, const block_view& block, std::size_t begin, std::size_t count, float* approximate,
             float* upper);

/// Offer all vectors of a block that may belong to the answer.
///
/// @param source handed back with each candidate
/// @param ahead  how far behind this block in memory the next one lies, if that is known: see multiply()
/// @throws error as compare() does
void scan(const query& asked, const block_view& block, std::uint64_t source, collector& found, std::ptrdiff_t ahead = 0);

} // namespace tenancy::vectors
