#include "pure/pure.hpp"

#include "vectors/pure/query.hpp"
#include "vectors/pure/rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tenancy::vectors {

namespace {

constexpr int greatest_number = 127 * 128 + 63;
constexpr double greatest_product = 2147483647.0;
constexpr float infinite = std::numeric_limits<float>::infinity();

/// Sums of squares and products of ours in double, one rounding to float.
constexpr double own_error = 0x1p-22;

/// The same all in float.
constexpr float coarse_rounding = 0x1p-20f;

/// What vanishing products of floats may add to an inner product: 4,000 times 2^-149, and some room.
constexpr double vanishing = 0x1p-120;

/// The sum of f(0) to f(count), count a multiple of lane_bytes, in several sums beside each other.
template <typename Term>
double sum_over(std::size_t count, Term f) {
    double sums[8] = {};
    for (std::size_t i = 0; i < count; i += 8)
        for (std::size_t j = 0; j < 8; ++j)
            sums[j] += f(i + j);
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Rounded to an integer, of numbers below 2^31.
int nearest(double number) noexcept {
    return static_cast<int>(number + (number < 0 ? -0.5 : 0.5));
}

/// Its signs take longer to make than to use, and a session asks for the same dimensions again.
const rotation& rotation_of(std::size_t dims) {
    static rotation& last = *new rotation{1}; // never destroyed
    if (last.dimensions() != dims) last = rotation{dims};
    return last;
}

} // namespace

query::query(metric by, const float* values, std::size_t dims, kernel use)
    : m_metric{by}, m_dims{dims}, m_kernel{use} {
    // What is beyond the dimensions is zero everywhere, so that loops may run over whole lanes.
    std::size_t padded = (dims + lane_bytes - 1) / lane_bytes * lane_bytes;
    m_direction.resize(padded);
    m_numbers.resize(padded);
    m_high_numbers.resize(padded);
    m_high.resize(padded);
    m_low.resize(padded);
    m_segments.resize(4 * segment_width());
    // Products are rounded once and added in any order: at most `dims` roundings on the way of each.
    m_float_error = 1.05 * static_cast<double>(dims + 4) * 0x1p-24;

    std::copy_n(values, dims, m_direction.begin());
    double norm = std::sqrt(sum_over(padded, [&](std::size_t i) {
        return static_cast<double>(m_direction[i]) * m_direction[i];
    }));
    m_is_zero = norm == 0;
    bool is_small = norm < least_norm;
    m_is_bounded = norm <= greatest_norm && !(is_small && !m_is_zero && by == metric::cosine);
    if (is_small || !m_is_bounded) std::fill(m_direction.begin(), m_direction.end(), 0.0f);
    if (m_is_zero || !m_is_bounded) return;
    m_norm = by == metric::cosine ? 1 : norm;

    double error = 1, coarse_error = 1;
    if (!is_small) {
        for (float& value : m_direction)
            value = static_cast<float>(value / norm);
        rotation_of(dims).apply(m_direction.data());

        float greatest = 0;
        for (float value : m_direction)
            greatest = std::max(greatest, std::fabs(value));
        double sum = sum_over(padded, [&](std::size_t i) { return static_cast<double>(std::fabs(m_direction[i])); });
        // Products with codes must fit 32 bits; the rounding of each number adds a half at most.
        double room = greatest_product / 127 - static_cast<double>(dims);
        double most = std::min<double>(greatest_number, room * greatest / sum);
        double step = greatest / std::floor(most), steps = 1 / step;
        std::int32_t numbers = 0, highs = 0;
        for (std::size_t i = 0; i < padded; ++i) {
            int number = nearest(m_direction[i] * steps);
            number = std::clamp(number, -greatest_number, greatest_number);
            int high = (number + 64) >> 7;
            m_numbers[i] = static_cast<std::int16_t>(number);
            m_high[i] = static_cast<std::int8_t>(high);
            m_high_numbers[i] = static_cast<std::int16_t>(high);
            m_low[i] = static_cast<std::int8_t>(number - 128 * high);
            numbers += number;
            highs += high;
        }
        double number_squares = sum_over(padded, [&](std::size_t i) {
            return static_cast<double>(m_numbers[i]) * m_numbers[i];
        });
        double high_squares = sum_over(padded, [&](std::size_t i) {
            return static_cast<double>(m_high_numbers[i]) * m_high_numbers[i];
        });
        double errors = sum_over(padded, [&](std::size_t i) {
            double off = m_direction[i] - step * m_numbers[i];
            return off * off;
        });
        double high_errors = sum_over(padded, [&](std::size_t i) {
            double off = m_direction[i] - 128 * step * m_high_numbers[i];
            return off * off;
        });
        m_bias = static_cast<std::uint32_t>(numbers) * code_zero;
        m_segments_bias = 3 * highs;
        for (std::size_t segment = 0, length = segment_length(); segment * length < dims; ++segment)
            std::copy_n(m_high.begin() + static_cast<std::ptrdiff_t>(segment * length),
                        std::min(length, dims - segment * length),
                        m_segments.begin() + static_cast<std::ptrdiff_t>(segment * segment_width()));
        m_high_bias = static_cast<std::uint32_t>(highs) * code_zero;
        m_step = step * m_norm;
        m_coarse_step = static_cast<float>(128 * m_step);
        m_coarse_squares = static_cast<float>(128 * m_step * 128 * m_step * high_squares);
        coarse_error = std::sqrt(high_errors) * (1 + 0x1p-30) + rotation::relative_error;
        m_squares = m_step * m_step * number_squares;
        error = std::sqrt(errors) * (1 + 0x1p-30) + rotation::relative_error;
    }
    m_error = error * m_norm;
    // What a code stands for is never longer than its vector by more than rounding.
    m_slack = 1.01 * m_error + m_norm * ((by == metric::cosine ? 2 : 1) * m_float_error + own_error);
    m_coarse_error = round_up(coarse_error * m_norm);
    m_coarse_slack = round_up(m_slack + 1.01 * coarse_error * m_norm + coarse_rounding * m_norm);
}

query_segments query::segments() const noexcept {
    const std::int8_t* first = m_segments.data();
    std::size_t width = segment_width();
    return {{first, first + width, first + 2 * width, first + 3 * width}, segment_length()};
}

double query::score_of(float key) const noexcept {
    switch (m_metric) {
    case metric::cosine:
        return std::min(1.0, static_cast<double>(key));
    case metric::inner_product:
        return key;
    case metric::l2:
        break;
    }
    return 1 / (1 - static_cast<double>(key));
}

float query::key_of(double score) const noexcept {
    double key = score;
    if (m_metric == metric::l2) {
        if (!(score > 0)) return -infinite;
        key = 1 - 1 / std::min(score, 1.0);
    }
    if (std::isfinite(key)) key -= std::fabs(key) * own_error + 0x1p-50;
    return static_cast<float>(key);
}

bool query::keys(const std::int32_t* products, const code_facts_view& facts, std::size_t count, float* approximate,
                 float* upper) const noexcept {
    bool good = true;
    if (!m_is_bounded) {
        float unbounded = m_metric == metric::cosine ? 1 : m_metric == metric::l2 ? 0 : infinite;
        for (std::size_t i = 0; i < count; ++i) {
            approximate[i] = 0;
            upper[i] = unbounded;
        }
        return true;
    }
    if (m_is_zero && m_metric != metric::l2) {
        // Exactly so for all, which settles ties by id without looking at a row.
        std::fill_n(approximate, count, 0.0f);
        std::fill_n(upper, count, 0.0f);
        return true;
    }
    switch (m_metric) {
    case metric::cosine:
        for (std::size_t i = 0; i < count; ++i) {
            double scale = facts.scales[i], residual = facts.residuals[i];
            double near = m_step * scale * products[i];
            double slack = scale + residual > 0 ? m_slack : 0;
            approximate[i] = static_cast<float>(near);
            upper[i] = std::min(1.0f, round_up(near + residual + slack));
            good &= scale >= 0 && residual >= 0 && near == near;
        }
        break;
    case metric::inner_product:
        for (std::size_t i = 0; i < count; ++i) {
            double scale = facts.scales[i], residual = facts.residuals[i], norm = facts.norms[i];
            double near = m_step * scale * products[i];
            double slack = m_slack * norm + (norm + residual > 0 ? vanishing : 0);
            approximate[i] = static_cast<float>(near);
            upper[i] = round_up(near + m_norm * residual + slack);
            good &= scale >= 0 && residual >= 0 && norm >= 0 && upper[i] == upper[i];
        }
        break;
    case metric::l2:
        for (std::size_t i = 0; i < count; ++i) {
            double scale = facts.scales[i], residual = facts.residuals[i], norm = facts.norms[i];
            double norm_squares = norm * norm;
            double squares = m_squares + norm_squares - 2 * m_step * scale * products[i];
            double least = squares - own_error * norm_squares - own_error * 0x1p-20 * m_squares;
            double distance = std::sqrt(std::max(0.0, least)) - residual - m_error;
            distance = distance * (1 - m_float_error) - 0x1p-68;
            approximate[i] = -static_cast<float>(std::sqrt(std::max(0.0, squares)));
            upper[i] = round_up(-std::max(0.0, distance));
            good &= scale >= 0 && residual >= 0 && norm >= 0 && squares == squares;
        }
        break;
    }
    return good;
}

bool query::coarse_keys(const std::int32_t* products, const code_facts_view& facts, std::size_t count,
                        float* upper) const noexcept {
    if (!m_is_bounded || (m_is_zero && m_metric != metric::l2)) {
        std::fill_n(upper, count, m_is_zero || m_metric == metric::l2 ? 0 : infinite);
        return true;
    }
    // One loop each, without a branch, that the compiler turns into vector instructions.
    const float step = m_coarse_step, slack = m_coarse_slack, norm = round_up(m_norm);
    int good = 1;
    if (m_metric == metric::cosine) {
        for (std::size_t i = 0; i < count; ++i) {
            float scale = facts.scales[i], residual = facts.residuals[i];
            upper[i] = static_cast<float>(products[i]) * (scale * step) + (residual + slack);
            good &= (scale >= 0) & (residual >= 0);
        }
    } else if (m_metric == metric::inner_product) {
        for (std::size_t i = 0; i < count; ++i) {
            float scale = facts.scales[i], residual = facts.residuals[i], length = facts.norms[i];
            float reach = norm * residual * (1 + coarse_rounding) + length * slack;
            upper[i] = static_cast<float>(products[i]) * (scale * step) + (reach + 2 * static_cast<float>(vanishing));
            good &= (scale >= 0) & (residual >= 0) & (length >= 0);
        }
    } else {
        const float shrink = static_cast<float>(1 - m_float_error) - coarse_rounding;
        for (std::size_t i = 0; i < count; ++i) {
            float scale = facts.scales[i], residual = facts.residuals[i], length = facts.norms[i];
            float all = m_coarse_squares + length * length;
            float squares = all - 2 * (static_cast<float>(products[i]) * (scale * step)) - coarse_rounding * all;
            float away = std::sqrt(std::max(squares, 0.0f)) * shrink;
            upper[i] = std::min((residual + m_coarse_error) * (1 + coarse_rounding) - away + 0x1p-66f, 0.0f);
            good &= (scale >= 0) & (residual >= 0) & (length >= 0);
        }
    }
    return good != 0;
}

float query::refined(float approximate, float upper, const code_facts& facts) const noexcept {
    if (!m_is_bounded || m_metric == metric::l2 || !(facts.residual < infinite) || facts.scale == 0) return upper;
    // The residual is orthogonal to what the code stands for, so only the part of the query that is orthogonal to it
    // too can meet the residual.
    double length = m_metric == metric::cosine ? 1 : facts.norm, slack = m_slack * length;
    double near = std::fabs(static_cast<double>(approximate)) * (1 - 0x1p-20);
    double along = std::max(0.0, near - slack) / (length * (1 + own_error));
    double across = std::sqrt(std::max(0.0, m_norm * m_norm - along * along));
    // The rotation's error, and that of the stored scale, need not be orthogonal to anything.
    double skew = (rotation::relative_error + own_error) * m_norm * length;
    return std::min(upper, round_up(approximate + across * facts.residual + skew + slack + vanishing));
}

} // namespace tenancy::vectors
