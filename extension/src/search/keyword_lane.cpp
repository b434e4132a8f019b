#include "search/keyword_lane.hpp"

#include "search/keys.hpp"

namespace tenancy::search {

namespace {

/// The chunks that a first reading found, in three arrays to waste no memory, up to a limit.
class hits {
public:
    hits(std::size_t terms, std::size_t limit_bytes)
        : m_terms{terms}, m_most{limit_bytes / (sizeof(uuid) + sizeof(std::uint32_t) * (1 + terms))} {}

    void add(const uuid& key, std::uint32_t length, const std::uint32_t* frequencies) {
        if (m_keys.size() >= m_most) {
            m_is_complete = false;
            return;
        }
        m_keys.push_back(key);
        m_lengths.push_back(length);
        m_frequencies.insert(m_frequencies.end(), frequencies, frequencies + m_terms);
    }

    bool is_complete() const noexcept { return m_is_complete; }

    template <typename Visit>
    void for_each(Visit visit) const {
        for (std::size_t i = 0; i < m_keys.size(); ++i)
            visit(m_keys[i], m_lengths[i], m_frequencies.data() + i * m_terms);
    }

private:
    std::size_t m_terms, m_most;
    bool m_is_complete = true;
    std::vector<uuid> m_keys;
    std::vector<std::uint32_t> m_lengths, m_frequencies;
};

} // namespace

/// Call visit(key, reading, frequencies, whether it passes the filters) for each visible chunk, under a guard.
template <typename Visit>
void keyword_lane::for_each_chunk(Visit visit) {
    parameters given;
    given.set(0, ObjectIdGetDatum(m_asked.of.text_config));
    if (m_asked.given.metadata) given.set(1, m_asked.filter);
    if (m_asked.given.documents) given.set(2, m_asked.document_ids);

    std::vector<std::uint32_t> frequencies(m_query.terms());
    for_each_row(m_asked.of.plan(statement::words, m_asked.given), given, [&](HeapTuple tuple, TupleDesc descriptor) {
        bool is_null;
        Datum words = SPI_getbinval(tuple, descriptor, 2, &is_null);
        if (is_null) return;
        uuid key = uuid_of(SPI_getbinval(tuple, descriptor, 1, &is_null));
        bool passes = DatumGetBool(SPI_getbinval(tuple, descriptor, 3, &is_null));
        visit(key, m_query.read(words, frequencies.data()), frequencies.data(), passes);
    });
}

std::vector<ranked> keyword_lane::best(std::int64_t count) {
    if (!has_terms()) return {};
    return asks_store() ? best_of_store(count) : best_of_rows(count);
}

bool keyword_lane::asks_store() {
    if (m_way == way::unknown) {
        bool is_answering = words::is_readable(m_asked.of) && !make_ask().is_frozen();
        m_way = is_answering ? way::store : way::rows;
    }
    return m_way == way::store;
}

/// A new one, whose ranking is at its beginning.
words::ask& keyword_lane::make_ask() {
    m_is_fresh = true;
    if (words::sees_whole_tenant(m_asked.of)) {
        m_ask = std::make_unique<words::ask>(m_asked.of, m_query, nullptr);
    } else {
        std::vector<uuid> ids = visible();
        m_ask = std::make_unique<words::ask>(m_asked.of, m_query, &ids);
    }
    return *m_ask;
}

std::vector<ranked> keyword_lane::best_of_store(std::int64_t count) {
    // So many candidates are looked at in one go at first, where a filter may leave few of them.
    constexpr std::size_t least_batch = 64, most_batch = 1 << 16;

    words::ask& asked = m_is_fresh ? *m_ask : make_ask();
    m_is_fresh = false;
    auto wanted = static_cast<std::size_t>(count);
    std::vector<ranked> found;
    if (!m_asked.given.metadata && !m_asked.given.documents) {
        asked.more(wanted, found);
        if (found.size() > wanted) found.resize(wanted);
        return found;
    }
    std::size_t batch = std::clamp(2 * wanted, least_batch, most_batch);
    bool is_more = true;
    while (is_more && found.size() < wanted) {
        std::vector<ranked> candidates;
        is_more = asked.more(batch, candidates);
        for (const ranked& one : passing(candidates))
            if (found.size() < wanted) found.push_back(one);
        batch = std::min(4 * batch, most_batch);
    }
    return found;
}

/// The chunks that the caller's policies show, sorted.
std::vector<uuid> keyword_lane::visible() const {
    std::vector<uuid> ids;
    for_each_row(m_asked.of.plan(statement::visible), {}, [&](HeapTuple tuple, TupleDesc descriptor) {
        bool is_null;
        ids.push_back(uuid_of(SPI_getbinval(tuple, descriptor, 1, &is_null)));
    });
    std::sort(ids.begin(), ids.end(), key_less);
    return ids;
}

/// Those that pass the filters, in their order.
std::vector<ranked> keyword_lane::passing(const std::vector<ranked>& candidates) const {
    std::vector<uuid> keys;
    for (const ranked& one : candidates)
        keys.push_back(one.key);
    std::vector<bool> passes(keys.size(), false);
    key_index places{keys};
    for_each_chunk_of_keys(keys, [&](Datum ids) {
        parameters given;
        given.set(0, ids);
        if (m_asked.given.metadata) given.set(1, m_asked.filter);
        if (m_asked.given.documents) given.set(2, m_asked.document_ids);
        for_each_row_by_key(m_asked.of.plan(statement::passing, m_asked.given), given,
                            [&](HeapTuple tuple, TupleDesc descriptor) {
            bool is_null;
            passes[places.at(uuid_of(SPI_getbinval(tuple, descriptor, 1, &is_null)))] = true;
        });
    });
    std::vector<ranked> left;
    for (std::size_t i = 0; i < candidates.size(); ++i)
        if (passes[i]) left.push_back(candidates[i]);
    return left;
}

std::vector<ranked> keyword_lane::best_of_rows(std::int64_t count) {
    hits found{m_query.terms(), static_cast<std::size_t>(work_mem) * 1024};
    bm25_statistics counted{m_query.terms()};
    for_each_chunk([&](const uuid& key, const keyword_query::reading& read, const std::uint32_t* frequencies, bool passes) {
        counted.add_chunk(read.length);
        if (!read.is_hit) return;
        for (std::size_t term = 0; term < m_query.terms(); ++term)
            if (frequencies[term] > 0) counted.add_holder(term);
        if (passes && !read.is_forbidden) found.add(key, read.length, frequencies);
    });
    m_statistics = counted;
    m_is_counted = true;

    bm25_scorer scorer{m_statistics, m_query.counts(), ranking_parameters()};
    best_of result{count};
    if (found.is_complete()) {
        found.for_each([&](const uuid& key, std::uint32_t length, const std::uint32_t* frequencies) {
            result.offer({key, scorer.score(length, frequencies)});
        });
    } else {
        for_each_chunk([&](const uuid& key, const keyword_query::reading& read, const std::uint32_t* frequencies,
                           bool passes) {
            if (read.is_hit && passes && !read.is_forbidden) result.offer({key, scorer.score(read.length, frequencies)});
        });
    }
    return result.take();
}

std::vector<finding> keyword_lane::scores_of(const std::vector<uuid>& keys) {
    std::vector<finding> findings(keys.size());
    if (!has_terms() && !forbids()) {
        std::fill(findings.begin(), findings.end(), finding{finding::kind::scored, 0});
        return findings;
    }
    if (asks_store()) {
        std::vector<words::tally::answer> answers = m_ask->look_up(keys);
        for (std::size_t i = 0; i < keys.size(); ++i)
            findings[i] = {answers[i].is_forbidden ? finding::kind::excluded : finding::kind::scored, answers[i].score};
        return findings;
    }
    if (!m_is_counted && has_terms()) best_of_rows(1);

    bm25_scorer scorer{m_statistics, m_query.counts(), ranking_parameters()};
    key_index places{keys};
    std::vector<std::uint32_t> frequencies(m_query.terms());
    for_each_chunk_of_keys(keys, [&](Datum ids) {
        parameters given;
        given.set(0, ObjectIdGetDatum(m_asked.of.text_config));
        given.set(1, ids);
        for_each_row(m_asked.of.plan(statement::words_of), given, [&](HeapTuple tuple, TupleDesc descriptor) {
            bool is_null;
            uuid key = uuid_of(SPI_getbinval(tuple, descriptor, 1, &is_null));
            finding& found = findings[places.at(key)];
            Datum words = SPI_getbinval(tuple, descriptor, 2, &is_null);
            if (is_null) {
                found = {finding::kind::scored, 0};
                return;
            }
            keyword_query::reading read = m_query.read(words, frequencies.data());
            found.what = read.is_forbidden ? finding::kind::excluded : finding::kind::scored;
            found.score = read.is_hit ? scorer.score(read.length, frequencies.data()) : 0;
        });
    });
    return findings;
}

} // namespace tenancy::search
