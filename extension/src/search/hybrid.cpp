#include "search/hybrid.hpp"

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

std::vector<fused> candidates_of(vector_lane& vectors, keyword_lane& words, const std::vector<uuid>& keys) {
    std::vector<finding> near = vectors.scores_of(keys);
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
        std::vector<fused> candidates = candidates_of(vectors, words, keys_of_both(near, worded));
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
