#pragma once

#include "search/keyword_lane.hpp"
#include "search/pure/fusion.hpp"
#include "search/vector_lane.hpp"

namespace tenancy::search {

/// The best `count` chunks of both lanes together, with the exact scores of both; fewer only when there are no more.
std::vector<fused> search_both(vector_lane& vectors, keyword_lane& words, std::int64_t count,
                               const fusion_settings& settings);

} // namespace tenancy::search
