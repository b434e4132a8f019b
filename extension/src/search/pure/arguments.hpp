#pragma once

#include "search/pure/fusion.hpp"
#include "search/pure/metric.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tenancy::search {

// What the search functions refuse. Each throws tenancy::error with the value that was given and the one that was expected.

void check_match_count(std::int32_t count);
/// Of a text that is searched for; longer than any that somebody types or a model writes for a search.
inline constexpr std::size_t longest_query_text = 32768;
void check_query_text(std::size_t bytes);

/// Of a filter on metadata.
inline constexpr std::size_t longest_filter = 65536;
void check_filter(std::size_t bytes);

void check_threshold(double threshold);
void check_text_weight(double weight);
void check_rrf_k(std::int32_t k);
fusion check_fusion(std::string_view name);
void check_embedding_fits(const float* values, std::size_t count, std::size_t expected, bool is_half,
                          const std::string& corpus);

} // namespace tenancy::search
