#include "pure/pure.hpp"

#include "words/pure/tally.hpp"

#include "pure/interrupts.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace tenancy::words {

tally::tally(const query_shape& query, matcher& by)
    : m_query{query}, m_by{by}, m_now(query.terms.size()), m_stand(query.lexemes.size()), m_holding(query.terms.size()) {}

void tally::restrict_to(std::vector<uuid> ids) {
    m_is_restricted = true;
    m_wanted = std::move(ids);
}

bool tally::is_plain() const noexcept {
    return !m_is_restricted && m_query.phrases.empty() &&
           std::all_of(m_query.forbidden.begin(), m_query.forbidden.end(), [](const condition& one) { return one.is_one_lexeme; });
}

bool tally::is_wanted(const uuid& id) const {
    return !m_is_restricted || std::binary_search(m_wanted.begin(), m_wanted.end(), id, key_less);
}

const std::vector<identity>& tally::ids_of(source& of, std::uint32_t page) {
    // A fusion of rankings asks for the same ones again.
    constexpr std::size_t most_kept = 256;

    auto known = of.ids.find(page);
    if (known != of.ids.end()) return known->second;
    std::vector<identity> ids;
    parse_ids_page(of.from->page(part::ids, page), ids);
    if (ids.size() != on_page(of.head.chunks, ids_per_page, page)) refuse_corrupt("A page of ids has a wrong size.");
    if (of.ids.size() == most_kept) of.ids.clear();
    return of.ids.emplace(page, std::move(ids)).first->second;
}

void tally::count_all(const segment_head& head) {
    std::int64_t sign = head.is_negative ? -1 : 1;
    m_chunks += sign * static_cast<std::int64_t>(head.chunks);
    m_length += sign * static_cast<std::int64_t>(head.length);
}

void tally::count_wanted(source& of, std::vector<bool>& wanted) {
    std::int64_t sign = of.head.is_negative ? -1 : 1;
    length_pages lengths{*of.from, of.head.chunks};
    wanted.assign(of.head.chunks, false);
    interrupt_counter turn;
    for (std::uint32_t chunk = 0; chunk < of.head.chunks; ++chunk) {
        turn();
        if (!is_wanted(ids_of(of, chunk / ids_per_page)[chunk % ids_per_page].id)) continue;
        wanted[chunk] = true;
        m_chunks += sign;
        m_length += sign * static_cast<std::int64_t>(lengths.of(chunk));
    }
}

void tally::add_match(const judgement& judged, std::uint32_t from, std::uint32_t chunk, std::uint32_t length,
                      bool is_negative) {
    m_matches.push_back({0, from, chunk, length, is_negative, judged.is_hit, judged.is_forbidden});
    for (std::uint32_t frequency : m_now)
        m_frequencies.push_back(static_cast<std::uint16_t>(frequency));
}

void tally::count_holders(bool is_negative) {
    for (std::size_t term = 0; term < m_now.size(); ++term)
        if (m_now[term] > 0) m_holding[term] += is_negative ? -1 : 1;
}

void tally::read_lists(source& of) {
    for (std::size_t i = 0; i < m_query.lexemes.size(); ++i) {
        look_for_interrupts();
        of.lists.emplace_back(*of.from, m_query.lexemes[i], of.head.chunks, m_query.needs_places[i]);
    }
}

void tally::add_segment(const segment_head& head, part_source& from) {
    auto number = static_cast<std::uint32_t>(m_sources.size());
    source& of = m_sources.emplace_back();
    of.head = head;
    of.from = &from;
    of.first_match = of.end_match = m_matches.size();
    read_lists(of);
    if (is_plain()) {
        count_all(head);
        for (std::size_t term = 0; term < m_holding.size(); ++term)
            m_holding[term] += (head.is_negative ? -1 : 1) * static_cast<std::int64_t>(of.lists[m_query.terms[term]].count());
        // A text for a query to a large tenant: most of its lists are read twice.
        std::size_t bytes = 0;
        for (const posting_cursor& list : of.lists)
            bytes += list.bytes();
        if (m_kept_bytes + bytes > most_kept_bytes)
            of.lists = {};
        else
            m_kept_bytes += bytes;
        return;
    }
    std::vector<bool> wanted;
    if (m_is_restricted)
        count_wanted(of, wanted);
    else
        count_all(head);
    go_through(number, std::exchange(of.lists, {}), wanted);
}

/// Judge the chunks of a segment that hold a lexeme of the query, one after the other.
void tally::go_through(std::uint32_t number, std::vector<posting_cursor> lists, const std::vector<bool>& wanted) {
    source& of = m_sources[number];
    struct walking {
        std::size_t lexeme;
        posting_cursor* cursor;
        bool is_more;
    };
    std::vector<walking> walks;
    for (std::size_t i = 0; i < lists.size(); ++i)
        if (lists[i].next()) walks.push_back({i, &lists[i], true});

    of.first_match = m_matches.size();
    length_pages lengths{*of.from, of.head.chunks};
    std::fill(m_stand.begin(), m_stand.end(), occurrence{});
    // A chunk costs as many steps as the query has words.
    for (;;) {
        look_for_interrupts();
        std::uint32_t chunk = UINT32_MAX;
        for (const walking& one : walks)
            if (one.is_more) chunk = std::min(chunk, one.cursor->at().chunk);
        if (chunk == UINT32_MAX) break;
        for (walking& one : walks) {
            bool stands = one.is_more && one.cursor->at().chunk == chunk;
            const posting& at = one.cursor->at();
            m_stand[one.lexeme] = stands ? occurrence{at.frequency, at.has_places, at.places.data()} : occurrence{};
        }
        if (wanted.empty() || wanted[chunk]) {
            judgement judged = judge(m_query, m_by, m_stand.data(), m_now.data());
            if (judged.is_hit && !is_plain()) count_holders(of.head.is_negative);
            if (judged.is_hit || judged.is_forbidden)
                add_match(judged, number, chunk, lengths.of(chunk), of.head.is_negative);
        }
        for (walking& one : walks)
            if (one.is_more && one.cursor->at().chunk == chunk) one.is_more = one.cursor->next();
    }
    of.end_match = m_matches.size();
}

/// Score the chunks of a segment for single words, the few there are one by one.
void tally::sum_up(std::uint32_t number, search::bm25_scorer& scorer) {
    constexpr std::uint64_t few = 32; // as a part of all

    source& of = m_sources[number];
    if (of.lists.empty()) read_lists(of);
    std::vector<posting_cursor> lists = std::exchange(of.lists, {});
    std::uint64_t postings = 0;
    for (const posting_cursor& list : lists)
        postings += list.count();
    if (postings * few < of.head.chunks) {
        go_through(number, std::move(lists), {});
        return;
    }
    segment_scores& scores = of.scores.emplace(*of.from, of.head.chunks);
    for (std::size_t term = 0; term < m_query.terms.size(); ++term) {
        look_for_interrupts();
        scores.add(lists[m_query.terms[term]], term, scorer);
    }
    for (const condition& forbidden : m_query.forbidden)
        scores.forbid(lists[forbidden.lexemes[0]]);
    scores.finish();
}

void tally::add_log_row(std::string_view row) {
    log_reader entries{row};
    log_entry entry;
    std::vector<std::vector<std::uint16_t>> places(m_query.lexemes.size());
    while (entries.next(entry)) {
        look_for_interrupts();
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
        if (judged.is_hit) count_holders(entry.is_negative);
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
    if (is_plain())
        for (std::size_t i = 0; i < m_sources.size(); ++i)
            sum_up(static_cast<std::uint32_t>(i), scorer);
    interrupt_counter turn;
    for (std::size_t i = 0; i < m_matches.size(); ++i) {
        turn();
        match& one = m_matches[i];
        if (!one.is_hit) continue;
        for (std::size_t term = 0; term < m_now.size(); ++term)
            m_now[term] = m_frequencies[i * m_now.size() + term];
        one.score = scorer.score(one.length, m_now.data());
    }
    m_frequencies = {};
}

/// Call visit(candidate) for hits that score at least so much, those of a segment in the order of its chunks.
template <typename Visit>
void tally::for_each_hit(bool is_negative, const double& least, Visit visit) const {
    for (const match& one : m_matches)
        if (one.is_hit && !one.is_forbidden && one.is_negative == is_negative && one.score >= least)
            visit(candidate{one.score, one.source, one.chunk});
    for (std::size_t i = 0; i < m_sources.size(); ++i)
        if (m_sources[i].scores && m_sources[i].head.is_negative == is_negative)
            m_sources[i].scores->for_each(least, [&](std::uint32_t chunk, double score) {
                visit(candidate{score, static_cast<std::uint32_t>(i), chunk});
            });
}

/// The score of the last of the best `count` that came, or one below all when there are fewer.
double tally::least_of(std::size_t count) const {
    constexpr double all = -std::numeric_limits<double>::infinity();

    std::vector<double> best; // a heap, the least in front
    double least = all;
    for_each_hit(false, least, [&](const candidate& one) {
        if (best.size() == count) {
            if (one.score <= least) return;
            std::pop_heap(best.begin(), best.end(), std::greater<>{});
            best.pop_back();
        }
        best.push_back(one.score);
        std::push_heap(best.begin(), best.end(), std::greater<>{});
        if (best.size() == count) least = best.front();
    });
    return best.size() == count ? best.front() : all;
}

std::vector<search::ranked> tally::with_ids(std::vector<candidate>& found) {
    // In the order of the pages that they stand on.
    std::sort(found.begin(), found.end(), [](const candidate& a, const candidate& b) {
        return a.source != b.source ? a.source < b.source : a.chunk < b.chunk;
    });
    std::vector<search::ranked> result;
    result.reserve(found.size());
    interrupt_counter turn;
    for (const candidate& one : found) {
        turn();
        result.push_back({one.source == in_log ? m_log_ids[one.chunk]
                                               : ids_of(m_sources[one.source], one.chunk / ids_per_page)[one.chunk % ids_per_page].id,
                          one.score});
    }
    std::sort(result.begin(), result.end(), search::ranks_before);
    return result;
}

/// The best `count` of what there is.
std::vector<search::ranked> tally::best(std::size_t count, bool& is_more) {
    is_more = false;
    if (count == 0) return {};
    // As many more must be looked at as went of those that score as well.
    std::size_t wanted = count;
    double least;
    std::vector<candidate> dead;
    for (;;) {
        least = least_of(wanted);
        dead.clear();
        for_each_hit(true, least, [&](const candidate& one) { dead.push_back(one); });
        if (wanted >= count + dead.size()) break;
        wanted = count + dead.size();
    }

    // Chunks of a segment are in the order of their ids: of those that score alike at the end, the first are enough.
    std::vector<candidate> alive;
    std::uint32_t last_source = in_log;
    std::size_t alike = 0;
    for_each_hit(false, least, [&](const candidate& one) {
        if (one.score == least && one.source != in_log) {
            if (one.source != last_source) alike = 0;
            last_source = one.source;
            if (++alike > wanted) {
                is_more = true;
                return;
            }
        }
        alive.push_back(one);
    });
    is_more = is_more || least > -std::numeric_limits<double>::infinity();

    std::vector<search::ranked> came = with_ids(alive), went = with_ids(dead), left;
    auto next = went.begin();
    for (const search::ranked& one : came) {
        while (next != went.end() && search::ranks_before(*next, one))
            ++next;
        bool is_gone = next != went.end() && next->score == one.score && next->key == one.key;
        if (is_gone)
            ++next;
        else
            left.push_back(one);
    }
    is_more = is_more || left.size() > count;
    if (left.size() > count) left.resize(count);
    return left;
}

bool tally::more(std::size_t count, std::vector<search::ranked>& into) {
    bool is_more;
    std::vector<search::ranked> found = best(m_answered + count, is_more);
    into.insert(into.end(), found.begin() + static_cast<std::ptrdiff_t>(std::min(m_answered, found.size())), found.end());
    m_answered = found.size();
    return is_more;
}

bool tally::find_chunks(source& in, const uuid& id, std::uint32_t& first, std::uint32_t& end) {
    const std::vector<uuid>& fences = in.head.first_ids;
    auto page = std::lower_bound(fences.begin(), fences.end(), id, key_less);
    // Versions of the id may end the page before the one that begins with it.
    std::size_t number = static_cast<std::size_t>(page - fences.begin());
    if (number > 0) --number;
    first = end = 0;
    bool is_found = false;
    for (; number < fences.size() && !key_less(id, fences[number]); ++number) {
        const auto& ids = ids_of(in, static_cast<std::uint32_t>(number));
        auto at = std::lower_bound(ids.begin(), ids.end(), id,
                                   [](const identity& a, const uuid& b) { return key_less(a.id, b); });
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
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return key_less(ids[a], ids[b]); });

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
    for (std::size_t i = 0; i < m_sources.size(); ++i) {
        source& in = m_sources[i];
        if (in.first_match == in.end_match && !in.scores) continue;
        auto begin = m_matches.begin() + static_cast<std::ptrdiff_t>(in.first_match),
             end = m_matches.begin() + static_cast<std::ptrdiff_t>(in.end_match);
        interrupt_counter turn;
        for (std::uint32_t place : order) {
            turn();
            std::uint32_t first, last;
            if (!find_chunks(in, ids[place], first, last)) continue;
            for (std::uint32_t chunk = first; in.scores && chunk < last; ++chunk)
                if (double score = in.scores->of(chunk); score != 0)
                    versions.push_back({place, std::max(score, 0.0), score < 0, in.head.is_negative ? -1 : 1});
            auto found = std::lower_bound(begin, end, first, [](const match& a, std::uint32_t b) { return a.chunk < b; });
            for (; found != end && found->chunk < last; ++found)
                add(place, *found);
        }
    }
    for (const match& one : m_matches) {
        if (one.source != in_log) continue;
        const uuid& id = m_log_ids[one.chunk];
        auto at = std::lower_bound(order.begin(), order.end(), id,
                                   [&](std::uint32_t a, const uuid& b) { return key_less(ids[a], b); });
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
