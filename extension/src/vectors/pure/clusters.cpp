#include "pure/pure.hpp"

#include "vectors/pure/clusters.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tenancy::vectors {

namespace {

/// More do not make searches better, as the first centres lie well.
constexpr int rounds = 2;

/// A quarter of the first centres are taken as they come, the others in so many steps from where those before are far.
constexpr std::size_t steps = 64;

/// Codes of so many vectors stay in the cache while all centres are compared with them.
constexpr std::size_t at_once = 256;

/// The mean of some vectors of a block, in the space of the embeddings.
void set_mean(const block_view& block, const std::vector<std::uint32_t>& places, const rotation& turn, float* centre) {
    const std::size_t dims = block.dimensions();
    std::vector<double> sum(dims);
    for (std::uint32_t place : places) {
        const std::uint8_t* codes = block.codes(place);
        double scale = block.facts().scales[place];
        for (std::size_t i = 0; i < dims; ++i)
            sum[i] += scale * (static_cast<int>(codes[i]) - code_zero);
    }
    for (std::size_t i = 0; i < dims; ++i)
        centre[i] = static_cast<float>(sum[i] / static_cast<double>(places.size()));
    turn.undo(centre);
}

/// The score of a centre that is equal to a vector. What another one has less is half the square of its distance.
double best_score(const block_view& block, std::size_t place) noexcept {
    if (block.by() == metric::cosine) return 1;
    double norm = block.facts().norms[place];
    return norm * norm / 2;
}

/// The greatest first; what they have too much of goes to those that have next to nothing.
void even_out(std::vector<std::vector<std::uint32_t>>& members, std::size_t mean) {
    std::size_t count = members.size(), poor = count;
    std::vector<std::size_t> order(count);
    for (std::size_t i = 0; i < count; ++i)
        order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return members[a].size() > members[b].size(); });
    for (std::size_t rich = 0; rich < poor; ++rich) {
        std::vector<std::uint32_t>& from = members[order[rich]];
        if (from.size() <= 2 * mean + 1 || members[order[poor - 1]].size() > mean / 8) break;
        std::vector<std::uint32_t>& to = members[order[--poor]];
        to.assign(from.begin() + static_cast<std::ptrdiff_t>(from.size() / 2), from.end());
        from.resize(from.size() / 2);
    }
}

} // namespace

std::size_t clusters::usual_count(std::uint64_t vectors) noexcept {
    return std::clamp<std::size_t>(static_cast<std::size_t>(8 * std::sqrt(static_cast<double>(vectors))), 1, most);
}

std::size_t clusters::usual_sample(std::size_t count) noexcept { return std::min(10 * count, most_in_block); }

clusters::clusters(const block_view& sample, std::size_t count, const std::function<void()>& between)
    : m_metric{sample.by()}, m_dims{sample.dimensions()} {
    if (sample.count() == 0) return;
    std::vector<std::vector<std::uint32_t>> members = seeds(sample, std::clamp<std::size_t>(count, 1, sample.count()), between);
    for (int round = 0; round < rounds; ++round) {
        set_means(sample, members);
        std::vector<std::vector<std::uint32_t>> next(members.size());
        std::uint32_t place = 0;
        for (std::uint32_t number : assign(sample, between))
            next[number].push_back(place++);
        if (round + 1 < rounds) even_out(next, sample.count() / next.size());
        auto is_empty = [](const auto& one) { return one.empty(); };
        next.erase(std::remove_if(next.begin(), next.end(), is_empty), next.end());
        members = std::move(next);
    }
    set_means(sample, members);
}

std::vector<std::vector<std::uint32_t>> clusters::seeds(const block_view& sample, std::size_t count,
                                                        const std::function<void()>& between) {
    std::vector<std::vector<std::uint32_t>> all, some;
    // Evenly spread over the sample; vectors that came together are often alike.
    std::size_t first = (count + 3) / 4, in_step = (count - first + steps - 1) / steps;
    for (std::size_t i = 0; i < first; ++i)
        some.push_back({static_cast<std::uint32_t>(i * sample.count() / first)});
    nearest best{sample.count()};
    std::vector<double> weights(sample.count());
    for (std::uint64_t state = 1;;) {
        set_means(sample, some);
        improve(sample, static_cast<std::uint32_t>(all.size()), best, between);
        all.insert(all.end(), some.begin(), some.end());
        some.clear();
        if (all.size() == count) return all;

        double farthest = 0, sum = 0;
        for (std::size_t i = 0; i < weights.size(); ++i) {
            weights[i] = std::max(0.0, best_score(sample, i) - best.scores[i]);
            farthest = std::max(farthest, weights[i]);
        }
        if (!(farthest > 0 && std::isfinite(farthest))) return all;
        for (double& weight : weights) {
            // In many dimensions the members of one group are hardly nearer to each other than to those of the next, and most
            // of them have a centre: the square of the distance would lead to those. Its eighth power does not.
            weight /= farthest;
            for (int i = 0; i < 3; ++i)
                weight *= weight;
            sum += weight;
        }
        // Evenly spread over the weights, so that a group that has no centre gets some and not all of them.
        std::size_t wanted = std::min(in_step, count - all.size());
        state = state * 6364136223846793005u + 1442695040888963407u;
        double step = sum / static_cast<double>(wanted), next = step * (static_cast<double>(state >> 11) * 0x1p-53), passed = 0;
        for (std::size_t i = 0; i < weights.size() && some.size() < wanted; ++i) {
            passed += weights[i];
            if (passed <= next) continue;
            some.push_back({static_cast<std::uint32_t>(i)});
            next = std::max(next + step, passed);
        }
        if (some.empty()) return all;
    }
}

clusters::clusters(metric by, std::size_t dims, std::vector<float> centres)
    : m_metric{by}, m_dims{dims}, m_centres{std::move(centres)} {
    prepare();
}

void clusters::set_means(const block_view& block, const std::vector<std::vector<std::uint32_t>>& members) {
    const rotation turn{m_dims};
    m_centres.resize(members.size() * m_dims);
    for (std::size_t i = 0; i < members.size(); ++i)
        set_mean(block, members[i], turn, m_centres.data() + i * m_dims);
    prepare();
}

void clusters::prepare() {
    m_queries.clear();
    m_halves.clear();
    for (std::size_t begin = 0; begin < m_centres.size(); begin += m_dims) {
        // By inner product, which serves all metrics; on the sphere only the direction counts.
        m_queries.emplace_back(m_metric == metric::cosine ? metric::cosine : metric::inner_product,
                               m_centres.data() + begin, m_dims);
        double squares = 0;
        for (std::size_t i = 0; i < m_dims; ++i)
            squares += static_cast<double>(m_centres[begin + i]) * m_centres[begin + i];
        m_halves.push_back(m_metric == metric::cosine ? 0 : static_cast<float>(squares / 2));
    }
}

std::vector<std::uint32_t> clusters::assign(const block_view& block, const std::function<void()>& between) const {
    nearest best{block.count()};
    improve(block, 0, best, between);
    return std::move(best.numbers);
}

void clusters::improve(const block_view& block, std::uint32_t first, nearest& best,
                       const std::function<void()>& between) const {
    std::int32_t products[at_once];
    float scores[at_once], scales[at_once];
    std::uint32_t numbers[at_once];
    for (std::size_t begin = 0; begin < block.count(); begin += at_once) {
        std::size_t count = std::min(at_once, block.count() - begin);
        for (std::size_t i = 0; i < count; ++i) {
            scales[i] = block.facts().scales[begin + i];
            scores[i] = best.scores[begin + i];
            numbers[i] = best.numbers[begin + i];
        }
        for (std::uint32_t number = 0; number < m_queries.size(); ++number) {
            const query& centre = m_queries[number];
            multiply(centre.uses(), centre.coarse_planes(), block.codes(begin), count, block.readable(begin), products);
            float step = centre.coarse_step(), half = m_halves[number];
            for (std::size_t i = 0; i < count; ++i) {
                float score = static_cast<float>(products[i]) * (scales[i] * step) - half;
                bool is_nearer = score > scores[i];
                scores[i] = is_nearer ? score : scores[i];
                numbers[i] = is_nearer ? first + number : numbers[i];
            }
        }
        std::copy_n(scores, count, best.scores.begin() + static_cast<std::ptrdiff_t>(begin));
        std::copy_n(numbers, count, best.numbers.begin() + static_cast<std::ptrdiff_t>(begin));
        if (between) between();
    }
}

} // namespace tenancy::vectors
