#pragma once

#include "search/corpus.hpp"
#include "vectors/blocks.hpp"

/// Large tenants, of which a search reads a part, at the price of a recall below 1.
namespace tenancy::vectors {

/// Bytes of codes above which a tenant gets clusters, or sketches where its vectors have none
/// (`tenancy.approximate_above`); they are used while it has more than half of it. Negative for never.
std::int64_t approximate_above() noexcept;

/// Define the setting; called once from _PG_init.
void define_settings();

/// Where a block lies, as sketches and directories say it: block, offset, and of which file, as VACUUM FULL and CLUSTER put
/// what is there into another one, elsewhere.
inline std::uint64_t source_of(const ItemPointerData& place, Relation heap) noexcept {
    return static_cast<std::uint64_t>(heap->rd_rel->relfilenode & 0xffff) << 48 |
           static_cast<std::uint64_t>(ItemPointerGetBlockNumberNoCheck(&place)) << 16 |
           ItemPointerGetOffsetNumberNoCheck(&place);
}

inline bool is_of_file(std::uint64_t source, Relation heap) noexcept {
    return source >> 48 == (heap->rd_rel->relfilenode & 0xffff);
}

inline ItemPointerData place_of(std::uint64_t source) noexcept {
    ItemPointerData place;
    ItemPointerSet(&place, static_cast<BlockNumber>(source >> 16), static_cast<OffsetNumber>(source & 0xffff));
    return place;
}

} // namespace tenancy::vectors
