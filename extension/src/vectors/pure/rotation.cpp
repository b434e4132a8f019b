#include "pure/pure.hpp"

#include "vectors/pure/rotation.hpp"

#include <cmath>
#include <cstdint>

namespace tenancy::vectors {

namespace {

/// S. Vigna's splitmix64: the signs must never change, so no generator of a library is asked.
std::uint64_t next_random(std::uint64_t& state) noexcept {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/// Additions and one multiplication each, so wider registers give the same bits.
void transform(float* values, std::size_t power) noexcept {
    std::size_t half = 1;
    if (power >= 4) {
        // The first two rounds in one, four numbers at a time; the same sums in the same order.
        for (float* four = values; four < values + power; four += 4) {
            float a = four[0] + four[1], b = four[0] - four[1], c = four[2] + four[3], d = four[2] - four[3];
            four[0] = a + c;
            four[1] = b + d;
            four[2] = a - c;
            four[3] = b - d;
        }
        half = 4;
    }
    for (; half < power; half *= 2) {
        for (std::size_t begin = 0; begin < power; begin += 2 * half) {
            float* left = values + begin;
            float* right = left + half;
            for (std::size_t i = 0; i < half; ++i) {
                float a = left[i], b = right[i];
                left[i] = a + b;
                right[i] = a - b;
            }
        }
    }
    float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(power)));
    for (std::size_t i = 0; i < power; ++i)
        values[i] *= scale;
}

} // namespace

rotation::rotation(std::size_t dims) : m_dims{dims}, m_power{1}, m_signs(2 * dims) {
    while (m_power * 2 <= dims)
        m_power *= 2;
    std::uint64_t state = 0x74656e616e6379u + dims;
    for (std::size_t i = 0; i < m_signs.size(); i += 64) {
        std::uint64_t bits = next_random(state);
        for (std::size_t j = i; j < m_signs.size() && j < i + 64; ++j, bits >>= 1)
            m_signs[j] = bits & 1 ? -1.0f : 1.0f;
    }
}

void rotation::mix(float* values) const noexcept {
    constexpr float half_turn = 0.70710678118654752440f;
    std::size_t half = m_dims / 2;
    float* upper = values + m_dims - half;
    for (std::size_t i = 0; i < half; ++i) {
        float a = values[i], b = upper[i];
        values[i] = (a + b) * half_turn;
        upper[i] = (a - b) * half_turn;
    }
}

void rotation::apply(float* values) const noexcept {
    bool is_power = m_power == m_dims;
    for (std::size_t round = 0; round < 2; ++round) {
        const float* signs = m_signs.data() + round * m_dims;
        for (std::size_t i = 0; i < m_dims; ++i)
            values[i] *= signs[i];
        transform(values, m_power);
        if (!is_power) transform(values + m_dims - m_power, m_power);
        if (!is_power && round == 0) mix(values);
    }
}

void rotation::undo(float* values) const noexcept {
    // Every step is its own inverse.
    bool is_power = m_power == m_dims;
    for (std::size_t round = 2; round-- > 0;) {
        const float* signs = m_signs.data() + round * m_dims;
        if (!is_power && round == 0) mix(values);
        if (!is_power) transform(values + m_dims - m_power, m_power);
        transform(values, m_power);
        for (std::size_t i = 0; i < m_dims; ++i)
            values[i] *= signs[i];
    }
}

} // namespace tenancy::vectors
