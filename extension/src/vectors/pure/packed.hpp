#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tenancy::vectors {

/// Numbers in packed bytes are little-endian and lie anywhere, so they are read and written through these.
template <typename Number>
Number load(const std::uint8_t* from) noexcept {
    Number value;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    std::memcpy(&value, from, sizeof value);
#else
    std::uint8_t turned[sizeof value];
    for (std::size_t i = 0; i < sizeof value; ++i)
        turned[i] = from[sizeof value - 1 - i];
    std::memcpy(&value, turned, sizeof value);
#endif
    return value;
}

template <typename Number>
void store(std::uint8_t* to, Number value) noexcept {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    std::memcpy(to, &value, sizeof value);
#else
    std::uint8_t turned[sizeof value];
    std::memcpy(turned, &value, sizeof value);
    for (std::size_t i = 0; i < sizeof value; ++i)
        to[i] = turned[sizeof value - 1 - i];
#endif
}

/// An array of floats in packed bytes.
struct packed_floats {
    const std::uint8_t* bytes = nullptr;

    float operator[](std::size_t place) const noexcept { return load<float>(bytes + place * sizeof(float)); }
    packed_floats from(std::size_t place) const noexcept { return {bytes + place * sizeof(float)}; }
};

} // namespace tenancy::vectors
