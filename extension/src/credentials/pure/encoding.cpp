#include "pure/pure.hpp"

#include "credentials/pure/encoding.hpp"

#include <algorithm>
#include <array>

namespace tenancy::credentials {

namespace {

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> make_base64_values() {
    std::array<std::int8_t, 256> values{};
    for (auto& value : values) value = -1;
    for (std::size_t i = 0; i < base64_digits.size(); ++i)
        values[static_cast<unsigned char>(base64_digits[i])] = static_cast<std::int8_t>(i);
    return values;
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xedb88320u : 0u);
        table[i] = value;
    }
    return table;
}

constexpr auto base64_values = make_base64_values();
constexpr auto crc_table = make_crc_table();

} // namespace

bool is_base58(std::string_view text) noexcept {
    return text.find_first_not_of(base58_digits) == std::string_view::npos;
}

std::string base58(const std::uint8_t* bytes, std::size_t size, std::size_t width) {
    std::array<std::uint8_t, 64> number{};
    size = std::min(size, number.size());
    std::copy(bytes, bytes + size, number.begin());

    std::string text(width, base58_digits[0]);
    for (std::size_t digit = width; digit-- > 0;) {
        unsigned remainder = 0;
        for (std::size_t i = 0; i < size; ++i) {
            unsigned value = remainder * 256 + number[i];
            number[i] = static_cast<std::uint8_t>(value / 58);
            remainder = value % 58;
        }
        text[digit] = base58_digits[remainder];
    }
    return text;
}

std::uint32_t crc32(std::string_view bytes) noexcept {
    std::uint32_t value = 0xffffffffu;
    for (char c : bytes) value = (value >> 8) ^ crc_table[(value ^ static_cast<unsigned char>(c)) & 0xff];
    return ~value;
}

std::string base64url(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    int held = 0;
    for (char c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        held += 8;
        while (held >= 6) text += base64_digits[(bits >> (held -= 6)) & 63];
    }
    if (held > 0) text += base64_digits[(bits << (6 - held)) & 63];
    return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int held = 0;
    for (char c : text) {
        int value = base64_values[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        bits = ((bits << 6) | static_cast<std::uint32_t>(value)) & 0xffffu;
        held += 6;
        if (held >= 8) bytes += static_cast<char>((bits >> (held -= 8)) & 0xff);
    }
    // One text for one value: what is left over must be zero.
    if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
    return bytes;
}

} // namespace tenancy::credentials
