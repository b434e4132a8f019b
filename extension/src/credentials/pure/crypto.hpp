#pragma once

#include <array>
#include <cstdint>
#include <string_view>

/// OpenSSL's primitives in the shape that we use them.
namespace tenancy::credentials {

using mac = std::array<std::uint8_t, 32>;

/// HMAC-SHA-256. @throws tenancy::error when OpenSSL refuses, as it may under a policy
mac hmac_sha256(std::string_view secret, std::string_view message);

/// Whether two texts hold the same bytes, in a time that depends on their lengths only.
bool same_bytes(std::string_view a, std::string_view b) noexcept;

inline std::string_view view(const mac& value) noexcept {
    return {reinterpret_cast<const char*>(value.data()), value.size()};
}

} // namespace tenancy::credentials
