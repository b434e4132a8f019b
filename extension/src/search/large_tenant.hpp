#pragma once

#include "store/tenant_key.hpp"
#include "vectors/blocks.hpp"
#include "vectors/pure/collector.hpp"
#include "vectors/pure/query.hpp"

namespace tenancy::search {

/// How the full pages of a large tenant were looked at without reading all of them.
struct partial_look {
    const char* tier = nullptr;
    std::int64_t blocks = 0;   ///< rows of the store that were read
    std::int64_t codes = 0;    ///< in the pages that were looked at or ruled out
    bool has_left_out = false; ///< what may yet belong to the answer
    double expected_recall = 1;
};

/// Offer to found those vectors of the tenant's full pages that may be among the count nearest, as far as what the store
/// keeps about those pages promises the recall. Everything that was read is freed at the end.
///
/// @returns false, and has offered nothing, when the tenant is too small, and all its full pages are to be read
bool look_at_part(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant,
                  const vectors::query& asked, std::int64_t count, vectors::collector& found, partial_look& look);

} // namespace tenancy::search
