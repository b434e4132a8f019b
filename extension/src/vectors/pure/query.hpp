#pragma once

#include "vectors/pure/kernels.hpp"
#include "vectors/pure/quantise.hpp"

#include <cstdint>
#include <vector>

namespace tenancy::vectors {

/// A query made ready to be compared with codes.
///
/// Comparisons are made in **keys**, single floats that are cheaper than scores and have their order: the cosine, the
/// inner product, or for l2 the negated distance. score_of() turns a key into the score (similarity) that the
/// functions answer. The query itself is rounded to 15 bits a dimension, 128 times finer than the codes.
class query {
public:
    /// @param values what the exact lane computes with: for a corpus of halfvec rounded to two bytes first
    /// @param dims   1 to most_dimensions
    query(metric by, const float* values, std::size_t dims, kernel use = best_kernel());

    metric by() const noexcept { return m_metric; }
    std::size_t dimensions() const noexcept { return m_dims; }
    kernel uses() const noexcept { return m_kernel; }

    /// Whether keys say anything: a query whose squares overflow or vanish in float has none, and the answer must come
    /// from a scan of the rows.
    bool is_bounded() const noexcept { return m_is_bounded; }

    /// No vector whose key is at most this has a better score than this answers. Never falls as the key grows.
    double score_of(float key) const noexcept;

    /// The least key that a vector may have whose score is at least this: what is below may be left out.
    float key_of(double score) const noexcept;

    /// Approximate keys and upper bounds of the exact keys from products with codes.
    ///
    /// The bound holds for what pgvector computes in float, in whatever order it sums. A vector of which no bound is
    /// known gets the best key there is: 1, +inf, or for l2 0.
    ///
    /// @returns false when the facts hold numbers that no quantiser makes: the block is damaged
    bool keys(const std::int32_t* products, const code_facts_view& facts, std::size_t count, float* approximate,
              float* upper) const noexcept;

    /// A tighter upper bound for one vector, for those that pass a first comparison.
    float refined(float approximate, float upper, const code_facts& facts) const noexcept;

    /// Looser upper bounds from products with the high plane alone, half the work: for a first comparison of all.
    ///
    /// @param products of coarse_planes()
    /// @returns as keys() does
    bool coarse_keys(const std::int32_t* products, const code_facts_view& facts, std::size_t count,
                     float* upper) const noexcept;

    query_planes planes() const noexcept {
        return {m_numbers.data(), m_high.data(), m_low.data(), m_dims, m_bias};
    }
    query_planes coarse_planes() const noexcept {
        return {m_high_numbers.data(), m_high.data(), nullptr, m_dims, m_high_bias};
    }
    query_segments segments() const noexcept;
    /// What two-bit codes (0 to 3 for -3 to 3) give is 2 * their sum - this, in units of coarse_step().
    std::int32_t segments_bias() const noexcept { return m_segments_bias; }
    float coarse_step() const noexcept { return m_coarse_step; }

    /// Whether it is the zero vector, to which nothing is nearer than anything else by cosine and inner product.
    bool is_zero() const noexcept { return m_is_zero; }

    /// The rotated direction, unrounded.
    const float* direction() const noexcept { return m_direction.data(); }
    double norm() const noexcept { return m_norm; }

private:
    std::size_t segment_length() const noexcept { return (m_dims + 3) / 4; }
    std::size_t segment_width() const noexcept { return (segment_length() + lane_bytes - 1) / lane_bytes * lane_bytes; }

    metric m_metric;
    std::size_t m_dims;
    kernel m_kernel;
    bool m_is_bounded = true, m_is_zero = false;
    double m_norm = 0;  ///< cosine: 1
    double m_step = 0;  ///< what one unit of the numbers stands for
    double m_error = 0; ///< of the rounded query, times its norm
    double m_slack = 0; ///< of everything but the residual, for a vector of norm 1
    double m_squares = 0; ///< of the rounded query
    double m_float_error = 0; ///< of pgvector's sums, relative
    /// The same with the high plane alone.
    float m_coarse_step = 0, m_coarse_error = 0, m_coarse_slack = 0, m_coarse_squares = 0;
    std::uint32_t m_bias = 0, m_high_bias = 0;
    std::vector<float> m_direction;
    std::vector<std::int16_t> m_numbers, m_high_numbers;
    std::vector<std::int8_t> m_high, m_low, m_segments;
    std::int32_t m_segments_bias = 0;
};

} // namespace tenancy::vectors
