#include "pure/pure.hpp"

#include "vectors/pure/rehearsal.hpp"

#include "pure/interrupts.hpp"
#include "vectors/pure/scan.hpp"

#include <algorithm>
#include <cmath>

namespace tenancy::vectors {

namespace {

/// The share of neighbours that is to be found. Wanted is 0.999 of what real questions have, which are not of the sample.
constexpr double wanted = 0.9995;

/// The share of questions like these that are searched in all clusters, for their neighbours stand out so little.
constexpr double set_aside = 0.005;

/// More clusters than the sample needs.
std::uint32_t with_margin(std::uint32_t probes, std::uint32_t clusters) noexcept {
    return std::min(clusters, probes + probes / 2 + std::max<std::uint32_t>(8, clusters / 200));
}

/// Reading more of the pages is hardly faster than reading all, for few neighbours and for many.
constexpr double greatest_part[promise::kinds] = {0.4, 0.5, 0.5};

constexpr std::size_t most_neighbours = promise::counts[promise::kinds - 1];

} // namespace

void rehearsal::add(const block_view& block, std::size_t place) {
    std::vector<float> values(m_dims);
    values_of(block, place, values.data());
    double squares = 0;
    for (float value : values)
        squares += static_cast<double>(value) * value;
    // Sums of twelve numbers from 0 to 1 are near enough to a normal distribution, and the same everywhere.
    std::uint64_t state = 0x9e3779b97f4a7c15u * (m_questions.size() + 1);
    double off = 0.5 * std::sqrt(squares / static_cast<double>(m_dims));
    for (float& value : values) {
        double sum = -6;
        for (int i = 0; i < 12; ++i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            sum += static_cast<double>(state >> 11) * 0x1p-53;
        }
        value += static_cast<float>(off * sum);
    }
    m_questions.push_back({block.id(place), query{m_metric, values.data(), m_dims}, {}});
}

void rehearsal::look_at(const block_view& block, const std::vector<std::uint32_t>& clusters) {
    constexpr std::size_t at_once = 256;
    auto is_better = [](const neighbour& a, const neighbour& b) { return a.key > b.key; };
    float near[at_once], upper[at_once];
    m_vectors += block.count();
    for (std::size_t i = 0; i < block.count(); ++i) {
        if (clusters[i] >= m_sizes.size()) m_sizes.resize(clusters[i] + 1);
        ++m_sizes[clusters[i]];
    }
    for (std::size_t begin = 0; begin < block.count(); begin += at_once) {
        std::size_t count = std::min(at_once, block.count() - begin);
        look_for_interrupts();
        for (question& each : m_questions) {
            compare(each.asked, block, begin, count, near, upper);
            for (std::size_t i = 0; i < count; ++i) {
                if (each.nearest.size() == most_neighbours && !(near[i] > each.nearest.front().key)) continue;
                if (block.id(begin + i) == each.from) continue;
                if (each.nearest.size() == most_neighbours) {
                    std::pop_heap(each.nearest.begin(), each.nearest.end(), is_better);
                    each.nearest.pop_back();
                }
                each.nearest.push_back({near[i], clusters[begin + i]});
                std::push_heap(each.nearest.begin(), each.nearest.end(), is_better);
            }
        }
    }
}

promise rehearsal::learned(const block_view& centres, std::size_t in_page) const {
    promise made;
    made.vectors = m_vectors;
    made.clusters = static_cast<std::uint32_t>(centres.count());
    std::vector<std::uint32_t> ranks[promise::kinds];
    // Of each question: the keys of the centres in order, how many vectors the clusters up to each have, and its neighbours
    // with the ranks of their clusters, best first.
    struct rehearsed {
        std::vector<float> centres;
        std::vector<std::uint64_t> vectors;
        std::vector<neighbour> nearest;
    };
    std::vector<rehearsed> all_questions;
    std::vector<float> near(centres.count());
    std::vector<std::uint32_t> order(centres.count()), rank_of(centres.count());
    for (const question& each : m_questions) {
        look_for_interrupts();
        compare_centres(each.asked, centres, near.data());
        for (std::uint32_t i = 0; i < order.size(); ++i)
            order[i] = i;
        std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return near[a] > near[b]; });
        for (std::uint32_t rank = 0; rank < order.size(); ++rank)
            rank_of[cluster_of(centres.id(order[rank]))] = rank;
        rehearsed one{{}, {}, each.nearest};
        std::sort(one.nearest.begin(), one.nearest.end(),
                  [](const neighbour& a, const neighbour& b) { return a.key > b.key; });
        for (neighbour& of : one.nearest)
            of.cluster = rank_of[of.cluster];
        std::uint64_t vectors = 0;
        for (std::uint32_t place : order) {
            std::uint32_t number = cluster_of(centres.id(place));
            one.centres.push_back(near[place]);
            one.vectors.push_back(vectors += number < m_sizes.size() ? m_sizes[number] : 0);
        }
        for (std::size_t kind = 0; kind < promise::kinds; ++kind)
            for (std::size_t i = 0; i < std::min(one.nearest.size(), promise::counts[kind]); ++i)
                ranks[kind].push_back(one.nearest[i].cluster);
        all_questions.push_back(std::move(one));
    }
    for (std::size_t kind = 0; kind < promise::kinds; ++kind) {
        std::vector<std::uint32_t>& all = ranks[kind];
        made.probes[kind] = made.clusters;
        made.recall[kind] = 1;
        if (all.empty()) continue;
        std::sort(all.begin(), all.end());
        auto enough = static_cast<std::size_t>(std::ceil(wanted * static_cast<double>(all.size())));
        std::uint32_t probes = with_margin(all[enough - 1] + 1, made.clusters);
        if (probes >= made.clusters) continue;
        // Near clusters are often the large ones, and of each some page is read for a part of it.
        double read = 0, all_vectors = static_cast<double>(m_vectors);
        for (const rehearsed& one : all_questions)
            read += static_cast<double>(one.vectors[probes - 1]) / all_vectors / static_cast<double>(all_questions.size());
        double part = 1 - (1 - read) * std::exp(-static_cast<double>(probes) * static_cast<double>(in_page) / all_vectors);
        if (part > greatest_part[kind]) continue;
        made.probes[kind] = probes;
        auto hits = static_cast<std::size_t>(std::lower_bound(all.begin(), all.end(), probes) - all.begin());
        made.recall[kind] = static_cast<float>(share_at_least(hits, all.size()));
        std::vector<float> out;
        for (std::size_t i = 0; i < all_questions.size(); ++i) {
            const rehearsed& one = all_questions[i];
            std::size_t left = promise::counts[kind];
            for (const neighbour& of : one.nearest)
                if (of.cluster < probes && --left == 0) {
                    out.push_back(stands_out(m_questions[i].asked, of.key, one.centres[probes]));
                    break;
                }
        }
        std::sort(out.begin(), out.end());
        if (!out.empty()) made.stands_out[kind] = out[static_cast<std::size_t>(set_aside * static_cast<double>(out.size()))];
    }
    // Few neighbours are what is asked for most.
    if (made.probes[0] == made.clusters) made.clusters = 0;
    return made;
}

double share_at_least(std::size_t hits, std::size_t sample) noexcept {
    if (sample == 0) return 0;
    double n = static_cast<double>(sample), share = static_cast<double>(hits) / n, z = 2, middle = share + z * z / (2 * n);
    double off = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    return std::clamp((middle - off) / (1 + z * z / n), 0.0, 1.0);
}

} // namespace tenancy::vectors
