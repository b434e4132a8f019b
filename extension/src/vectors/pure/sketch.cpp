#include "pure/pure.hpp"

#include "vectors/pure/checksum.hpp"
#include "vectors/pure/rounding.hpp"
#include "vectors/pure/scan.hpp"
#include "vectors/pure/sketch.hpp"
#include "pure/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>

namespace tenancy::vectors {

namespace {

constexpr std::uint8_t magic[4] = {'T', 'V', 'K', sketch_format::version};
constexpr std::size_t origin_bytes = 12, at_once = 256, in_group = 16;
constexpr float infinite = std::numeric_limits<float>::infinity();

/// With fewer dimensions errors are no noise.
constexpr std::size_t least_noisy = 32;

[[noreturn]] void refuse(const std::string& detail) {
    throw error(sqlstate::data_corrupted, "sketch of vectors is damaged", detail,
                "Run tenancy.rebuild_corpus() to make the sketches of the corpus again from its rows.");
}

std::size_t facts_per_vector(metric by) noexcept { return by == metric::l2 ? 3 : 2; }

} // namespace

std::size_t sketch_size(metric by, std::size_t dims, std::size_t count, std::size_t sources) noexcept {
    return sketch_format::header + count * ((dims + 3) / 4 + facts_per_vector(by) * sizeof(float)) +
           sources * origin_bytes;
}

std::size_t sketch_builder::size(std::size_t more) const noexcept {
    return sketch_size(m_metric, m_dims, count() + more, m_origins.size() + (more > 0));
}

void sketch_builder::add(const block_view& block, std::uint64_t source) {
    if (block.by() != m_metric || block.dimensions() != m_dims)
        throw error(sqlstate::data_corrupted, "block of vectors is of another corpus",
                    "It has " + std::to_string(block.dimensions()) + " dimensions, or another metric, where " +
                        std::to_string(m_dims) + " are expected.");
    std::size_t width = (m_dims + 3) / 4;
    for (std::size_t place = 0; place < block.count(); ++place) {
        const std::uint8_t* codes = block.codes(place);
        code_facts from = block.facts().at(place);
        std::int32_t squares = 0;
        for (std::size_t i = 0; i < m_dims; ++i)
            squares += (codes[i] - code_zero) * (codes[i] - code_zero);
        // The best two levels for normally distributed numbers change at 0.98 of their deviation.
        int change = static_cast<int>(0.98 * std::sqrt(static_cast<double>(squares) / static_cast<double>(m_dims)));

        std::size_t at = m_codes.size();
        m_codes.resize(at + width);
        std::int64_t along = 0, levels = 0;
        for (std::size_t i = 0; i < m_dims; ++i) {
            int code = codes[i] - code_zero, two_bits = code > change ? 3 : code >= 0 ? 2 : code >= -change ? 1 : 0;
            int level = 2 * two_bits - 3;
            std::uint8_t& byte = m_codes[at + i % width];
            byte = static_cast<std::uint8_t>(byte | two_bits << (2 * (i / width)));
            along += code * level;
            levels += level * level;
        }
        facts made{0, from.residual, from.norm};
        if (squares > 0) {
            double norm = from.scale * std::sqrt(static_cast<double>(squares));
            double straight = static_cast<double>(along) * static_cast<double>(along) /
                              (static_cast<double>(squares) * static_cast<double>(levels));
            double off = norm * std::sqrt(std::max(0.0, 1 / straight - 1)) + from.residual;
            double noise = m_dims < least_noisy ? 1 : 1 / std::sqrt(static_cast<double>(m_dims - 1));
            made.scale = static_cast<float>(static_cast<double>(from.scale) * squares / static_cast<double>(along));
            made.spread = round_up(off * noise);
        }
        m_facts.push_back(made);
    }
    m_origins.push_back({source, static_cast<std::uint32_t>(block.count())});
}

std::vector<std::uint8_t> sketch_builder::pack() {
    std::vector<std::uint8_t> bytes(size());
    std::memcpy(bytes.data(), magic, sizeof magic);
    bytes[4] = static_cast<std::uint8_t>(m_metric);
    store<std::uint16_t>(bytes.data() + 6, static_cast<std::uint16_t>(m_dims));
    store<std::uint32_t>(bytes.data() + 8, static_cast<std::uint32_t>(count()));
    store<std::uint32_t>(bytes.data() + 16, static_cast<std::uint32_t>(m_origins.size()));

    std::uint8_t* at = bytes.data() + sketch_format::header;
    if (!m_codes.empty()) std::memcpy(at, m_codes.data(), m_codes.size());
    at += m_codes.size();
    auto put = [&](float facts::*fact) {
        for (const facts& each : m_facts) {
            store<float>(at, each.*fact);
            at += sizeof(float);
        }
    };
    put(&facts::scale);
    put(&facts::spread);
    if (m_metric == metric::l2) put(&facts::norm);
    for (const origin& each : m_origins) {
        store<std::uint64_t>(at, each.source);
        store<std::uint32_t>(at + 8, each.count);
        at += origin_bytes;
    }
    store<std::uint32_t>(bytes.data() + 12, checksum(bytes.data(), bytes.size()));
    m_codes.clear();
    m_facts.clear();
    m_origins.clear();
    return bytes;
}

sketch_view::sketch_view(const std::uint8_t* bytes, std::size_t size) : m_bytes{bytes}, m_end{bytes + size} {
    if (size < sketch_format::header) refuse("It has " + std::to_string(size) + " bytes, fewer than its header.");
    if (std::memcmp(bytes, magic, 3) != 0) refuse("It does not begin as a sketch does.");
    if (bytes[3] != sketch_format::version)
        refuse("Its format has the version " + std::to_string(bytes[3]) + ", not " +
               std::to_string(sketch_format::version) + ".");
    m_dims = load<std::uint16_t>(bytes + 6);
    m_count = load<std::uint32_t>(bytes + 8);
    m_sources = load<std::uint32_t>(bytes + 16);
    if (bytes[4] > 2 || bytes[5] != 0 || m_dims < 1 || m_dims > most_dimensions || m_count > most_in_block * 16 ||
        m_sources > m_count)
        refuse("Its header says metric " + std::to_string(bytes[4]) + ", " + std::to_string(m_dims) + " dimensions, " +
               std::to_string(m_count) + " vectors of " + std::to_string(m_sources) + " blocks.");
    m_metric = static_cast<metric>(bytes[4]);
    std::size_t expected = sketch_size(m_metric, m_dims, m_count, m_sources);
    if (size != expected)
        refuse("It has " + std::to_string(size) + " bytes, not " + std::to_string(expected) + ".");
    m_codes = bytes + sketch_format::header;
    m_scales.bytes = codes(m_count);
    m_spreads = m_scales.from(m_count);
    m_origins = m_spreads.from(m_count).bytes;
    if (m_metric == metric::l2) {
        m_norms = m_spreads.from(m_count);
        m_origins = m_norms.from(m_count).bytes;
    }
    std::uint64_t of_all = 0;
    for (std::size_t i = 0; i < m_sources; ++i)
        of_all += of_source(i);
    if (of_all != m_count)
        refuse("Its blocks have " + std::to_string(of_all) + " vectors, not " + std::to_string(m_count) + ".");
}

bool sketch_view::verify() const noexcept {
    return checksum(m_bytes, static_cast<std::size_t>(m_end - m_bytes)) == load<std::uint32_t>(m_bytes + 12);
}

shortlist::shortlist(std::int64_t count, double deviations, std::size_t capacity)
    : m_deviations{deviations}, m_wanted{collector::first_capacity(count)},
      m_capacity{std::max<std::size_t>(capacity, 1)}, m_cut{-infinite} {}

double shortlist::expected_recall() const noexcept { return 1 - std::erfc(m_deviations / std::sqrt(2.0)) / 2; }

namespace {

bool is_better(const shortlist::entry& a, const shortlist::entry& b) noexcept {
    if (a.upper != b.upper) return a.upper > b.upper;
    return a.source != b.source ? a.source < b.source : a.place < b.place;
}

bool is_worse(const shortlist::entry& a, const shortlist::entry& b) noexcept { return is_better(b, a); }

} // namespace

void shortlist::offer(const entry& one, float lower) {
    m_entries.push_back(one);
    // What cannot reach as many others as are wanted is out.
    if (m_lowers.size() < m_wanted) {
        m_lowers.push_back(lower);
        std::push_heap(m_lowers.begin(), m_lowers.end(), std::greater<>{});
    } else if (lower > m_lowers.front()) {
        std::pop_heap(m_lowers.begin(), m_lowers.end(), std::greater<>{});
        m_lowers.back() = lower;
        std::push_heap(m_lowers.begin(), m_lowers.end(), std::greater<>{});
    }
    if (m_lowers.size() == m_wanted) m_cut = std::max(m_cut, m_lowers.front());
    if (m_entries.size() < 2 * m_capacity) return;
    auto last = m_entries.begin() + static_cast<std::ptrdiff_t>(m_capacity - 1);
    std::nth_element(m_entries.begin(), last, m_entries.end(), is_better);
    m_entries.resize(m_capacity);
    m_cut = std::max(m_cut, m_entries.back().upper);
    m_dropped = true;
}

void shortlist::end_scan() { std::make_heap(m_entries.begin(), m_entries.end(), is_worse); }

bool shortlist::next(float cut, entry& to) {
    if (m_entries.empty() || m_entries.front().upper < cut) return false;
    to = m_entries.front();
    std::pop_heap(m_entries.begin(), m_entries.end(), is_worse);
    m_entries.pop_back();
    ++m_given;
    return true;
}

void scan(const query& asked, const sketch_view& sketch, shortlist& found) {
    if (sketch.by() != asked.by() || sketch.dimensions() != asked.dimensions())
        throw error(sqlstate::data_corrupted, "sketch of vectors is of another corpus",
                    "It has " + std::to_string(sketch.dimensions()) + " dimensions, or another metric, where " +
                        std::to_string(asked.dimensions()) + " are expected.");
    const bool says_nothing = !asked.is_bounded() || (asked.is_zero() && asked.by() != metric::l2);
    const bool is_l2 = asked.by() == metric::l2;
    const float step = asked.coarse_step(), norm = static_cast<float>(asked.norm());
    // What the query lost by its own rounding is noise like the rest, and far smaller.
    const float reach = static_cast<float>(found.deviations()) * norm * 1.001f, squares = norm * norm;
    std::int32_t sums[at_once];
    float upper[at_once], lower[at_once];
    std::size_t origin = 0, first_of_origin = 0;
    for (std::size_t begin = 0; begin < sketch.count(); begin += at_once) {
        std::size_t count = std::min(at_once, sketch.count() - begin);
        multiply_two_bits(asked.uses(), asked.segments(), sketch.codes(begin), count, sketch.readable(begin), sums);
        packed_floats scales = sketch.scales().from(begin), spreads = sketch.spreads().from(begin);
        int good = 1;
        if (says_nothing) {
            std::fill_n(upper, count, is_l2 ? 0 : infinite);
            std::fill_n(lower, count, -infinite);
        } else if (is_l2) {
            packed_floats norms = sketch.norms().from(begin);
            for (std::size_t i = 0; i < count; ++i) {
                float scale = scales[i], spread = spreads[i], length = norms[i];
                float near = static_cast<float>(2 * sums[i] - asked.segments_bias()) * (scale * step);
                float all = squares + length * length - 2 * near, off = 2 * spread * reach;
                upper[i] = -std::sqrt(std::max(0.0f, all - off));
                lower[i] = -std::sqrt(std::max(0.0f, all + off));
                good &= (scale >= 0) & (spread >= 0) & (length >= 0);
            }
        } else {
            for (std::size_t i = 0; i < count; ++i) {
                float scale = scales[i], spread = spreads[i];
                float near = static_cast<float>(2 * sums[i] - asked.segments_bias()) * (scale * step);
                upper[i] = near + spread * reach;
                lower[i] = near - spread * reach;
                good &= (scale >= 0) & (spread >= 0);
            }
        }
        if (!good) refuse("A scale, a spread or a norm is not a number, or negative.");
        for (std::size_t group = 0; group < count; group += in_group) {
            std::size_t end = std::min(group + in_group, count);
            float best = upper[group];
            for (std::size_t i = group + 1; i < end; ++i)
                best = std::max(best, upper[i]);
            if (best < found.cut()) {
                found.pass_over();
                continue;
            }
            for (std::size_t i = group; i < end; ++i) {
                if (upper[i] < found.cut()) {
                    found.pass_over();
                    continue;
                }
                while (begin + i - first_of_origin >= sketch.of_source(origin))
                    first_of_origin += sketch.of_source(origin++);
                std::uint32_t place = static_cast<std::uint32_t>(begin + i - first_of_origin);
                found.offer({upper[i], place, sketch.source(origin)}, lower[i]);
            }
        }
    }
}

void scan_one(const query& asked, const block_view& block, std::uint32_t place, std::uint64_t source,
              collector& found) {
    if (place >= block.count())
        throw error(sqlstate::data_corrupted, "sketch of vectors does not fit its blocks",
                    "It says place " + std::to_string(place) + " of a block of " + std::to_string(block.count()) + ".",
                    "Run tenancy.rebuild_corpus() to make the sketches of the corpus again from its rows.");
    float approximate, upper;
    compare(asked, block, place, 1, &approximate, &upper);
    if (upper < found.cut())
        found.pass_over();
    else
        found.offer({block.id(place), asked.refined(approximate, upper, block.facts().at(place)), approximate, source,
                     place});
}

} // namespace tenancy::vectors
