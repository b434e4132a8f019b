#include "pure/pure.hpp"

#include "words/pure/postings.hpp"

#include <algorithm>

namespace tenancy::words {

segment_writer::segment_writer(bool is_negative, const std::vector<identity>& chunks,
                               const std::vector<std::uint32_t>& lengths, part_sink& into)
    : m_postings{part::postings, into}, m_places{part::places, into} {
    segment_head head;
    head.is_negative = is_negative;
    head.chunks = static_cast<std::uint32_t>(chunks.size());
    for (std::uint32_t length : lengths)
        head.length += length;
    for (std::size_t i = 0; i < chunks.size(); i += ids_per_page)
        head.first_ids.push_back(chunks[i].id);
    into.put(part::head, {}, 0, head.bytes());

    std::uint32_t number = 0;
    for (std::size_t i = 0; i < chunks.size(); i += ids_per_page)
        into.put(part::ids, {}, number++, ids_page(&chunks[i], std::min<std::size_t>(ids_per_page, chunks.size() - i)));
    number = 0;
    for (std::size_t i = 0; i < lengths.size(); i += lengths_per_page)
        into.put(part::lengths, {}, number++,
                 lengths_page(&lengths[i], std::min<std::size_t>(lengths_per_page, lengths.size() - i)));
}

void segment_writer::begin(std::string_view lexeme) {
    m_postings.begin(lexeme);
    m_places.begin(lexeme);
}

void segment_writer::add(std::uint32_t chunk, std::uint32_t frequency, const std::uint16_t* places) {
    m_postings.add([&](bool is_first) {
        m_unit.clear();
        std::uint64_t step = is_first ? chunk : chunk - m_before;
        put_varint(m_unit, step << 1 | (frequency == 1 ? 1 : 0));
        if (frequency != 1) put_varint(m_unit, frequency);
        return std::string_view{m_unit};
    });
    m_before = chunk;

    // First place plus one, so that zero can say that none is known; then the steps.
    m_unit.clear();
    if (places == nullptr) {
        put_varint(m_unit, 0);
    } else {
        put_varint(m_unit, places[0] + 1u);
        for (std::uint32_t i = 1; i < frequency; ++i)
            put_varint(m_unit, static_cast<std::uint16_t>(places[i] - places[i - 1]));
    }
    m_places.add([&](bool) { return std::string_view{m_unit}; });
}

void segment_writer::finish() {
    m_postings.finish();
    m_places.finish();
}

posting_cursor::posting_cursor(part_source& from, std::string_view lexeme, std::uint32_t chunks, bool with_places)
    : m_chunks{chunks}, m_with_places{with_places} {
    find_lists(from, part::postings, lexeme, m_postings);
    if (with_places && !m_postings.empty()) find_lists(from, part::places, lexeme, m_places);
}

void posting_cursor::find_lists(part_source& from, part kind, std::string_view lexeme, lists& into) {
    std::vector<std::string> blocks;
    from.blocks_of(kind, lexeme, blocks);
    for (const std::string& block : blocks) {
        block_reader entries{block};
        block_entry entry;
        while (entries.next(entry)) {
            if (entry.lexeme < lexeme) continue;
            if (entry.lexeme == lexeme) into.add(entry.payload, entry.count);
            break;
        }
    }
}

void posting_cursor::restart(std::uint32_t chunks) noexcept {
    m_chunks = chunks;
    m_with_places = true;
    m_postings.clear();
    m_places.clear();
    m_posting_list = m_place_list = 0;
    m_left = m_places_left = 0;
    m_before = -1;
}

bool posting_cursor::next() {
    while (m_left == 0) {
        if (m_posting_list == m_postings.size()) return false;
        const list& next = m_postings[m_posting_list++];
        m_posting_bytes = reader{next.payload};
        m_left = next.count;
    }
    // The first of a list is counted from the beginning, later ones from the one before.
    bool is_first = m_left == m_postings[m_posting_list - 1].count;
    --m_left;
    std::uint64_t chunk = read_posting(m_posting_bytes, is_first ? 0 : static_cast<std::uint64_t>(m_before), m_before, m_at.frequency);
    m_before = static_cast<std::int64_t>(chunk);
    m_at.chunk = static_cast<std::uint32_t>(chunk);
    if (m_with_places) read_places();
    return true;
}

void posting_cursor::read_places() {
    while (m_places_left == 0) {
        if (m_place_list == m_places.size()) refuse_corrupt("Places of a lexeme are missing.");
        const list& next = m_places[m_place_list++];
        m_place_bytes = reader{next.payload};
        m_places_left = next.count;
    }
    --m_places_left;
    std::uint64_t place = m_place_bytes.varint();
    m_at.places.clear();
    m_at.has_places = place != 0;
    if (!m_at.has_places) return;
    --place;
    m_at.places.push_back(static_cast<std::uint16_t>(place));
    for (std::uint32_t i = 1; i < m_at.frequency; ++i) {
        place += m_place_bytes.varint();
        m_at.places.push_back(static_cast<std::uint16_t>(place));
    }
}

bool segment_walk::lists::peek(block_entry& entry) {
    while (!m_has_entry) {
        if (!m_has_block) {
            m_block.clear();
            if (!m_from.next_block(m_kind, m_block, !m_is_started)) return false;
            m_is_started = true;
            m_has_block = true;
            m_reader = block_reader{m_block};
        }
        m_has_entry = m_reader.next(m_entry);
        m_has_block = m_has_entry;
    }
    entry = m_entry;
    return true;
}

bool segment_walk::next(std::string& lexeme, posting_cursor& into) {
    block_entry entry;
    if (!m_postings.peek(entry)) return false;
    lexeme = entry.lexeme;
    into.restart(m_chunks);
    while (m_postings.peek(entry) && entry.lexeme == lexeme) {
        into.add_list(entry.payload, entry.count);
        m_postings.pop();
    }
    while (m_places.peek(entry) && entry.lexeme == lexeme) {
        into.add_places(entry.payload, entry.count);
        m_places.pop();
    }
    return true;
}

} // namespace tenancy::words
