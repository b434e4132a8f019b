#include "tenancy/ids.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <random>
#include <utility>

namespace tenancy {

namespace detail {

namespace {

constexpr int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

constexpr bool is_dash_position(std::size_t i) noexcept {
    return i == 8 || i == 13 || i == 18 || i == 23;
}

} // namespace

std::optional<uuid_bytes> parse_uuid(std::string_view text) noexcept {
    if (text.size() != 36)
        return std::nullopt;
    uuid_bytes bytes{};
    std::size_t byte = 0;
    for (std::size_t i = 0; i < 36;) {
        if (is_dash_position(i)) {
            if (text[i] != '-')
                return std::nullopt;
            ++i;
            continue;
        }
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            return std::nullopt;
        bytes[byte++] = static_cast<std::uint8_t>(high * 16 + low);
        i += 2;
    }
    return bytes;
}

std::string format_uuid(const uuid_bytes& bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

// 48 bits of milliseconds, then a 12-bit counter that keeps the ids of one millisecond in order (RFC
// 9562, 6.2, method 1), then 62 random bits.
uuid_bytes generate_uuid_v7() {
    static std::mutex mutex;
    static std::uint64_t last_ms = 0;
    static std::uint32_t counter = 0;
    static std::random_device device;

    std::uint64_t ms;
    std::uint32_t sequence;
    std::uint64_t random;
    {
        const std::lock_guard lock{mutex};
        const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
        ms = static_cast<std::uint64_t>(std::max<std::int64_t>(now, 0));
        if (ms > last_ms) {
            last_ms = ms;
            counter = device() & 0x3ffu; // leaves room to count up within the millisecond
        } else if (++counter > 0xfffu) {
            ++last_ms; // the clock stands still or went back, or the millisecond is full: borrow the next one
            counter = 0;
        }
        ms = last_ms;
        sequence = counter;
        random = (std::uint64_t{device()} << 32) | device();
    }

    uuid_bytes bytes{};
    for (std::size_t i = 0; i < 6; ++i)
        bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    bytes[6] = static_cast<std::uint8_t>(0x70u | (sequence >> 8));
    bytes[7] = static_cast<std::uint8_t>(sequence);
    for (std::size_t i = 8; i < 16; ++i)
        bytes[i] = static_cast<std::uint8_t>(random >> (8 * (15 - i)));
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fu) | 0x80u);
    return bytes;
}

} // namespace detail

namespace {

std::string bad_id_message(std::string_view what_kind, std::string_view text) {
    std::string message = "not a ";
    message += what_kind;
    message += ": \"";
    message += text.substr(0, 64);
    message += text.size() > 64 ? "...\"" : "\"";
    message += " (a uuid such as 0190f5a2-7c3e-7b1a-8d4f-3c2b1a098765 is expected)";
    return message;
}

} // namespace

bad_id::bad_id(std::string_view what_kind, std::string_view text)
    : std::invalid_argument{bad_id_message(what_kind, text)} {}

tenant_slug::tenant_slug(std::string text) : text_{std::move(text)} {
    if (text_.empty())
        throw std::invalid_argument{"a tenant's slug must not be empty"};
    if (text_.size() > 255)
        throw std::invalid_argument{"a tenant's slug has at most 255 bytes, not " +
                                    std::to_string(text_.size())};
    if (text_.find('\0') != std::string::npos)
        throw std::invalid_argument{"a tenant's slug must not hold a zero byte"};
}

} // namespace tenancy
