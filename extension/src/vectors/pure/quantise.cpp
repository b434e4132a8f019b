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

/// The sum of term(0) to term(count - 1) in eight sums, so that a processor need not wait for one to add to the next; always
/// the same ones, so that every machine has the same.
template <typename Term>
double sum_of(std::size_t count, Term term) noexcept {
    double sums[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (std::size_t lane = 0; lane < 8; ++lane)
            sums[lane] += term(i + lane);
    for (std::size_t lane = 0; i < count; ++i, ++lane)
        sums[lane] += term(i);
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/// The greatest absolute value.
float greatest_of(const float* values, std::size_t count) noexcept {
    float most[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (std::size_t lane = 0; lane < 8; ++lane) {
            float value = std::fabs(values[i + lane]);
            most[lane] = most[lane] < value ? value : most[lane];
        }
    for (; i < count; ++i)
        most[0] = std::max(most[0], std::fabs(values[i]));
    return *std::max_element(most, most + 8);
}

} // namespace

quantiser::quantiser(metric by, std::size_t dims) : m_metric{by}, m_rotation{dims}, m_buffer(dims) {}

code_facts quantiser::quantise(const float* values, std::uint8_t* codes) {
    const std::size_t dims = dimensions();
    const bool is_cosine = m_metric == metric::cosine;
    double norm = std::sqrt(sum_of(dims, [&](std::size_t i) { return static_cast<double>(values[i]) * values[i]; }));
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

    const float* __restrict rotated = m_buffer.data();
    std::uint8_t* __restrict to = codes;
    float greatest = greatest_of(rotated, dims);
    float to_code = greatest_code / greatest;
    // The sum of at most 4,000 products of two codes is exact in 32 bits.
    std::int32_t code_squares = 0;
    for (std::size_t i = 0; i < dims; ++i) {
        int code = nearest(rotated[i] * to_code);
        to[i] = static_cast<std::uint8_t>(code + code_zero);
        code_squares += code * code;
    }
    auto code_at = [to](std::size_t i) { return static_cast<int>(to[i]) - code_zero; };
    double along = sum_of(dims, [&](std::size_t i) { return static_cast<double>(rotated[i]) * code_at(i); });
    // The scale that brings the code nearest also makes the residual orthogonal to what the code stands for.
    double scale = along / code_squares;
    double length = is_cosine ? 1 : norm;
    float stored_scale = static_cast<float>(scale * length);
    double used_scale = stored_scale / length;
    double residual_squares = sum_of(dims, [&](std::size_t i) {
        double off = rotated[i] - used_scale * code_at(i);
        return off * off;
    });
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
