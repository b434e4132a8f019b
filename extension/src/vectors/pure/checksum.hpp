#pragma once

#include "vectors/pure/packed.hpp"

namespace tenancy::vectors {

/// Of a block or a sketch without the checksum in it, which is bytes 12 to 15. Fowler, Noll and Vo's hash over words of
/// eight bytes: damage is to be found, not an attacker.
inline std::uint32_t checksum(const std::uint8_t* bytes, std::size_t size) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325u;
    auto mix = [&](std::uint64_t word) {
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 29;
    };
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8)
        mix(i == 8 ? load<std::uint32_t>(bytes + i) : load<std::uint64_t>(bytes + i));
    for (; i < size; ++i)
        mix(bytes[i]);
    mix(size);
    return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

} // namespace tenancy::vectors
