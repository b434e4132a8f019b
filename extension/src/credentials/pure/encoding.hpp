#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// How credentials become text. Nothing here is secret-independent in time: it is used on what the caller sent, or made.
namespace tenancy::credentials {

/// Bitcoin's alphabet: no 0, O, I and l, which people mistake for one another.
inline constexpr std::string_view base58_digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

bool is_base58(std::string_view text) noexcept;

/// The last `width` base58 digits of a number, most significant digit first, padded with the digit for zero.
///
/// @param bytes the number, most significant byte first; at most 64 of them
std::string base58(const std::uint8_t* bytes, std::size_t size, std::size_t width);

/// CRC-32 as in zip files (IEEE 802.3, reflected).
std::uint32_t crc32(std::string_view bytes) noexcept;

/// Base64 in the alphabet for addresses, without padding (RFC 7515, section 2).
std::string base64url(std::string_view bytes);

/// The bytes, or nothing for what base64url() could not have written: padding, other characters, bits left over.
std::optional<std::string> from_base64url(std::string_view text);

} // namespace tenancy::credentials
