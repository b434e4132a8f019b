#include "pure/pure.hpp"

#include "words/pure/document.hpp"

#include <cstring>

namespace tenancy::words {

namespace {

constexpr char log_version = 1;
constexpr std::uint8_t negative = 1;

} // namespace

packed_document::packed_document(const std::vector<word>& words) {
    std::uint64_t length = 0;
    for (const word& one : words)
        length += one.frequency;
    put_varint(m_bytes, length);
    put_varint(m_bytes, words.size());
    for (const word& one : words) {
        put_varint(m_bytes, one.lexeme.size());
        m_bytes += one.lexeme;
        put_varint(m_bytes, one.places ? one.frequency : 0);
        if (one.places == nullptr) {
            put_varint(m_bytes, one.frequency);
            continue;
        }
        std::uint16_t before = 0;
        for (std::uint32_t i = 0; i < one.frequency; ++i) {
            put_varint(m_bytes, static_cast<std::uint16_t>(one.places[i] - before));
            before = one.places[i];
        }
    }
}

std::uint64_t packed_document::hash_of(std::string_view bytes) noexcept {
    // FNV-1a over eight bytes at a time, and a last mix (the finalizer of SplitMix64): wide enough that two versions of
    // one chunk never meet by chance.
    std::uint64_t result = 0xcbf29ce484222325u ^ bytes.size();
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t part;
        std::memcpy(&part, bytes.data() + at, 8);
        result = (result ^ part) * 0x9e3779b97f4a7c15u;
        result ^= result >> 32;
    }
    for (; at < bytes.size(); ++at)
        result = (result ^ static_cast<std::uint8_t>(bytes[at])) * 0x100000001b3u;
    result = (result ^ (result >> 30)) * 0xbf58476d1ce4e5b9u;
    result = (result ^ (result >> 27)) * 0x94d049bb133111ebu;
    return result ^ (result >> 31);
}

document_reader::document_reader(std::string_view bytes)
    : m_bytes{bytes}, m_length{m_bytes.varint32()}, m_left{m_bytes.varint32()} {}

bool document_reader::next(word& into) {
    if (m_left == 0) return false;
    --m_left;
    into.lexeme = m_bytes.bytes(m_bytes.varint());
    std::uint32_t places = m_bytes.varint32();
    if (places == 0) {
        into.frequency = m_bytes.varint32();
        into.places = nullptr;
        return true;
    }
    if (places > UINT16_MAX) refuse_corrupt("A word has too many places.");
    if (m_places.size() < places) m_places.resize(places);
    std::uint64_t place = 0;
    for (std::uint32_t i = 0; i < places; ++i) {
        place += m_bytes.varint();
        m_places[i] = static_cast<std::uint16_t>(place);
    }
    into.frequency = places;
    into.places = m_places.data();
    return true;
}

void put_log_entry(std::string& row, const identity& who, bool is_negative, std::string_view document) {
    if (row.empty()) row += log_version;
    row += static_cast<char>(is_negative ? negative : 0);
    row.append(reinterpret_cast<const char*>(who.id.bytes), sizeof who.id.bytes);
    put_fixed(row, who.content, 8);
    put_varint(row, document.size());
    row += document;
}

log_reader::log_reader(std::string_view row) : m_bytes{row} {
    if (m_bytes.byte() != log_version) refuse_corrupt("A row of its log has an unknown version.");
}

bool log_reader::next(log_entry& into) {
    if (m_bytes.is_at_end()) return false;
    std::uint8_t flags = m_bytes.byte();
    if (flags > negative) refuse_corrupt("An entry of its log has unknown flags.");
    into.is_negative = flags == negative;
    std::memcpy(into.who.id.bytes, m_bytes.bytes(sizeof into.who.id.bytes).data(), sizeof into.who.id.bytes);
    into.who.content = m_bytes.fixed(8);
    into.document = m_bytes.bytes(m_bytes.varint());
    return true;
}

} // namespace tenancy::words
