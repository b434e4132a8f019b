#pragma once

#include "vectors/pure/block.hpp"
#include "vectors/pure/collector.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenancy::vectors {

/// Two bits a dimension of vectors that have a block elsewhere: what a search of a large tenant reads first.
///
/// Each coordinate of the rotated code is kept as one of -3, -1, 1, 3; together with two numbers a vector the product
/// with a query is estimated without bias, and how far the estimate may be off is known as a standard deviation, which
/// after the random rotation is that of noise. J. Gao, C. Long, "RaBitQ: Quantizing High-Dimensional Vectors with a
/// Theoretical Error Bound for Approximate Nearest Neighbor Search", SIGMOD 2024, and for more than one bit
/// J. Gao et al., "Practical and Asymptotically Optimal Quantization of High-Dimensional Vectors in Euclidean Space for
/// Approximate Nearest Neighbor Search", SIGMOD 2025. A sketch is made from the codes of blocks alone.
///
/// Little-endian, without any alignment of its own:
///
///     0   4  "TVK" and the version of the format, 1
///     4   1  metric, as in a block
///     5   1  0
///     6   2  dimensions
///     8   4  count of vectors
///     12  4  checksum of everything but these four bytes
///     16  4  count of sources
///     20     two-bit codes, count times (dimensions + 3) / 4 bytes: byte j holds the coordinates j, j + n, j + 2n and
///            j + 3n, lowest bits first, n being that number of bytes
///            scales, spreads and for l2 norms: each count floats
///            sources: 8 bytes whatever the caller said, 4 bytes count of vectors, which are its first, second, ...
namespace sketch_format {
inline constexpr std::uint8_t version = 1;
inline constexpr std::size_t header = 20;
} // namespace sketch_format

/// Bytes that a sketch of so many vectors of so many blocks has.
std::size_t sketch_size(metric by, std::size_t dims, std::size_t count, std::size_t sources) noexcept;

class sketch_builder {
public:
    sketch_builder(metric by, std::size_t dims) : m_metric{by}, m_dims{dims} {}

    std::size_t count() const noexcept { return m_facts.size(); }
    bool is_empty() const noexcept { return m_facts.empty(); }
    /// Bytes that pack() would give now, or after a block of so many vectors more.
    std::size_t size(std::size_t more = 0) const noexcept;

    /// Add all vectors of a block.
    ///
    /// @param source by what the caller finds the block again
    /// @throws error XX001 when the block is of another metric or other dimensions
    void add(const block_view& block, std::uint64_t source);

    /// The sketch; leaves the builder empty, for the next one.
    std::vector<std::uint8_t> pack();

private:
    struct facts {
        float scale, spread, norm;
    };
    struct origin {
        std::uint64_t source;
        std::uint32_t count;
    };

    metric m_metric;
    std::size_t m_dims;
    std::vector<std::uint8_t> m_codes;
    std::vector<facts> m_facts;
    std::vector<origin> m_origins;
};

/// Looks at a packed sketch where it lies. Keeps no copy: the bytes must stay.
class sketch_view {
public:
    /// @throws error XX001 when the bytes are no sketch, or one of another length than they say
    sketch_view(const std::uint8_t* bytes, std::size_t size);

    metric by() const noexcept { return m_metric; }
    std::size_t dimensions() const noexcept { return m_dims; }
    std::size_t count() const noexcept { return m_count; }
    std::size_t sources() const noexcept { return m_sources; }
    std::uint64_t source(std::size_t number) const noexcept { return load<std::uint64_t>(m_origins + number * 12); }
    /// How many vectors of the sketch are of that source; never more in sum than count().
    std::uint32_t of_source(std::size_t number) const noexcept {
        return load<std::uint32_t>(m_origins + number * 12 + 8);
    }

    const std::uint8_t* codes(std::size_t place = 0) const noexcept { return m_codes + place * ((m_dims + 3) / 4); }
    std::size_t readable(std::size_t place = 0) const noexcept {
        return static_cast<std::size_t>(m_end - codes(place));
    }
    packed_floats scales() const noexcept { return m_scales; }
    packed_floats spreads() const noexcept { return m_spreads; }
    packed_floats norms() const noexcept { return m_norms; }

    bool verify() const noexcept;

private:
    const std::uint8_t* m_bytes;
    const std::uint8_t* m_end;
    const std::uint8_t* m_codes;
    const std::uint8_t* m_origins;
    packed_floats m_scales, m_spreads, m_norms;
    metric m_metric;
    std::size_t m_dims, m_count, m_sources;
};

/// The vectors whose sketches do not rule them out, nearest first. It goes like this:
///
///     collector found{asked, k};
///     shortlist near{k};
///     for (every sketch) scan(asked, sketch, near);
///     near.end_scan();
///     shortlist::entry next;
///     while (near.next(found.cut(), next)) scan_one(asked, the block next.source, next.place, next.source, found);
///     found.end_scan(near.has_left_out());
///     ... take(), score() ...
///     if (!found.is_complete()) do as without sketches: scan the blocks themselves.
///
/// A vector that belongs to the answer is left out with the probability that a normal variable is beyond `deviations`:
/// expected_recall().
class shortlist {
public:
    struct entry {
        float upper; ///< a key that the vector's own is not above, by all likelihood
        std::uint32_t place;
        std::uint64_t source;
    };

    static constexpr double default_deviations = 3;

    /// @param count    as the collector's
    /// @param capacity entries in memory at most, twice 16 bytes each
    explicit shortlist(std::int64_t count, double deviations = default_deviations,
                       std::size_t capacity = std::size_t{1} << 17);

    double deviations() const noexcept { return m_deviations; }
    /// The share of the true answer that is found, at least, by expectation.
    double expected_recall() const noexcept;

    /// What has a lower upper bound need not be offered; pass it by with pass_over().
    float cut() const noexcept { return m_cut; }
    void pass_over() noexcept { m_dropped = true; }
    /// @param lower a key that the vector's own is not below, by all likelihood
    void offer(const entry& one, float lower);
    void end_scan();

    /// The next best, unless it is below the cut of the collector.
    bool next(float cut, entry& to);

    /// Whether vectors of the sketches were not given out.
    bool has_left_out() const noexcept { return m_dropped || !m_entries.empty(); }
    std::size_t given() const noexcept { return m_given; }

private:
    double m_deviations;
    std::size_t m_wanted, m_capacity;
    float m_cut;
    bool m_dropped = false;
    std::size_t m_given = 0;
    std::vector<float> m_lowers;  ///< the best `m_wanted`, a heap with the worst in front
    std::vector<entry> m_entries; ///< after end_scan() a heap with the best in front
};

/// Offer all vectors of a sketch.
///
/// @throws error XX001 when the sketch is not of the query's metric and dimensions, or holds what no builder writes
void scan(const query& asked, const sketch_view& sketch, shortlist& found);

/// Offer one vector of a block, as scan() of a block does with all.
///
/// @throws error XX001 also when the block has no such place
void scan_one(const query& asked, const block_view& block, std::uint32_t place, std::uint64_t source, collector& found);

} // namespace tenancy::vectors
