#include "pure/pure.hpp"

#include "search/pure/fusion.hpp"

#include <algorithm>
#include <cmath>

namespace tenancy::search {

namespace {

constexpr std::size_t unranked = 0;

struct scale {
    double low = 0, high = 0;

    double operator()(double value) const noexcept { return high > low ? (value - low) / (high - low) : 0; }
};

scale text_scale(const std::vector<fused>& candidates) {
    scale result;
    for (const auto& candidate : candidates)
        result.high = std::max(result.high, candidate.text);
    return result;
}

scale vector_scale(const std::vector<fused>& candidates) {
    scale result;
    bool is_first = true;
    for (const auto& candidate : candidates) {
        if (!candidate.has_vector) continue;
        result.low = is_first ? candidate.vector : std::min(result.low, candidate.vector);
        result.high = is_first ? candidate.vector : std::max(result.high, candidate.vector);
        is_first = false;
    }
    return result;
}

/// Places from 1 in one lane, `unranked` for candidates that are not among its best `depth`. All of those are candidates,
/// so a place among the candidates is a place among all chunks down to there.
template <typename Ranks, typename Score>
std::vector<std::size_t> places(const std::vector<fused>& candidates, std::int64_t depth, Ranks ranks, Score score) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < candidates.size(); ++i)
        if (ranks(candidates[i])) order.push_back(i);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return ranks_before({candidates[a].key, score(candidates[a])}, {candidates[b].key, score(candidates[b])});
    });
    std::vector<std::size_t> result(candidates.size(), unranked);
    for (std::size_t i = 0; i < order.size() && static_cast<std::int64_t>(i) < depth; ++i)
        result[order[i]] = i + 1;
    return result;
}

void combine_by_rank(std::vector<fused>& candidates, std::int64_t depth, double k) {
    auto by_vector = places(
        candidates, depth, [](const fused& c) { return c.has_vector; }, [](const fused& c) { return c.vector; });
    auto by_text = places(
        candidates, depth, [](const fused& c) { return c.text > 0; }, [](const fused& c) { return c.text; });
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        candidates[i].combined = 0;
        for (std::size_t place : {by_vector[i], by_text[i]})
            if (place != unranked) candidates[i].combined += 1 / (k + static_cast<double>(place));
    }
}

void combine_convex(std::vector<fused>& candidates, double text_weight) {
    scale text = text_scale(candidates), vector = vector_scale(candidates);
    for (auto& candidate : candidates)
        candidate.combined = text_weight * text(candidate.text) +
                             (1 - text_weight) * (candidate.has_vector ? vector(candidate.vector) : 0);
}

/// How far a score stands from the mean, in standard deviations.
class standard_score {
public:
    template <typename Score>
    standard_score(const std::vector<fused>& candidates, Score score) {
        double sum = 0, squares = 0;
        for (const auto& candidate : candidates)
            sum += score(candidate);
        auto count = static_cast<double>(candidates.size());
        m_mean = candidates.empty() ? 0 : sum / count;
        for (const auto& candidate : candidates)
            squares += (score(candidate) - m_mean) * (score(candidate) - m_mean);
        m_deviation = candidates.empty() ? 0 : std::sqrt(squares / count);
    }

    double operator()(double score) const noexcept {
        return m_deviation > 0 ? (score - m_mean) / m_deviation : 0;
    }

private:
    double m_mean, m_deviation;
};

/// From `none` to `all`, as 0 to 1.
double part_of_way(double value, double none, double all) { return std::clamp((value - none) / (all - none), 0.0, 1.0); }

/// What the embeddings count, from 0 to 1: how much better than chance they tell the best of the words' lane from the rest of it.
///
/// Among what the words found, the place of the words' best by embedding: a lane of embeddings that knows anything of the
/// query puts them before most of the others, and one that knows nothing puts half of the others before them. 1 where the
/// words found too little to tell, or tell nothing apart themselves. The bounds are where bench/quality.sh is best.
double weight_of_embeddings(const std::vector<fused>& candidates, double lowest) {
    constexpr std::size_t best = 30, rest = 200;
    constexpr std::size_t top = 10;

    std::vector<std::size_t> worded;
    for (std::size_t i = 0; i < candidates.size(); ++i)
        if (candidates[i].text > 0) worded.push_back(i);
    if (worded.size() < 2 * best) return 1;
    std::sort(worded.begin(), worded.end(), [&](std::size_t a, std::size_t b) {
        return ranks_before({candidates[a].key, candidates[a].text}, {candidates[b].key, candidates[b].text});
    });
    worded.resize(std::min(worded.size(), rest));
    auto vector_of = [&](std::size_t i) { return candidates[i].has_vector ? candidates[i].vector : lowest; };
    double all = 0, of_top = 0;
    for (std::size_t i = 0; i < worded.size(); ++i) {
        all += candidates[worded[i]].text;
        if (i < top) of_top += candidates[worded[i]].text;
    }
    double contrast = 1 - (all / static_cast<double>(worded.size())) / (of_top / static_cast<double>(top));

    double sum = 0;
    for (std::size_t i = 0; i < best; ++i) {
        double own = vector_of(worded[i]), before = 0;
        for (std::size_t other : worded)
            before += vector_of(other) < own ? 1 : vector_of(other) == own ? 0.5 : 0;
        sum += before / static_cast<double>(worded.size());
    }
    double agreement = part_of_way(sum / static_cast<double>(best), 0.5, 0.65);
    return 1 - part_of_way(contrast, 0.25, 0.35) * (1 - agreement);
}

void combine_standardised(std::vector<fused>& candidates) {
    // A chunk that one lane finds poor is still one that the other may find good.
    constexpr double weight_of_poor = 0.25;

    double lowest = vector_scale(candidates).low;
    auto vector_score = [&](const fused& c) { return c.has_vector ? c.vector : lowest; };
    auto text_score = [](const fused& c) { return c.text; };
    standard_score by_vector{candidates, vector_score}, by_text{candidates, text_score};
    auto weighed = [](double score) { return score > 0 ? score : weight_of_poor * score; };
    double vector_weight = weight_of_embeddings(candidates, lowest);
    for (auto& candidate : candidates)
        candidate.combined =
            vector_weight * weighed(by_vector(vector_score(candidate))) + weighed(by_text(text_score(candidate)));
}

} // namespace

bool parse_fusion(std::string_view name, fusion& parsed) noexcept {
    if (name == "auto")
        parsed = fusion::automatic;
    else if (name == "rrf")
        parsed = fusion::rrf;
    else if (name == "convex")
        parsed = fusion::convex;
    else
        return false;
    return true;
}

std::int64_t lane_depth(std::int64_t count) noexcept { return std::max<std::int64_t>(200, 10 * count); }

void fuse(std::vector<fused>& candidates, std::int64_t depth, const fusion_settings& settings) {
    switch (settings.how) {
    case fusion::rrf:
        combine_by_rank(candidates, depth, settings.rrf_k);
        break;
    case fusion::convex:
        combine_convex(candidates, settings.text_weight);
        break;
    case fusion::automatic:
        combine_standardised(candidates);
        break;
    }
    std::sort(candidates.begin(), candidates.end(), [](const fused& a, const fused& b) {
        return ranks_before({a.key, a.combined}, {b.key, b.combined});
    });
}

} // namespace tenancy::search
