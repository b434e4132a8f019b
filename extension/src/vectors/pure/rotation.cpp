#include "pure/pure.hpp"

#include "vectors/pure/rotation.hpp"
#include "vectors/pure/wide.hpp"

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

// All that rotates is compiled once for any processor and once for those with wide registers. It is additions and single
// multiplications in a fixed order, so both give the same bits.
#define TENANCY_INLINE inline __attribute__((always_inline))

/// The first rounds, over numbers beside each other. @returns how far apart are those of the next round
using first_rounds = std::size_t (*)(float* values, std::size_t power) noexcept;

std::size_t begin_anywhere(float* values, std::size_t power) noexcept {
    if (power < 4) return 1;
    for (float* four = values; four < values + power; four += 4) {
        float a = four[0] + four[1], b = four[0] - four[1], c = four[2] + four[3], d = four[2] - four[3];
        four[0] = a + c;
        four[1] = b + d;
        four[2] = a - c;
        four[3] = b - d;
    }
    return 4;
}

#ifdef TENANCY_X86
/// Three rounds; to subtract is to add with the other sign, bit for bit.
__attribute__((target("avx2"))) std::size_t begin_wide(float* values, std::size_t power) noexcept {
    if (power < 8) return begin_anywhere(values, power);
    const __m256 odd = _mm256_setr_ps(0, -0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f);
    const __m256 second_pair = _mm256_setr_ps(0, 0, -0.0f, -0.0f, 0, 0, -0.0f, -0.0f);
    const __m256 second_half = _mm256_setr_ps(0, 0, 0, 0, -0.0f, -0.0f, -0.0f, -0.0f);
    for (float* eight = values; eight < values + power; eight += 8) {
        __m256 now = _mm256_loadu_ps(eight);
        now = _mm256_add_ps(_mm256_moveldup_ps(now), _mm256_xor_ps(_mm256_movehdup_ps(now), odd));
        now = _mm256_add_ps(_mm256_permute_ps(now, 0x44), _mm256_xor_ps(_mm256_permute_ps(now, 0xee), second_pair));
        now = _mm256_add_ps(_mm256_permute2f128_ps(now, now, 0x00),
                            _mm256_xor_ps(_mm256_permute2f128_ps(now, now, 0x11), second_half));
        _mm256_storeu_ps(eight, now);
    }
    return 8;
}
#endif

TENANCY_INLINE void transform(float* values, std::size_t power, first_rounds begin_with) noexcept {
    std::size_t half = begin_with(values, power);
    // Two rounds in one as long as there are two, so that numbers are read and written half as often.
    for (; half * 4 <= power; half *= 4) {
        for (std::size_t begin = 0; begin < power; begin += 4 * half) {
            float* __restrict first = values + begin;
            float* __restrict second = first + half;
            float* __restrict third = second + half;
            float* __restrict fourth = third + half;
            for (std::size_t i = 0; i < half; ++i) {
                float a = first[i] + second[i], b = first[i] - second[i], c = third[i] + fourth[i], d = third[i] - fourth[i];
                first[i] = a + c;
                second[i] = b + d;
                third[i] = a - c;
                fourth[i] = b - d;
            }
        }
    }
    for (; half < power; half *= 2) {
        for (std::size_t begin = 0; begin < power; begin += 2 * half) {
            float* __restrict left = values + begin;
            float* __restrict right = left + half;
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

TENANCY_INLINE void turn_signs(float* values, const float* signs, std::size_t dims) noexcept {
    for (std::size_t i = 0; i < dims; ++i)
        values[i] *= signs[i];
}

TENANCY_INLINE void mix(float* values, std::size_t dims) noexcept {
    constexpr float half_turn = 0.70710678118654752440f;
    std::size_t half = dims / 2;
    float* upper = values + dims - half;
    for (std::size_t i = 0; i < half; ++i) {
        float a = values[i], b = upper[i];
        values[i] = (a + b) * half_turn;
        upper[i] = (a - b) * half_turn;
    }
}

TENANCY_INLINE void rotate(float* values, std::size_t dims, std::size_t power, const float* signs,
                           first_rounds begin_with) noexcept {
    bool is_power = power == dims;
    for (std::size_t round = 0; round < 2; ++round) {
        turn_signs(values, signs + round * dims, dims);
        transform(values, power, begin_with);
        if (!is_power) transform(values + dims - power, power, begin_with);
        if (!is_power && round == 0) mix(values, dims);
    }
}

void rotate_anywhere(float* values, std::size_t dims, std::size_t power, const float* signs) noexcept {
    rotate(values, dims, power, signs, begin_anywhere);
}

#ifdef TENANCY_X86
__attribute__((target("avx2"))) void rotate_wide(float* values, std::size_t dims, std::size_t power,
                                                 const float* signs) noexcept {
    rotate(values, dims, power, signs, begin_wide);
}
#endif

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

void rotation::apply(float* values, kernel use) const noexcept {
#ifdef TENANCY_X86
    // AVX-512 has AVX2.
    if (use != kernel::portable) return rotate_wide(values, m_dims, m_power, m_signs.data());
#endif
    static_cast<void>(use);
    rotate_anywhere(values, m_dims, m_power, m_signs.data());
}

void rotation::undo(float* values) const noexcept {
    // Every step is its own inverse.
    bool is_power = m_power == m_dims;
    for (std::size_t round = 2; round-- > 0;) {
        const float* signs = m_signs.data() + round * m_dims;
        if (!is_power && round == 0) mix(values, m_dims);
        if (!is_power) transform(values + m_dims - m_power, m_power, begin_anywhere);
        transform(values, m_power, begin_anywhere);
        turn_signs(values, signs, m_dims);
    }
}

} // namespace tenancy::vectors
