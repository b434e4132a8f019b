#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tenancy {

/// A UUID as PostgreSQL stores it: 16 bytes, most significant first. Trivial on purpose: it lives in statics that a
/// longjmp may leave at any time.
struct uuid {
    static constexpr std::size_t text_length = 36;

    std::uint8_t bytes[16];

    friend bool operator==(const uuid& a, const uuid& b) noexcept { return std::memcmp(a.bytes, b.bytes, 16) == 0; }
    friend bool operator!=(const uuid& a, const uuid& b) noexcept { return !(a == b); }
};

/// The order of their bytes, which is PostgreSQL's.
inline bool key_less(const uuid& a, const uuid& b) noexcept { return std::memcmp(a.bytes, b.bytes, 16) < 0; }

/// Parse the canonical form only: 36 characters, lower-case hexadecimal, hyphens at 8, 13, 18 and 23.
///
/// @param text   any bytes
/// @param parsed written only when the answer is true
/// @returns whether the text was canonical
bool parse_canonical(std::string_view text, uuid& parsed) noexcept;

/// Write the canonical form and a terminating zero.
void format_canonical(const uuid& value, char (&text)[uuid::text_length + 1]) noexcept;

/// Lay out a version 7 UUID (RFC 9562, section 5.7, sub-millisecond precision in rand_a by method 3 of section 6.2).
///
/// @param unix_microseconds time since 1970-01-01 UTC; its last three digits become the 12 bits of rand_a
/// @param random            8 random bytes; 62 bits of them are used
uuid make_uuid_v7(std::uint64_t unix_microseconds, const std::uint8_t (&random)[8]) noexcept;

} // namespace tenancy
