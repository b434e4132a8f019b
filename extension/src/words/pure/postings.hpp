#pragma once

#include "words/pure/parts.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::words {

/// A lexeme in one chunk of a segment.
struct posting {
    std::uint32_t chunk;
    std::uint32_t frequency;
    bool has_places = false;
    std::vector<std::uint16_t> places; ///< `frequency` of them, where has_places and they were read
};

/// Writes the rows of a segment: its chunks first, then lexeme by lexeme in bytewise order, chunks ascending in each.
class segment_writer {
public:
    /// @param chunks  at most most_chunks, in order
    /// @param lengths words of each
    segment_writer(bool is_negative, const std::vector<identity>& chunks, const std::vector<std::uint32_t>& lengths,
                   part_sink& into);

    void begin(std::string_view lexeme);
    void add(std::uint32_t chunk, std::uint32_t frequency, const std::uint16_t* places);
    void finish();

private:
    block_writer m_postings, m_places;
    std::string m_unit;
    std::uint32_t m_before = 0;
};

/// Goes through the chunks of a segment in which a lexeme stands.
class posting_cursor {
public:
    posting_cursor() = default;

    /// @param chunks      of the segment
    /// @param with_places whether next() reads them, too
    posting_cursor(part_source& from, std::string_view lexeme, std::uint32_t chunks, bool with_places);

    /// Begin with another lexeme, without lists: for a walk through a whole segment, which adds them.
    void restart(std::uint32_t chunks) noexcept;
    void add_list(std::string_view payload, std::uint32_t count) { m_postings.add(payload, count); }
    void add_places(std::string_view payload, std::uint32_t count) { m_places.add(payload, count); }

    bool next();
    const posting& at() const noexcept { return m_at; }

    /// How many chunks it goes through.
    std::uint64_t count() const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < m_postings.size(); ++i)
            sum += m_postings[i].count;
        return sum;
    }

    std::size_t bytes() const noexcept {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < m_postings.size(); ++i)
            sum += m_postings[i].payload.size();
        return sum;
    }

    /// Call visit(chunk, frequency) for all of them, without places. It does not move.
    template <typename Visit>
    void for_each(Visit visit) const {
        std::int64_t before = -1;
        for (std::size_t i = 0; i < m_postings.size(); ++i) {
            reader bytes{m_postings[i].payload};
            std::uint64_t chunk = 0;
            for (std::uint32_t left = m_postings[i].count; left > 0; --left) {
                std::uint32_t frequency;
                chunk = read_posting(bytes, chunk, before, frequency);
                before = static_cast<std::int64_t>(chunk);
                visit(static_cast<std::uint32_t>(chunk), frequency);
            }
        }
    }

private:
    struct list {
        std::string payload;
        std::uint32_t count;
    };

    /// Lists whose memory is used again.
    class lists {
    public:
        void add(std::string_view payload, std::uint32_t count) {
            if (m_count == m_all.size()) m_all.emplace_back();
            list& one = m_all[m_count++];
            one.payload = payload;
            one.count = count;
        }
        void clear() noexcept { m_count = 0; }
        std::size_t size() const noexcept { return m_count; }
        bool empty() const noexcept { return m_count == 0; }
        const list& operator[](std::size_t number) const noexcept { return m_all[number]; }

    private:
        std::vector<list> m_all;
        std::size_t m_count = 0;
    };

    /// The next posting of a list.
    ///
    /// @param counted_from the one before it in the list, or 0: the first of a list is counted from the beginning
    /// @param before       the chunk before, of all lists
    std::uint64_t read_posting(reader& from, std::uint64_t counted_from, std::int64_t before, std::uint32_t& frequency) const {
        std::uint64_t coded = from.varint();
        std::uint64_t chunk = (coded >> 1) + counted_from;
        if (chunk >= m_chunks || static_cast<std::int64_t>(chunk) <= before) refuse_corrupt("A posting is out of order.");
        frequency = coded & 1 ? 1 : from.varint32();
        if (frequency == 0 || frequency > UINT16_MAX) refuse_corrupt("A frequency is out of range.");
        return chunk;
    }

    static void find_lists(part_source& from, part kind, std::string_view lexeme, lists& into);
    void read_places();

    lists m_postings, m_places;
    std::size_t m_posting_list = 0, m_place_list = 0;
    reader m_posting_bytes, m_place_bytes;
    std::uint32_t m_left = 0, m_places_left = 0;
    std::uint32_t m_chunks = 0;
    std::int64_t m_before = -1;
    bool m_with_places = false;
    posting m_at{};
};

/// Goes through all lexemes of a segment in order, each with its postings and places.
class segment_walk {
public:
    segment_walk(part_source& from, std::uint32_t chunks) : m_postings{from, part::postings}, m_places{from, part::places}, m_chunks{chunks} {}

    /// The next lexeme; false at the end.
    bool next(std::string& lexeme, posting_cursor& into);

private:
    /// The lists of one kind, block by block.
    class lists {
    public:
        lists(part_source& from, part kind) : m_from{from}, m_kind{kind} {}
        bool peek(block_entry& entry);
        void pop() { m_has_entry = false; }

    private:
        part_source& m_from;
        part m_kind;
        std::string m_block;
        bool m_is_started = false, m_has_block = false, m_has_entry = false;
        block_reader m_reader{std::string_view{"\1", 1}};
        block_entry m_entry{};
    };

    lists m_postings, m_places;
    std::uint32_t m_chunks;
};

} // namespace tenancy::words
