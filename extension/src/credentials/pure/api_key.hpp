#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// The text of an API key: `<prefix>_<live|test>_<short id>_<secret><checksum>`.
///
/// The short id (12 digits of base58) is how the key is looked up and shown. The secret is 256 random bits in 44 digits
/// of base58. The checksum is the CRC-32 of everything before it in 6 digits of base58: whoever finds a text like this
/// can tell without us that it is a key, and a key that was cut short or mistyped is refused before anything is read.
namespace tenancy::credentials {

inline constexpr std::size_t longest_prefix = 16;
inline constexpr std::size_t short_id_size = 12;
inline constexpr std::size_t secret_size = 44;
inline constexpr std::size_t checksum_size = 6;

/// In bytes; both underscores, the environment and the rest included.
inline constexpr std::size_t longest_api_key =
    longest_prefix + 1 + 4 + 1 + short_id_size + 1 + secret_size + checksum_size;

inline constexpr std::size_t random_short_id_bytes = 16;
inline constexpr std::size_t random_secret_bytes = 32;

struct api_key_parts {
    std::string_view prefix;
    std::string_view environment; ///< live or test
    std::string_view short_id;
    std::string_view secret;
    std::string_view authenticated; ///< everything before the checksum: what the stored MAC covers
};

/// Whether a text can be a key's prefix: 1 to 16 of a-z and 0-9, a letter first.
bool is_prefix(std::string_view text) noexcept;

/// Take a key apart. The parts point into `text`.
///
/// @returns false, with `parts` untouched, for what format_api_key() could not have written
bool parse_api_key(std::string_view text, api_key_parts& parts);

/// Put a key together from random bytes.
std::string format_api_key(std::string_view prefix, std::string_view environment,
                           const std::uint8_t (&random_short_id)[random_short_id_bytes],
                           const std::uint8_t (&random_secret)[random_secret_bytes]);

} // namespace tenancy::credentials
