#pragma once

#include "words/pure/document.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// What a segment is made of. A segment holds the words of a set of chunks, numbered from 0 in the order of their ids, as
/// rows of limited size, each found by (kind, key, number). Nothing in it changes once it is written.
///
/// Version 1 of the format:
///
///     head       one row: how many chunks, how many words, whether they came or went, and the first id of each page of ids
///     ids        page `number`: id and hash of ids_per_page chunks
///     lengths    page `number`: words of lengths_per_page chunks, of equal width
///     postings   blocks of lexemes in bytewise order with (chunk, frequency) each; key is the block's first lexeme
///     places     blocks of lexemes likewise, with the places in each of those chunks
///
/// A tenant that is frozen has one empty row beside its segments that says so.
///
/// A list that does not fit its block goes on in the next one, which then has the same key and the next number.
namespace tenancy::words {

enum class part : std::int16_t { frozen = -1, head = 0, ids = 1, lengths = 2, postings = 3, places = 4 };

inline constexpr std::uint32_t ids_per_page = 160;
inline constexpr std::uint32_t lengths_per_page = 1000;
inline constexpr std::size_t block_bytes = 3900;

/// The most chunks of a segment: its head must fit into a row.
inline constexpr std::uint32_t most_chunks = 65536;

/// Takes the rows of a new segment.
class part_sink {
public:
    virtual ~part_sink() = default;
    virtual void put(part kind, std::string_view key, std::uint32_t number, std::string_view bytes) = 0;
};

/// Gives the rows of a stored segment. What it gives is valid until the next call.
class part_source {
public:
    virtual ~part_source() = default;

    /// The page of ids or lengths.
    virtual std::string_view page(part kind, std::uint32_t number) = 0;

    /// Call visit for all pages of ids or lengths, in order.
    virtual void for_each_page(part kind, const std::function<void(std::string_view)>& visit) = 0;

    /// Append the blocks in which a lexeme may stand, in order.
    virtual void blocks_of(part kind, std::string_view lexeme, std::vector<std::string>& into) = 0;

    /// Append the first block after one, or the first of all; false at the end.
    virtual bool next_block(part kind, std::string& into, bool from_the_start) = 0;
};

struct segment_head {
    bool is_negative = false;
    std::uint32_t chunks = 0;
    std::uint64_t length = 0;
    std::vector<uuid> first_ids;

    std::string bytes() const;
    static segment_head parse(std::string_view bytes);
};

std::string ids_page(const identity* first, std::size_t count);
void parse_ids_page(std::string_view bytes, std::vector<identity>& into);

std::string lengths_page(const std::uint32_t* first, std::size_t count);
void parse_lengths_page(std::string_view bytes, std::vector<std::uint32_t>& into);

/// The lengths of all chunks of a segment.
void read_lengths(part_source& from, std::uint32_t chunks, std::vector<std::uint32_t>& into);

/// How many chunks stand on a page of a segment.
inline std::uint32_t on_page(std::uint32_t chunks, std::uint32_t per_page, std::uint32_t number) noexcept {
    std::uint64_t before = static_cast<std::uint64_t>(number) * per_page;
    if (before >= chunks) return 0;
    return chunks - static_cast<std::uint32_t>(before) < per_page ? chunks - static_cast<std::uint32_t>(before) : per_page;
}

/// One lexeme of a block.
struct block_entry {
    std::string_view lexeme; ///< valid until the next entry
    std::uint32_t count;     ///< postings
    std::string_view payload;
};

/// Reads a block of postings or places.
class block_reader {
public:
    explicit block_reader(std::string_view block);
    bool next(block_entry& into);

private:
    reader m_bytes;
    std::string m_lexeme;
};

/// Writes the blocks of one kind.
class block_writer {
public:
    block_writer(part kind, part_sink& into) : m_kind{kind}, m_into{into} {}

    void begin(std::string_view lexeme);

    /// Append one posting. `encode(is_first)` makes its bytes, which may differ for the first one of a block.
    template <typename Encode>
    void add(Encode encode) {
        std::string_view unit = encode(m_count == 0);
        if (!fits(unit.size())) {
            flush();
            unit = encode(true);
        }
        m_payload += unit;
        ++m_count;
    }

    void finish();

private:
    bool fits(std::size_t more) const noexcept {
        return m_block.size() + m_payload.size() + m_lexeme.size() + more + 24 <= block_bytes ||
               (m_block.empty() && m_payload.empty());
    }
    void close_list();
    void flush();

    part m_kind;
    part_sink& m_into;
    std::string m_block, m_key;      ///< the lists that are closed, and the first one's lexeme
    std::uint32_t m_number = 0;      ///< of the block: 0 unless it begins within a list
    std::string m_last;              ///< lexeme of the last closed list
    std::string m_lexeme, m_payload; ///< the open list
    std::uint32_t m_count = 0;       ///< its postings in this block
    std::uint32_t m_lists = 0;       ///< blocks that hold a part of it already
};

} // namespace tenancy::words
