#pragma once

#include <cstdint>
#include <cstring>

namespace tenancy::vectors {

/// The least float that is not below a number; +inf above all floats.
///
/// As std::nextafter() has it, but for half of all numbers a branch and a call are much of what a bound costs.
inline float round_up(double value) noexcept {
    // Zero has no sign here, so that bits in their order are numbers in theirs.
    float rounded = static_cast<float>(value) + 0.0f;
    std::int32_t bits;
    std::memcpy(&bits, &rounded, sizeof bits);
    std::int32_t up = bits < 0 ? -1 : 1;
    bits += static_cast<double>(rounded) < value ? up : 0;
    std::memcpy(&rounded, &bits, sizeof rounded);
    return rounded;
}

} // namespace tenancy::vectors
