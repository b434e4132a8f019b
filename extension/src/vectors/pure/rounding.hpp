#pragma once

#include <cmath>
#include <limits>

namespace tenancy::vectors {

/// The least float that is not below a number; +inf above all floats.
inline float round_up(double value) noexcept {
    float rounded = static_cast<float>(value);
    if (static_cast<double>(rounded) < value)
        rounded = std::nextafter(rounded, std::numeric_limits<float>::infinity());
    return rounded;
}

} // namespace tenancy::vectors
