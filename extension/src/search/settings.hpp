#pragma once

#include "search/pure/bm25.hpp"

namespace tenancy::search {

/// How keyword search ranks: tenancy.bm25_k1 and tenancy.bm25_b.
bm25_parameters ranking_parameters() noexcept;

/// Whether searches may read the stores: tenancy.use_stores.
bool uses_stores() noexcept;

/// Called once from _PG_init.
void define_settings();

} // namespace tenancy::search
