#include "pure/pure.hpp"

#include "words/pure/parts.hpp"

#include <algorithm>
#include <cstring>

namespace tenancy::words {

namespace {

constexpr char version = 1;

reader checked(std::string_view bytes) {
    reader result{bytes};
    if (result.byte() != version) refuse_corrupt("A row of a segment has an unknown version.");
    return result;
}

void require_end(const reader& bytes) {
    if (!bytes.is_at_end()) refuse_corrupt("A row of a segment is too long.");
}

void put_id(std::string& into, const uuid& id) { into.append(reinterpret_cast<const char*>(id.bytes), sizeof id.bytes); }

uuid get_id(reader& from) {
    uuid id;
    std::memcpy(id.bytes, from.bytes(sizeof id.bytes).data(), sizeof id.bytes);
    return id;
}

template <typename Packed>
void append_all(std::string_view packed, std::vector<std::uint32_t>& into) {
    if (packed.size() % sizeof(Packed) != 0) refuse_corrupt("A page of lengths has a wrong size.");
    auto* at = reinterpret_cast<const std::uint8_t*>(packed.data());
    std::size_t before = into.size(), count = packed.size() / sizeof(Packed);
    into.resize(before + count);
    for (std::uint32_t* length = into.data() + before; count > 0; --count, ++length, at += sizeof(Packed)) {
        *length = 0;
        for (std::size_t i = 0; i < sizeof(Packed); ++i)
            *length |= static_cast<std::uint32_t>(at[i]) << (8 * i);
    }
}

void append_lengths(std::string_view bytes, std::vector<std::uint32_t>& into) {
    reader from = checked(bytes);
    std::size_t width = from.byte();
    std::string_view packed = from.bytes(bytes.size() - 2);
    switch (width) {
    case 1: return append_all<std::uint8_t>(packed, into);
    case 2: return append_all<std::uint16_t>(packed, into);
    case 4: return append_all<std::uint32_t>(packed, into);
    default: refuse_corrupt("A page of lengths has an unknown width.");
    }
}

} // namespace

std::string segment_head::bytes() const {
    std::string result(1, version);
    result += is_negative ? '\1' : '\0';
    put_varint(result, chunks);
    put_varint(result, length);
    for (const uuid& id : first_ids)
        put_id(result, id);
    return result;
}

segment_head segment_head::parse(std::string_view bytes) {
    reader from = checked(bytes);
    segment_head head;
    head.is_negative = from.byte() != 0;
    head.chunks = from.varint32();
    head.length = from.varint();
    if (head.chunks > most_chunks) refuse_corrupt("A segment holds too many chunks.");
    head.first_ids.resize((head.chunks + ids_per_page - 1) / ids_per_page);
    for (uuid& id : head.first_ids)
        id = get_id(from);
    require_end(from);
    return head;
}

std::string ids_page(const identity* first, std::size_t count) {
    std::string result(1, version);
    for (std::size_t i = 0; i < count; ++i) {
        put_id(result, first[i].id);
        put_fixed(result, first[i].content, 8);
    }
    return result;
}

void parse_ids_page(std::string_view bytes, std::vector<identity>& into) {
    constexpr std::size_t size = sizeof(uuid) + 8;

    std::string_view packed = checked(bytes).bytes(bytes.size() - 1);
    if (packed.size() % size != 0) refuse_corrupt("A page of ids has a wrong size.");
    auto* at = reinterpret_cast<const std::uint8_t*>(packed.data());
    into.resize(packed.size() / size);
    for (identity& one : into) {
        std::memcpy(one.id.bytes, at, sizeof one.id.bytes);
        one.content = 0;
        for (std::size_t i = 0; i < 8; ++i)
            one.content |= static_cast<std::uint64_t>(at[sizeof one.id.bytes + i]) << (8 * i);
        at += size;
    }
}

std::string lengths_page(const std::uint32_t* first, std::size_t count) {
    std::uint32_t longest = 0;
    for (std::size_t i = 0; i < count; ++i)
        longest = std::max(longest, first[i]);
    std::size_t width = longest < 0x100 ? 1 : longest < 0x10000 ? 2 : 4;
    std::string result(1, version);
    result += static_cast<char>(width);
    for (std::size_t i = 0; i < count; ++i)
        put_fixed(result, first[i], width);
    return result;
}

void parse_lengths_page(std::string_view bytes, std::vector<std::uint32_t>& into) {
    into.clear();
    append_lengths(bytes, into);
}

void read_lengths(part_source& from, std::uint32_t chunks, std::vector<std::uint32_t>& into) {
    into.clear();
    into.reserve(chunks);
    std::uint32_t number = 0;
    from.for_each_page(part::lengths, [&](std::string_view page) {
        append_lengths(page, into);
        std::uint64_t end = std::min<std::uint64_t>(chunks, std::uint64_t{++number} * lengths_per_page);
        if (into.size() != end) refuse_corrupt("A page of lengths has a wrong size.");
    });
    if (into.size() != chunks) refuse_corrupt("A page of a segment is missing.");
}

block_reader::block_reader(std::string_view block) : m_bytes{checked(block)} {}

bool block_reader::next(block_entry& into) {
    if (m_bytes.is_at_end()) return false;
    std::uint64_t shared = m_bytes.varint();
    if (shared > m_lexeme.size()) refuse_corrupt("A lexeme shares more than there is.");
    std::string_view rest = m_bytes.bytes(m_bytes.varint());
    m_lexeme.resize(static_cast<std::size_t>(shared));
    m_lexeme += rest;
    into.lexeme = m_lexeme;
    into.count = m_bytes.varint32();
    into.payload = m_bytes.bytes(m_bytes.varint());
    return true;
}

void block_writer::begin(std::string_view lexeme) {
    close_list();
    m_lexeme = lexeme;
    m_lists = 0;
}

void block_writer::close_list() {
    if (m_count == 0) return;
    if (m_block.empty()) {
        m_block += version;
        m_key = m_lexeme;
        m_number = m_lists;
    }
    std::size_t most = std::min(m_last.size(), m_lexeme.size());
    auto differs = std::mismatch(m_last.begin(), m_last.begin() + static_cast<std::ptrdiff_t>(most), m_lexeme.begin());
    auto shared = static_cast<std::size_t>(differs.first - m_last.begin());
    put_varint(m_block, shared);
    put_varint(m_block, m_lexeme.size() - shared);
    m_block.append(m_lexeme, shared, std::string::npos);
    put_varint(m_block, m_count);
    put_varint(m_block, m_payload.size());
    m_block += m_payload;
    m_last = m_lexeme;
    ++m_lists;
    m_count = 0;
    m_payload.clear();
}

void block_writer::flush() {
    close_list();
    if (!m_block.empty()) m_into.put(m_kind, m_key, m_number, m_block);
    m_block.clear();
    m_last.clear();
}

void block_writer::finish() { flush(); }

} // namespace tenancy::words
