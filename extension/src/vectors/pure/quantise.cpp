#include "pure/pure.hpp"

#include "vectors/pure/quantise.hpp"
#include "vectors/pure/rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tenancy::vectors {

namespace {

/// The residual where no bound is known.
constexpr float unknown = std::numeric_limits<float>::infinity();
constexpr int greatest_code = 127;

/// Of numbers within a few thousand; a call of the library costs more than the rest of the loop.
int nearest(float value) noexcept { return static_cast<int>(value + 12582912.0f - 12582912.0f); }

double norm_of(const float* values, std::size_t count) noexcept {
    double squares = 0;
    for (std::size_t i = 0; i < count; ++i)
        squares += static_cast<double>(values[i]) * values[i];
    return std::sqrt(squares);
}

} // namespace

quantiser::quantiser(metric by, std::size_t dims) : m_metric{by}, m_rotation{dims}, m_buffer(dims) {}

code_facts quantiser::quantise(const float* values, std::uint8_t* codes) {
    const std::size_t dims = dimensions();
    const bool is_cosine = m_metric == metric::cosine;
    double norm = norm_of(values, dims);
    m_norm = 0;
    std::fill_n(codes, dims, static_cast<std::uint8_t>(code_zero));
    std::fill(m_buffer.begin(), m_buffer.end(), 0.0f);

    if (norm == 0) return {0, 0, 0};
    // Also where it is not a number. So small a vector is as good as zero, unless only its direction matters.
    if (!(norm <= greatest_norm)) return {0, unknown, 0};
    if (norm < least_norm) {
        if (is_cosine) return {0, unknown, 0};
        float most = round_up(norm * (1 + 0x1p-30));
        return {0, most, m_metric == metric::inner_product ? most : 0};
    }

    double inverse = 1 / norm;
    for (std::size_t i = 0; i < dims; ++i)
        m_buffer[i] = static_cast<float>(values[i] * inverse);
    m_rotation.apply(m_buffer.data());

    float greatest = 0;
    for (float value : m_buffer)
        greatest = std::max(greatest, std::fabs(value));
    float to_code = greatest_code / greatest;
    // The sum of at most 4,000 products of two codes is exact in 32 bits.
    std::int32_t code_squares = 0;
    double along = 0;
    for (std::size_t i = 0; i < dims; ++i) {
        int code = nearest(m_buffer[i] * to_code);
        codes[i] = static_cast<std::uint8_t>(code + code_zero);
        code_squares += code * code;
        along += static_cast<double>(m_buffer[i]) * code;
    }
    // The scale that brings the code nearest also makes the residual orthogonal to what the code stands for.
    double scale = along / code_squares;
    double length = is_cosine ? 1 : norm;
    float stored_scale = static_cast<float>(scale * length);
    double used_scale = stored_scale / length;
    double residual_squares = 0;
    for (std::size_t i = 0; i < dims; ++i) {
        double off = m_buffer[i] - used_scale * (static_cast<int>(codes[i]) - code_zero);
        residual_squares += off * off;
    }
    // Sums of doubles are far better than one part in 2^30; the rotation's own error is added.
    double residual = std::sqrt(residual_squares) * (1 + 0x1p-30) + rotation::relative_error;
    m_norm = norm;

    code_facts facts{stored_scale, round_up(residual * length), 1};
    if (m_metric == metric::inner_product)
        facts.norm = round_up(norm * (1 + 0x1p-30));
    else if (m_metric == metric::l2)
        facts.norm = static_cast<float>(stored_scale * std::sqrt(static_cast<double>(code_squares)));
    return facts;
}

} // namespace tenancy::vectors
