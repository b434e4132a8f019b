#pragma once

#include "pure/error.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tenancy::words {

/// What is stored cannot be what was written.
[[noreturn]] inline void refuse_corrupt(const char* detail) {
    throw error{"XX002", "keyword store is corrupt", detail, "Build it anew with tenancy.rebuild_corpus()."};
}

inline void put_varint(std::string& into, std::uint64_t value) {
    while (value >= 0x80) {
        into += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    into += static_cast<char>(value);
}

/// Little-endian, of `width` bytes.
inline void put_fixed(std::string& into, std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i)
        into += static_cast<char>(value >> (8 * i));
}

/// Reads what the functions above wrote, and never past the end.
class reader {
public:
    reader() = default;
    explicit reader(std::string_view bytes) noexcept
        : m_at{reinterpret_cast<const std::uint8_t*>(bytes.data())}, m_end{m_at + bytes.size()} {}

    bool is_at_end() const noexcept { return m_at == m_end; }

    std::uint64_t varint() {
        if (m_at != m_end && *m_at < 0x80) return *m_at++;
        return long_varint();
    }

    std::uint32_t varint32() {
        std::uint64_t value = varint();
        if (value > UINT32_MAX) refuse_corrupt("A number is too large.");
        return static_cast<std::uint32_t>(value);
    }

    std::string_view bytes(std::uint64_t count) {
        if (count > static_cast<std::uint64_t>(m_end - m_at)) refuse_corrupt("It ends too early.");
        std::string_view result{reinterpret_cast<const char*>(m_at), static_cast<std::size_t>(count)};
        m_at += count;
        return result;
    }

    std::uint8_t byte() { return static_cast<std::uint8_t>(bytes(1)[0]); }

    std::uint64_t fixed(std::size_t width) {
        std::string_view given = bytes(width);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < width; ++i)
            value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(given[i])) << (8 * i);
        return value;
    }

private:
    std::uint64_t long_varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            std::uint8_t next = byte();
            value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
        refuse_corrupt("A number does not end.");
    }

    const std::uint8_t* m_at = nullptr;
    const std::uint8_t* m_end = nullptr;
};

} // namespace tenancy::words
