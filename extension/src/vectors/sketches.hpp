#pragma once

#include "search/corpus.hpp"
#include "vectors/blocks.hpp"
#include "vectors/pure/sketch.hpp"

/// Sketches of large tenants: a quarter of the bytes to read first, at the price of a recall below 1.
namespace tenancy::vectors {

/// Bytes of codes above which a tenant gets sketches (`tenancy.sketch_above`); they are used while it has more than half
/// of it. Negative for never.
std::int64_t sketch_above() noexcept;

/// Define the setting; called once from _PG_init.
void define_settings();

/// Where a block lies, as a sketch says it.
inline std::uint64_t source_of(const ItemPointerData& place) noexcept {
    return static_cast<std::uint64_t>(ItemPointerGetBlockNumberNoCheck(&place)) << 16 |
           ItemPointerGetOffsetNumberNoCheck(&place);
}

inline ItemPointerData place_of(std::uint64_t source) noexcept {
    ItemPointerData place;
    ItemPointerSet(&place, static_cast<BlockNumber>(source >> 16), static_cast<OffsetNumber>(source & 0xffff));
    return place;
}

} // namespace tenancy::vectors
