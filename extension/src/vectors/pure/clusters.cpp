#include "pure/pure.hpp"

#include "vectors/pure/clusters.hpp"
#include "vectors/pure/rounding.hpp"
#include "pure/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace tenancy::vectors {

namespace {

constexpr int rounds = 8;
constexpr float infinite = std::numeric_limits<float>::infinity();

/// What a centre's products with codes say: greater is nearer.
struct nearness {
    float score = -infinite;
    std::uint32_t number = 0;
};

} // namespace

uuid pack_cluster(const cluster& of) noexcept {
    uuid id;
    store<std::uint32_t>(id.bytes, of.number);
    store<float>(id.bytes + 4, of.radius);
    store<std::uint64_t>(id.bytes + 8, of.members);
    return id;
}

cluster unpack_cluster(const uuid& id) noexcept {
    return {load<std::uint32_t>(id.bytes), load<float>(id.bytes + 4), load<std::uint64_t>(id.bytes + 8)};
}

std::size_t clusters::usual_count(std::uint64_t vectors) noexcept {
    return std::max<std::size_t>(1, static_cast<std::size_t>(std::sqrt(static_cast<double>(vectors))));
}

clusters::clusters(metric by, std::size_t dims, const std::vector<block_view>& sample, std::size_t count,
                   const std::function<void()>& between)
    : m_metric{by}, m_dims{dims} {
    // Where each vector of the sample lies.
    std::vector<std::pair<const block_view*, std::size_t>> places;
    for (const block_view& block : sample) {
        if (block.by() != by || block.dimensions() != dims)
            throw error(sqlstate::data_corrupted, "block of vectors is of another corpus",
                        "It has " + std::to_string(block.dimensions()) + " dimensions, or another metric, where " +
                            std::to_string(dims) + " are expected.");
        for (std::size_t i = 0; i < block.count(); ++i)
            places.push_back({&block, i});
    }
    if (places.empty()) return;
    count = std::clamp<std::size_t>(count, 1, places.size());

    const rotation turn{dims};
    auto add_to = [&](double* sum, std::size_t place) {
        const auto& [block, row] = places[place];
        const std::uint8_t* codes = block->codes(row);
        double scale = block->facts().scales[row];
        for (std::size_t i = 0; i < dims; ++i)
            sum[i] += scale * (static_cast<int>(codes[i]) - code_zero);
    };
    auto set_centre = [&](std::size_t number, const double* sum, double members) {
        float* centre = m_centres.data() + number * dims;
        for (std::size_t i = 0; i < dims; ++i)
            centre[i] = static_cast<float>(sum[i] / members);
        turn.undo(centre);
    };

    m_centres.resize(count * dims);
    std::vector<double> sums(count * dims);
    // Evenly spread over the sample; vectors that came together are often alike.
    for (std::size_t i = 0; i < count; ++i) {
        std::fill_n(sums.data(), dims, 0.0);
        add_to(sums.data(), i * places.size() / count);
        set_centre(i, sums.data(), 1);
    }
    for (int round = 0; round < rounds; ++round) {
        prepare();
        std::vector<std::vector<std::size_t>> members(count);
        std::size_t at = 0;
        for (const block_view& block : sample) {
            for (const membership& each : assign(block))
                members[each.number].push_back(at++);
            if (between) between();
        }
        // The greatest first; what they have too much of goes to those that have next to nothing.
        std::vector<std::size_t> order(count);
        for (std::size_t i = 0; i < count; ++i)
            order[i] = i;
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return members[a].size() > members[b].size(); });
        std::size_t mean = places.size() / count, poor = count;
        for (std::size_t rich = 0; rich < count && round + 1 < rounds; ++rich) {
            std::vector<std::size_t>& from = members[order[rich]];
            if (from.size() <= 2 * mean + 1 || poor == 0 || members[order[poor - 1]].size() > mean / 8) break;
            std::vector<std::size_t>& to = members[order[--poor]];
            to.assign(from.begin() + static_cast<std::ptrdiff_t>(from.size() / 2), from.end());
            from.resize(from.size() / 2);
        }
        std::fill(sums.begin(), sums.end(), 0.0);
        for (std::size_t number = 0; number < count; ++number) {
            double* sum = sums.data() + number * dims;
            for (std::size_t place : members[number])
                add_to(sum, place);
            if (!members[number].empty()) set_centre(number, sum, static_cast<double>(members[number].size()));
        }
        if (between) between();
    }
    prepare();
}

void clusters::prepare() {
    m_queries.clear();
    m_squares.clear();
    for (std::size_t begin = 0; begin < m_centres.size(); begin += m_dims) {
        // By inner product, which serves all metrics; on the sphere only the direction counts.
        m_queries.emplace_back(m_metric == metric::cosine ? metric::cosine : metric::inner_product,
                               m_centres.data() + begin, m_dims);
        double squares = 0;
        for (std::size_t i = 0; i < m_dims; ++i)
            squares += static_cast<double>(m_centres[begin + i]) * m_centres[begin + i];
        m_squares.push_back(m_metric == metric::cosine ? 1 : squares);
    }
}

std::vector<clusters::membership> clusters::assign(const block_view& block) const {
    const std::size_t count = block.count();
    std::vector<nearness> best(count);
    std::vector<std::int32_t> products(count);
    for (std::size_t number = 0; number < m_queries.size(); ++number) {
        const query& centre = m_queries[number];
        multiply(centre.uses(), centre.coarse_planes(), block.codes(), count, block.readable(), products.data());
        float step = centre.coarse_step(), half = static_cast<float>(m_squares[number] / 2);
        for (std::size_t i = 0; i < count; ++i) {
            float score = static_cast<float>(products[i]) * (block.facts().scales[i] * step) - half;
            if (score > best[i].score) best[i] = {score, static_cast<std::uint32_t>(number)};
        }
    }
    std::vector<membership> found(count);
    for (std::size_t i = 0; i < count; ++i) {
        found[i].number = best[i].number;
        const query& centre = m_queries[best[i].number];
        code_facts facts = block.facts().at(i);
        // |x - c| <= |x' - c| + residual, x' being what the code stands for.
        double squares = 0;
        for (std::size_t j = 0; j < m_dims; ++j) {
            double x = static_cast<double>(facts.scale) * (static_cast<int>(block.codes(i)[j]) - code_zero);
            double off = x - static_cast<double>(centre.direction()[j]) * centre.norm();
            squares += off * off;
        }
        double lost = rotation::relative_error * centre.norm();
        bool is_known = centre.is_bounded() && !(m_metric == metric::cosine && facts.scale == 0);
        found[i].distance = is_known ? round_up(std::sqrt(squares) * (1 + 0x1p-30) + facts.residual + lost) : infinite;
    }
    return found;
}

float bound_of_members(const query& asked, float upper_of_centre, float radius, float centre_norm) noexcept {
    switch (asked.by()) {
    case metric::cosine:
        return std::min(1.0f, round_up(static_cast<double>(upper_of_centre) + radius));
    case metric::inner_product: {
        if (asked.is_zero()) return 0;
        // What pgvector rounds off grows with the members' norms, which are at most the centre's and the radius.
        double reach = asked.norm() * static_cast<double>(radius), norms = asked.norm() * centre_norm + reach;
        return round_up(upper_of_centre + reach + 0x1p-11 * norms);
    }
    case metric::l2:
        break;
    }
    return std::min(0.0f, round_up(static_cast<double>(upper_of_centre) + radius));
}

double probe_table::expected_recall(std::uint32_t probes) const noexcept {
    if (m_ranks.empty()) return 0;
    double n = static_cast<double>(m_ranks.size()), within = 0;
    for (std::uint32_t rank : m_ranks)
        within += rank < probes;
    double share = within / n, z = 2, middle = share + z * z / (2 * n);
    double off = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    return std::max(0.0, (middle - off) / (1 + z * z / n));
}

std::uint32_t probe_table::probes_for(double recall, std::uint32_t all) const {
    std::uint32_t low = 1, high = all;
    if (expected_recall(all) < recall) return all;
    while (low < high) {
        std::uint32_t middle = low + (high - low) / 2;
        if (expected_recall(middle) >= recall)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

} // namespace tenancy::vectors
