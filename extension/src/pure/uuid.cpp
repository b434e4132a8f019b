#include "pure/pure.hpp"

#include "pure/uuid.hpp"

namespace tenancy {

namespace {

constexpr bool is_hyphen_position(std::size_t position) noexcept {
    return position == 8 || position == 13 || position == 18 || position == 23;
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

} // namespace

bool parse_canonical(std::string_view text, uuid& parsed) noexcept {
    if (text.size() != uuid::text_length) return false;

    uuid result{};
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_hyphen_position(i)) {
            if (text[i] != '-') return false;
            continue;
        }
        int digit = hex_digit(text[i]);
        if (digit < 0) return false;
        auto& byte = result.bytes[nibble / 2];
        byte = static_cast<std::uint8_t>((byte << 4) | digit);
        ++nibble;
    }
    parsed = result;
    return true;
}

void format_canonical(const uuid& value, char (&text)[uuid::text_length + 1]) noexcept {
    static constexpr char digits[] = "0123456789abcdef";
    char* out = text;
    for (std::size_t i = 0; i < sizeof value.bytes; ++i) {
        if (is_hyphen_position(static_cast<std::size_t>(out - text))) *out++ = '-';
        *out++ = digits[value.bytes[i] >> 4];
        *out++ = digits[value.bytes[i] & 0x0f];
    }
    *out = '\0';
}

uuid make_uuid_v7(std::uint64_t unix_microseconds, const std::uint8_t (&random)[8]) noexcept {
    std::uint64_t milliseconds = unix_microseconds / 1000;
    std::uint64_t fraction = (unix_microseconds % 1000) * 4096 / 1000;

    uuid result;
    for (int i = 0; i < 6; ++i)
        result.bytes[i] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
    result.bytes[6] = static_cast<std::uint8_t>(0x70 | (fraction >> 8));
    result.bytes[7] = static_cast<std::uint8_t>(fraction);
    std::memcpy(result.bytes + 8, random, 8);
    result.bytes[8] = static_cast<std::uint8_t>(0x80 | (result.bytes[8] & 0x3f));
    return result;
}

} // namespace tenancy
