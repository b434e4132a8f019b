#pragma once

#include <cstdint>
#include <cstring>

namespace tenancy::vectors {

// Numbers of two bytes (IEEE 754 binary16), as halfvec stores them.

inline float float_of_half(std::uint16_t half) noexcept {
    std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    std::uint32_t exponent = (half >> 10) & 0x1fu, fraction = half & 0x3ffu;
    if (exponent == 0) {
        // A subnormal: so many 2^-24.
        float value = static_cast<float>(fraction) * 0x1p-24f;
        return sign ? -value : value;
    }
    std::uint32_t bits = exponent == 0x1f ? sign | 0x7f800000u | fraction << 13
                                          : sign | (exponent + 112) << 23 | fraction << 13;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// The nearest, ties to even, as the cast from vector to halfvec rounds.
inline std::uint16_t half_of_float(float value) noexcept {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    std::uint32_t sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest >= 0x47800000u) return static_cast<std::uint16_t>(sign | (rest > 0x7f800000u ? 0x7e00u : 0x7c00u));
    std::uint32_t shift, fraction;
    if (rest >= 0x38800000u) {
        shift = 13;
        fraction = rest - 0x38000000u;
    } else {
        // Below the least normal number: the fraction moves down until its exponent is that of 2^-14.
        std::uint32_t exponent = rest >> 23;
        if (exponent < 102) return static_cast<std::uint16_t>(sign);
        shift = 126 - exponent;
        fraction = (rest & 0x7fffffu) | 0x800000u;
    }
    std::uint32_t kept = fraction >> shift, lost = fraction & ((1u << shift) - 1), half = 1u << (shift - 1);
    if (lost > half || (lost == half && (kept & 1))) ++kept;
    return static_cast<std::uint16_t>(sign | kept);
}

} // namespace tenancy::vectors
