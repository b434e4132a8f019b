#include "search/hybrid.hpp"

#include <algorithm>

namespace tenancy::search {

namespace {

/// The chunks of both rankings, each once.
std::vector<uuid> keys_of_both(const std::vector<ranked>& a, const std::vector<ranked>& b) {
    std::vector<uuid> keys;
    keys.reserve(a.size() + b.size());
    for (const auto& one : a)
        keys.push_back(one.key);
    for (const auto& one : b)
        keys.push_back(one.key);
    std::sort(keys.begin(), keys.end(), key_less);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
}

/// The similarities of chunks: what the ranking has of them, and the lane's own word on the others.
std::vector<finding> similarities_of(const std::vector<uuid>& keys, const std::vector<ranked>& ranking, vector_lane& vectors) {
    std::vector<ranked> known{ranking};
    std::sort(known.begin(), known.end(), [](const ranked& a, const ranked& b) { return key_less(a.key, b.key); });
    std::vector<finding> findings(keys.size());
    std::vector<uuid> unknown;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        auto at = std::lower_bound(known.begin(), known.end(), keys[i],
                                   [](const ranked& a, const uuid& b) { return key_less(a.key, b); });
        if (at != known.end() && at->key == keys[i]) {
            findings[i] = {finding::kind::scored, at->score};
        } else {
            unknown.push_back(keys[i]);
            places.push_back(i);
        }
    }
    if (unknown.empty()) return findings;
    std::vector<finding> asked = vectors.scores_of(unknown);
    for (std::size_t i = 0; i < unknown.size(); ++i)
        findings[places[i]] = asked[i];
    return findings;
}

std::vector<fused> candidates_of(vector_lane& vectors, const std::vector<ranked>& ranking, keyword_lane& words,
                                 const std::vector<uuid>& keys) {
    std::vector<finding> near = similarities_of(keys, ranking, vectors);
    std::vector<finding> worded = words.scores_of(keys);
    std::vector<fused> candidates;
    candidates.reserve(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (worded[i].what == finding::kind::excluded) continue;
        candidates.push_back({keys[i], near[i].what == finding::kind::scored, near[i].score, worded[i].score, 0});
    }
    return candidates;
}

} // namespace

std::vector<fused> search_both(vector_lane& vectors, keyword_lane& words, std::int64_t count,
                               const fusion_settings& settings) {
    std::int64_t depth = lane_depth(count);
    std::vector<ranked> worded = words.best(depth);
    for (;;) {
        std::vector<ranked> near = vectors.best(depth);
        std::vector<fused> candidates = candidates_of(vectors, near, words, keys_of_both(near, worded));
        // Chunks with a forbidden word may have taken all the places: look deeper, as long as there is more.
        bool is_all = static_cast<std::int64_t>(near.size()) < depth;
        if (static_cast<std::int64_t>(candidates.size()) >= count || is_all) {
            fuse(candidates, depth, settings);
            if (static_cast<std::int64_t>(candidates.size()) > count) candidates.resize(static_cast<std::size_t>(count));
            return candidates;
        }
        depth *= 4;
    }
}

} // namespace tenancy::search
