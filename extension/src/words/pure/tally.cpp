#include "pure/pure.hpp"

#include "words/pure/tally.hpp"

#include <algorithm>

namespace tenancy::words {

tally::tally(const query_shape& query, matcher& by)
    : m_query{query}, m_by{by}, m_now(query.terms.size()), m_stand(query.lexemes.size()), m_holding(query.terms.size()) {}

void tally::restrict_to(std::vector<uuid> ids) {
    m_is_restricted = true;
    m_wanted = std::move(ids);
}

bool tally::is_wanted(const uuid& id) const {
    return !m_is_restricted || std::binary_search(m_wanted.begin(), m_wanted.end(), id, search::key_less);
}

const std::vector<identity>& tally::ids_of(source& of, std::uint32_t page) {
    if (of.page == page) return of.ids;
    of.page = UINT32_MAX;
    parse_ids_page(of.from->page(part::ids, page), of.ids);
    if (of.ids.size() != on_page(of.head.chunks, ids_per_page, page)) refuse_corrupt("A page of ids has a wrong size.");
    of.page = page;
    return of.ids;
}

void tally::count_all(const segment_head& head) {
    std::int64_t sign = head.is_negative ? -1 : 1;
    m_chunks += sign * static_cast<std::int64_t>(head.chunks);
    m_length += sign * static_cast<std::int64_t>(head.length);
}

namespace {

/// The pages of lengths of a segment, one at a time.
class length_pages {
public:
    length_pages(part_source& from, std::uint32_t chunks) : m_from{from}, m_chunks{chunks} {}

    std::uint32_t of(std::uint32_t chunk) {
        std::uint32_t page = chunk / lengths_per_page;
        if (page != m_page) {
            parse_lengths_page(m_from.page(part::lengths, page), m_lengths);
            if (m_lengths.size() != on_page(m_chunks, lengths_per_page, page))
                refuse_corrupt("A page of lengths has a wrong size.");
            m_page = page;
        }
        return m_lengths[chunk % lengths_per_page];
    }

private:
    part_source& m_from;
    std::uint32_t m_chunks, m_page = UINT32_MAX;
    std::vector<std::uint32_t> m_lengths;
};

} // namespace

void tally::count_wanted(source& of, std::vector<bool>& wanted) {
    std::int64_t sign = of.head.is_negative ? -1 : 1;
    length_pages lengths{*of.from, of.head.chunks};
    wanted.assign(of.head.chunks, false);
    for (std::uint32_t chunk = 0; chunk < of.head.chunks; ++chunk) {
        if (!is_wanted(ids_of(of, chunk / ids_per_page)[chunk % ids_per_page].id)) continue;
        wanted[chunk] = true;
        m_chunks += sign;
        m_length += sign * static_cast<std::int64_t>(lengths.of(chunk));
    }
}

void tally::add_match(const judgement& judged, std::uint32_t from, std::uint32_t chunk, std::uint32_t length,
                      bool is_negative) {
    if (!judged.is_hit && !judged.is_forbidden) return;
    if (judged.is_hit)
        for (std::size_t term = 0; term < m_now.size(); ++term)
            if (m_now[term] > 0) m_holding[term] += is_negative ? -1 : 1;
    m_matches.push_back({0, from, chunk, length, is_negative, judged.is_hit, judged.is_forbidden});
    for (std::uint32_t frequency : m_now)
        m_frequencies.push_back(static_cast<std::uint16_t>(frequency));
}

void tally::add_segment(const segment_head& head, part_source& from) {
    auto number = static_cast<std::uint32_t>(m_sources.size());
    source& of = m_sources.emplace_back();
    of.head = head;
    of.from = &from;
    of.first_match = m_matches.size();
    std::vector<bool> wanted;
    if (m_is_restricted)
        count_wanted(of, wanted);
    else
        count_all(head);

    struct walking {
        std::size_t lexeme;
        posting_cursor cursor;
        bool is_more;
    };
    std::vector<walking> walks;
    walks.reserve(m_query.lexemes.size());
    for (std::size_t i = 0; i < m_query.lexemes.size(); ++i) {
        posting_cursor cursor{from, m_query.lexemes[i], head.chunks, m_query.needs_places[i]};
        if (cursor.next()) walks.push_back({i, std::move(cursor), true});
    }

    length_pages lengths{from, head.chunks};
    std::fill(m_stand.begin(), m_stand.end(), occurrence{});
    for (;;) {
        std::uint32_t chunk = UINT32_MAX;
        for (const walking& one : walks)
            if (one.is_more) chunk = std::min(chunk, one.cursor.at().chunk);
        if (chunk == UINT32_MAX) break;
        for (walking& one : walks) {
            bool stands = one.is_more && one.cursor.at().chunk == chunk;
            const posting& at = one.cursor.at();
            m_stand[one.lexeme] = stands ? occurrence{at.frequency, at.has_places, at.places.data()} : occurrence{};
        }
        if (wanted.empty() || wanted[chunk]) {
            judgement judged = judge(m_query, m_by, m_stand.data(), m_now.data());
            if (judged.is_hit || judged.is_forbidden)
                add_match(judged, number, chunk, lengths.of(chunk), head.is_negative);
        }
        for (walking& one : walks)
            if (one.is_more && one.cursor.at().chunk == chunk) one.is_more = one.cursor.next();
    }
    of.end_match = m_matches.size();
}

void tally::add_log_row(std::string_view row) {
    log_reader entries{row};
    log_entry entry;
    std::vector<std::vector<std::uint16_t>> places(m_query.lexemes.size());
    while (entries.next(entry)) {
        if (!is_wanted(entry.who.id)) continue;
        document_reader words{entry.document};
        m_chunks += entry.is_negative ? -1 : 1;
        m_length += (entry.is_negative ? -1 : 1) * static_cast<std::int64_t>(words.length());

        std::fill(m_stand.begin(), m_stand.end(), occurrence{});
        word one;
        std::size_t lexeme = 0;
        while (lexeme < m_query.lexemes.size() && words.next(one)) {
            while (lexeme < m_query.lexemes.size() && m_query.lexemes[lexeme] < one.lexeme)
                ++lexeme;
            if (lexeme == m_query.lexemes.size() || m_query.lexemes[lexeme] != one.lexeme) continue;
            if (one.frequency > UINT16_MAX) refuse_corrupt("A frequency is out of range.");
            if (one.places) places[lexeme].assign(one.places, one.places + one.frequency);
            m_stand[lexeme] = {one.frequency, one.places != nullptr, places[lexeme].data()};
            ++lexeme;
        }
        judgement judged = judge(m_query, m_by, m_stand.data(), m_now.data());
        if (!judged.is_hit && !judged.is_forbidden) continue;
        add_match(judged, in_log, static_cast<std::uint32_t>(m_log_ids.size()), words.length(), entry.is_negative);
        m_log_ids.push_back(entry.who.id);
    }
}

void tally::finish(const std::vector<std::uint32_t>& query_counts, search::bm25_parameters parameters) {
    auto count = [](std::int64_t sum) { return sum > 0 ? static_cast<std::uint64_t>(sum) : 0; };
    std::vector<std::uint64_t> holding;
    for (std::int64_t sum : m_holding)
        holding.push_back(count(sum));
    m_statistics.emplace(count(m_chunks), count(m_length), std::move(holding));

    search::bm25_scorer scorer{*m_statistics, query_counts, parameters};
    for (std::size_t i = 0; i < m_matches.size(); ++i) {
        match& one = m_matches[i];
        if (!one.is_hit) continue;
        for (std::size_t term = 0; term < m_now.size(); ++term)
            m_now[term] = m_frequencies[i * m_now.size() + term];
        one.score = scorer.score(one.length, m_now.data());
        if (!one.is_forbidden) (one.is_negative ? m_went : m_came).push_back(static_cast<std::uint32_t>(i));
    }
}

uuid tally::id_of(const match& of) {
    if (of.source == in_log) return m_log_ids[of.chunk];
    return ids_of(m_sources[of.source], of.chunk / ids_per_page)[of.chunk % ids_per_page].id;
}

bool tally::more(std::size_t count, std::vector<search::ranked>& into) {
    auto is_worse = [&](std::uint32_t a, std::uint32_t b) { return m_matches[a].score < m_matches[b].score; };
    if (!m_is_ranked) {
        std::make_heap(m_came.begin(), m_came.end(), is_worse);
        std::make_heap(m_went.begin(), m_went.end(), is_worse);
        m_is_ranked = true;
    }
    std::size_t enough = into.size() + count;
    std::vector<std::uint32_t> group;
    std::vector<uuid> alive, dead;
    auto take = [&](std::vector<std::uint32_t>& heap, double score, std::vector<uuid>& ids) {
        group.clear();
        ids.clear();
        while (!heap.empty() && m_matches[heap.front()].score == score) {
            std::pop_heap(heap.begin(), heap.end(), is_worse);
            group.push_back(heap.back());
            heap.pop_back();
        }
        // In the order of the pages that they stand on.
        std::sort(group.begin(), group.end());
        for (std::uint32_t one : group)
            ids.push_back(id_of(m_matches[one]));
        std::sort(ids.begin(), ids.end(), search::key_less);
    };

    while (into.size() < enough && !m_came.empty()) {
        double score = m_matches[m_came.front()].score;
        while (!m_went.empty() && m_matches[m_went.front()].score > score)
            take(m_went, m_matches[m_went.front()].score, dead);
        take(m_came, score, alive);
        take(m_went, score, dead);
        auto next_dead = dead.begin();
        for (const uuid& id : alive) {
            while (next_dead != dead.end() && search::key_less(*next_dead, id))
                ++next_dead;
            if (next_dead != dead.end() && *next_dead == id)
                ++next_dead;
            else
                into.push_back({id, score});
        }
    }
    return !m_came.empty();
}

bool tally::find_chunks(source& in, const uuid& id, std::uint32_t& first, std::uint32_t& end) {
    const std::vector<uuid>& fences = in.head.first_ids;
    auto page = std::lower_bound(fences.begin(), fences.end(), id, search::key_less);
    // Versions of the id may end the page before the one that begins with it.
    std::size_t number = static_cast<std::size_t>(page - fences.begin());
    if (number > 0) --number;
    first = end = 0;
    bool is_found = false;
    for (; number < fences.size() && !search::key_less(id, fences[number]); ++number) {
        const auto& ids = ids_of(in, static_cast<std::uint32_t>(number));
        auto at = std::lower_bound(ids.begin(), ids.end(), id,
                                   [](const identity& a, const uuid& b) { return search::key_less(a.id, b); });
        for (; at != ids.end() && at->id == id; ++at) {
            auto chunk = static_cast<std::uint32_t>(number * ids_per_page + static_cast<std::size_t>(at - ids.begin()));
            if (!is_found) first = chunk;
            end = chunk + 1;
            is_found = true;
        }
        if (at != ids.end()) break;
    }
    return is_found;
}

std::vector<tally::answer> tally::look_up(const std::vector<uuid>& ids) {
    // In the order of ids, so that each page is read once.
    std::vector<std::uint32_t> order(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
        order[i] = static_cast<std::uint32_t>(i);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return search::key_less(ids[a], ids[b]); });

    struct version {
        std::uint32_t place; ///< in ids
        double score;
        bool is_forbidden;
        int sign;
    };
    std::vector<version> versions;
    auto add = [&](std::uint32_t place, const match& one) {
        versions.push_back({place, one.is_forbidden ? 0 : one.score, one.is_forbidden, one.is_negative ? -1 : 1});
    };
    for (source& in : m_sources) {
        if (in.first_match == in.end_match) continue;
        auto begin = m_matches.begin() + static_cast<std::ptrdiff_t>(in.first_match),
             end = m_matches.begin() + static_cast<std::ptrdiff_t>(in.end_match);
        for (std::uint32_t place : order) {
            std::uint32_t first, last;
            if (!find_chunks(in, ids[place], first, last)) continue;
            auto found = std::lower_bound(begin, end, first, [](const match& a, std::uint32_t b) { return a.chunk < b; });
            for (; found != end && found->chunk < last; ++found)
                add(place, *found);
        }
    }
    for (const match& one : m_matches) {
        if (one.source != in_log) continue;
        const uuid& id = m_log_ids[one.chunk];
        auto at = std::lower_bound(order.begin(), order.end(), id,
                                   [&](std::uint32_t a, const uuid& b) { return search::key_less(ids[a], b); });
        for (; at != order.end() && ids[*at] == id; ++at)
            add(*at, one);
    }
    std::sort(versions.begin(), versions.end(), [](const version& a, const version& b) {
        if (a.place != b.place) return a.place < b.place;
        return a.is_forbidden != b.is_forbidden ? a.is_forbidden < b.is_forbidden : a.score < b.score;
    });

    std::vector<answer> answers(ids.size());
    for (std::size_t i = 0; i < versions.size();) {
        const version& first = versions[i];
        int sum = 0;
        for (; i < versions.size() && versions[i].place == first.place && versions[i].score == first.score &&
               versions[i].is_forbidden == first.is_forbidden;
             ++i)
            sum += versions[i].sign;
        if (sum > 0) answers[first.place] = {first.score, first.is_forbidden};
    }
    return answers;
}

} // namespace tenancy::words
