#pragma once

#include <cstddef>
#include <string_view>

namespace tenancy::search {

/// What "near" means in a corpus.
enum class metric { cosine, inner_product, l2 };

/// @param name   as the registry of corpora has it
/// @param parsed written only when the answer is true
bool parse_metric(std::string_view name, metric& parsed) noexcept;

/// The pgvector operator that orders by a metric, nearest first.
const char* distance_operator(metric by) noexcept;

/// The distance at which the similarity is 0: what stands in where pgvector has no answer (NaN), as for the cosine of a
/// zero vector.
double distance_of_nothing(metric by) noexcept;

/// Turn the operator's answer into a similarity, higher nearer.
///
/// cosine: 1 - distance, from -1 to 1. inner_product: the product, unbounded (the operator answers it negated).
/// l2: 1 / (1 + distance), from 0 to 1. All of them fall as the distance grows, so the order is the operator's.
double similarity(metric by, double distance) noexcept;

/// What is wrong with an embedding, if anything.
enum class fit { good, wrong_dimensions, not_finite, out_of_half_range };

/// @param is_half whether the corpus stores two bytes a dimension, which hold no number beyond 65504
/// @param position set to the offending element, counted from 0
fit check_embedding(const float* values, std::size_t count, std::size_t expected, bool is_half,
                    std::size_t& position) noexcept;

} // namespace tenancy::search
