#include "pure/pure.hpp"

#include "words/pure/build.hpp"

#include "pure/interrupts.hpp"

#include <algorithm>
#include <cstring>

namespace tenancy::words {

namespace {

constexpr std::uint32_t nowhere = UINT32_MAX;

/// The first eight bytes of a lexeme as a number, in whose order lexemes are as far as it tells them apart.
std::uint64_t prefix_of(std::string_view lexeme) noexcept {
    unsigned char bytes[8] = {};
    std::memcpy(bytes, lexeme.data(), std::min<std::size_t>(sizeof bytes, lexeme.size()));
    std::uint64_t result = 0;
    for (unsigned char byte : bytes)
        result = result << 8 | byte;
    return result;
}

/// Numbers lexemes from 0 in the order in which they come; they must outlive it.
class lexeme_numbers {
public:
    struct entry {
        std::string_view text;
        std::uint64_t prefix;
        std::size_t count;
    };

    std::uint32_t number_of(std::string_view text) {
        if (2 * (m_entries.size() + 1) > m_table.size()) grow();
        std::uint64_t prefix = prefix_of(text);
        std::size_t at = slot_of(text, prefix);
        for (; m_table[at] != nowhere; at = (at + 1) & (m_table.size() - 1)) {
            const entry& known = m_entries[m_table[at]];
            if (known.prefix == prefix && known.text == text) return m_table[at];
        }
        auto number = static_cast<std::uint32_t>(m_entries.size());
        m_table[at] = number;
        m_entries.push_back({text, prefix, 0});
        return number;
    }

    std::vector<entry>& entries() noexcept { return m_entries; }

    /// The numbers in bytewise order of the lexemes.
    std::vector<std::uint32_t> sorted() const {
        struct key {
            std::uint64_t prefix;
            std::uint32_t number;
        };
        std::vector<key> keys(m_entries.size());
        for (std::size_t i = 0; i < keys.size(); ++i)
            keys[i] = {m_entries[i].prefix, static_cast<std::uint32_t>(i)};
        interrupt_counter turn;
        std::sort(keys.begin(), keys.end(), [&](const key& a, const key& b) {
            turn();
            return a.prefix != b.prefix ? a.prefix < b.prefix : m_entries[a.number].text < m_entries[b.number].text;
        });
        std::vector<std::uint32_t> result(keys.size());
        for (std::size_t i = 0; i < keys.size(); ++i)
            result[i] = keys[i].number;
        return result;
    }

private:
    std::size_t slot_of(std::string_view text, std::uint64_t prefix) const noexcept {
        std::uint64_t hash = (prefix ^ text.size()) * 0x9e3779b97f4a7c15u;
        if (text.size() > 8) hash = (hash ^ prefix_of(text.substr(text.size() - 8))) * 0xbf58476d1ce4e5b9u;
        return static_cast<std::size_t>(hash ^ hash >> 32) & (m_table.size() - 1);
    }

    void grow() {
        m_table.assign(std::max<std::size_t>(1024, 2 * m_table.size()), nowhere);
        for (std::size_t i = 0; i < m_entries.size(); ++i) {
            std::size_t at = slot_of(m_entries[i].text, m_entries[i].prefix);
            while (m_table[at] != nowhere)
                at = (at + 1) & (m_table.size() - 1);
            m_table[at] = static_cast<std::uint32_t>(i);
        }
    }

    std::vector<entry> m_entries;
    std::vector<std::uint32_t> m_table; ///< open addressing
};

/// The words of some documents, turned from chunk by chunk to lexeme by lexeme.
class inverter {
public:
    void add(std::uint32_t chunk, document_reader& from) {
        word one;
        while (from.next(one)) {
            std::uint32_t number = m_lexemes.number_of(one.lexeme);
            ++m_lexemes.entries()[number].count;
            auto places_at = one.places ? static_cast<std::uint32_t>(m_places.size()) : nowhere;
            if (one.places) m_places.insert(m_places.end(), one.places, one.places + one.frequency);
            m_items.push_back({number, chunk, one.frequency, places_at});
        }
    }

    void write(segment_writer& into) {
        // Items came in the order of chunks; a stable counting sort by lexeme keeps it in each.
        const auto& lexemes = m_lexemes.entries();
        std::vector<std::size_t> ends(lexemes.size());
        std::size_t end = 0;
        for (std::size_t i = 0; i < lexemes.size(); ++i)
            ends[i] = end += lexemes[i].count;
        std::vector<std::uint32_t> order(m_items.size());
        std::vector<std::size_t> next(ends);
        for (std::size_t i = m_items.size(); i-- > 0;)
            order[--next[m_items[i].lexeme]] = static_cast<std::uint32_t>(i);

        interrupt_counter turn;
        for (std::uint32_t lexeme : m_lexemes.sorted()) {
            turn();
            into.begin(lexemes[lexeme].text);
            for (std::size_t i = next[lexeme]; i < ends[lexeme]; ++i) {
                turn();
                const item& one = m_items[order[i]];
                into.add(one.chunk, one.frequency, one.places_at == nowhere ? nullptr : &m_places[one.places_at]);
            }
        }
        into.finish();
    }

private:
    struct item {
        std::uint32_t lexeme, chunk, frequency, places_at;
    };

    lexeme_numbers m_lexemes;
    std::vector<item> m_items;
    std::vector<std::uint16_t> m_places;
};

/// A chunk of one of the segments that are merged.
struct member {
    identity who;
    std::uint32_t input, chunk;

    friend bool operator<(const member& a, const member& b) noexcept {
        if (!(a.who == b.who)) return a.who < b.who;
        return a.input != b.input ? a.input < b.input : a.chunk < b.chunk;
    }
};

void read_members(const merge_input& input, std::uint32_t number, std::vector<member>& into) {
    std::vector<identity> page;
    std::uint32_t chunk = 0;
    for (std::uint32_t i = 0; chunk < input.head.chunks; ++i) {
        look_for_interrupts();
        parse_ids_page(input.from->page(part::ids, i), page);
        if (page.size() != on_page(input.head.chunks, ids_per_page, i)) refuse_corrupt("A page of ids has a wrong size.");
        for (const identity& who : page)
            into.push_back({who, number, chunk++});
    }
}

std::vector<std::uint32_t> lengths_of(const merge_input& input) {
    std::vector<std::uint32_t> all;
    read_lengths(*input.from, input.head.chunks, all);
    return all;
}

/// Take out of both lists, which are sorted, what `equal` finds in both.
template <typename Less>
void cancel(std::vector<member>& came, std::vector<member>& went, Less less) {
    std::vector<member> came_left, went_left;
    std::size_t i = 0, j = 0;
    interrupt_counter turn;
    while (i < came.size() || j < went.size()) {
        turn();
        if (j == went.size() || (i < came.size() && less(came[i], went[j]))) {
            came_left.push_back(came[i++]);
        } else if (i == came.size() || less(went[j], came[i])) {
            went_left.push_back(went[j++]);
        } else {
            ++i;
            ++j;
        }
    }
    came = std::move(came_left);
    went = std::move(went_left);
}

/// Write some members of the inputs as one segment.
void write_members(const std::vector<merge_input>& inputs, const std::vector<std::vector<std::uint32_t>>& lengths,
                   bool is_negative, const member* first, std::size_t count, segment_sink& sink) {
    std::vector<identity> chunks(count);
    std::vector<std::uint32_t> words(count);
    std::vector<std::vector<std::uint32_t>> renumbered(inputs.size());
    for (std::size_t i = 0; i < count; ++i) {
        const member& one = first[i];
        chunks[i] = one.who;
        words[i] = lengths[one.input][one.chunk];
        auto& numbers = renumbered[one.input];
        if (numbers.empty()) numbers.assign(inputs[one.input].head.chunks, nowhere);
        numbers[one.chunk] = static_cast<std::uint32_t>(i);
    }

    struct walking {
        std::size_t input;
        segment_walk walk;
        std::string lexeme;
        posting_cursor postings;
        bool is_more;
    };
    std::vector<walking> walks;
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (!renumbered[i].empty()) walks.push_back({i, {*inputs[i].from, inputs[i].head.chunks}, {}, {}, false});
    for (auto& one : walks)
        one.is_more = one.walk.next(one.lexeme, one.postings);

    // Of one lexeme at a time.
    struct found {
        std::uint32_t chunk, frequency, places_at;
    };
    segment_writer writer{is_negative, chunks, words, sink.begin_segment()};
    std::vector<found> postings;
    std::vector<std::uint16_t> places;
    std::string lexeme;
    interrupt_counter turn;
    for (;;) {
        turn();
        const std::string* least = nullptr;
        for (const auto& one : walks)
            if (one.is_more && (least == nullptr || one.lexeme < *least)) least = &one.lexeme;
        if (least == nullptr) break;
        lexeme = *least;

        postings.clear();
        places.clear();
        bool is_in_order = true;
        for (auto& one : walks) {
            if (!one.is_more || one.lexeme != lexeme) continue;
            while (one.postings.next()) {
                turn();
                std::uint32_t number = renumbered[one.input][one.postings.at().chunk];
                if (number == nowhere) continue;
                const posting& at = one.postings.at();
                is_in_order = is_in_order && (postings.empty() || postings.back().chunk < number);
                postings.push_back({number, at.frequency, at.has_places ? static_cast<std::uint32_t>(places.size()) : nowhere});
                if (at.has_places) places.insert(places.end(), at.places.begin(), at.places.end());
            }
            one.is_more = one.walk.next(one.lexeme, one.postings);
        }
        if (postings.empty()) continue;
        // Mostly a segment has other times than the next, and with them other ids.
        if (!is_in_order)
            std::sort(postings.begin(), postings.end(), [](const found& a, const found& b) { return a.chunk < b.chunk; });
        writer.begin(lexeme);
        for (const found& one : postings)
            writer.add(one.chunk, one.frequency, one.places_at == nowhere ? nullptr : places.data() + one.places_at);
    }
    writer.finish();
}

void write_all(const std::vector<merge_input>& inputs, const std::vector<std::vector<std::uint32_t>>& lengths,
               bool is_negative, const std::vector<member>& members, segment_sink& into) {
    for (std::size_t i = 0; i < members.size(); i += most_chunks)
        write_members(inputs, lengths, is_negative, &members[i], std::min<std::size_t>(most_chunks, members.size() - i), into);
}

} // namespace

void build_segments(bool is_negative, std::vector<document>& documents, segment_sink& into) {
    interrupt_counter turn;
    std::sort(documents.begin(), documents.end(), [&](const document& a, const document& b) {
        turn();
        return a.who < b.who;
    });
    for (std::size_t begin = 0; begin < documents.size(); begin += most_chunks) {
        std::size_t count = std::min<std::size_t>(most_chunks, documents.size() - begin);
        inverter words;
        std::vector<identity> chunks;
        std::vector<std::uint32_t> lengths;
        for (std::size_t i = 0; i < count; ++i) {
            if (i % 64 == 0) look_for_interrupts();
            const document& one = documents[begin + i];
            document_reader from{one.bytes};
            chunks.push_back(one.who);
            lengths.push_back(from.length());
            words.add(static_cast<std::uint32_t>(i), from);
        }
        segment_writer writer{is_negative, chunks, lengths, into.begin_segment()};
        words.write(writer);
    }
}

void merge_segments(const std::vector<merge_input>& inputs, bool is_everything, segment_sink& into) {
    std::vector<member> came, went;
    std::vector<std::vector<std::uint32_t>> lengths;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        look_for_interrupts();
        read_members(inputs[i], static_cast<std::uint32_t>(i), inputs[i].head.is_negative ? went : came);
        lengths.push_back(lengths_of(inputs[i]));
    }
    interrupt_counter turn;
    auto less = [&](const member& a, const member& b) {
        turn();
        return a < b;
    };
    std::sort(came.begin(), came.end(), less);
    std::sort(went.begin(), went.end(), less);
    cancel(came, went, [](const member& a, const member& b) { return a.who < b.who; });
    if (is_everything) {
        cancel(came, went, [](const member& a, const member& b) {
            return std::memcmp(a.who.id.bytes, b.who.id.bytes, sizeof a.who.id.bytes) < 0;
        });
        went.clear();
    }
    write_all(inputs, lengths, false, came, into);
    write_all(inputs, lengths, true, went, into);
}

void memory_segment::put(part kind, std::string_view key, std::uint32_t number, std::string_view bytes) {
    rows[{kind, std::string{key}, number}] = bytes;
}

std::string_view memory_segment::page(part kind, std::uint32_t number) {
    auto found = rows.find({kind, {}, number});
    if (found == rows.end()) refuse_corrupt("A page of a segment is missing.");
    return found->second;
}

void memory_segment::for_each_page(part kind, const std::function<void(std::string_view)>& visit) {
    for (auto at = rows.lower_bound({kind, {}, 0}); at != rows.end() && at->first.kind == kind; ++at)
        visit(at->second);
}

void memory_segment::blocks_of(part kind, std::string_view lexeme, std::vector<std::string>& into) {
    auto begin = rows.lower_bound({kind, {}, 0});
    auto end = rows.upper_bound({kind, std::string{lexeme}, UINT32_MAX});
    auto at = end;
    while (at != begin) {
        --at;
        if (at->first.key != lexeme || at->first.number == 0) break;
    }
    for (; at != end; ++at)
        into.push_back(at->second);
}

bool memory_segment::next_block(part kind, std::string& into, bool from_the_start) {
    auto& next = m_next[static_cast<std::size_t>(kind)];
    if (from_the_start) next = rows.lower_bound({kind, {}, 0});
    if (next == rows.end() || next->first.kind != kind) return false;
    into = next->second;
    ++next;
    return true;
}

segment_head memory_segment::head() { return segment_head::parse(page(part::head, 0)); }

} // namespace tenancy::words
