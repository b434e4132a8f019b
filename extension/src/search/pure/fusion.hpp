#pragma once

#include "search/pure/ranked.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace tenancy::search {

/// How two rankings become one.
enum class fusion {
    automatic, ///< standard scores: the lane that tells its best from the rest more clearly weighs more
    rrf,       ///< reciprocal rank fusion: ranks only, both lanes alike
    convex,    ///< min-max normalised scores, weighed
};

/// @param name   auto, rrf or convex
/// @param parsed written only when the answer is true
bool parse_fusion(std::string_view name, fusion& parsed) noexcept;

/// A chunk that either lane found, with the exact scores of both.
struct fused {
    uuid key;
    bool has_vector; ///< false for a chunk that has no embedding
    double vector;   ///< similarity
    double text;     ///< BM25, 0 where no word of the query stands
    double combined; ///< written by fuse()
};

struct fusion_settings {
    fusion how = fusion::automatic;
    double text_weight = 0.3; ///< of convex: 0 is embeddings alone, 1 words alone
    std::int32_t rrf_k = 60;
};

/// How deep both lanes are read for the best `count` fused.
///
/// A chunk below this place in both lanes is not looked at; every chunk above it in either is scored exactly in both.
std::int64_t lane_depth(std::int64_t count) noexcept;

/// Combine the scores of the candidates, and sort them: best first, ties by chunk id.
///
/// @param candidates the best `depth` of both lanes, each chunk once, in an order that depends on nothing but them
///
/// automatic: the sum of both lanes' scores in standard deviations from the mean of the candidates, what is below the mean
/// counted at a quarter. No weight is asked for: a lane whose scores tell nothing apart spreads them evenly, and one that
/// knows lifts a few chunks far above the mean, so the better lane leads. Embeddings count as far as they tell the best of what the
/// words found from the rest of it better than chance would: those of a weak model, or of another one, do not drag.
///
/// rrf: the sum of 1 / (rrf_k + rank) over the lanes that have the chunk among their best `depth` (G. Cormack, C. Clarke, S. Büttcher,
/// "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009).
///
/// convex: text_weight * text + (1 - text_weight) * vector, each scaled to 0..1 over the candidates, text from 0
/// (S. Bruch, S. Gai, A. Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 42 (2023)).
void fuse(std::vector<fused>& candidates, std::int64_t depth, const fusion_settings& settings);

} // namespace tenancy::search
