#include "search/keyword_query.hpp"

#include "pg/guard.hpp"
#include "search/pure/websearch.hpp"

namespace tenancy::search {

namespace {

std::uint32_t places_of(TSVector vector, const WordEntry* entry) {
    // A stripped tsvector knows that a lexeme stands, not where.
    return entry->haspos ? POSDATALEN(vector, const_cast<WordEntry*>(entry)) : 1;
}

/// The entry of a lexeme, or null; a tsvector keeps its lexemes sorted.
const WordEntry* find(TSVector vector, const std::string& lexeme) {
    const WordEntry* entries = ARRPTR(vector);
    char* strings = STRPTR(vector);
    int low = 0, high = vector->size;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = tsCompareString(const_cast<char*>(lexeme.data()), static_cast<int>(lexeme.size()),
                                    strings + entries[middle].pos, static_cast<int>(entries[middle].len), false);
        if (order == 0) return entries + middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return nullptr;
}

Datum text_datum(const std::string& text) {
    return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

TSVector to_tsvector(Oid text_config, const std::string& text) {
    return DatumGetTSVector(
        DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(text_config), text_datum(text)));
}

/// As a tsquery whose words must stand together, or 0 when the configuration leaves none of them.
Datum together(Oid text_config, const std::string& text) {
    CHECK_FOR_INTERRUPTS();
    // Asked first because the tsquery's own function gives notice of having nothing to do.
    if (to_tsvector(text_config, text)->size == 0) return 0;
    return DirectFunctionCall2(phraseto_tsquery_byid, ObjectIdGetDatum(text_config), text_datum(text));
}

/// The words that a tsquery names, and whether it needs all of them.
void read_tsquery(Datum query, std::vector<std::string>& lexemes, bool& needs_all) {
    TSQuery read = DatumGetTSQuery(query);
    const QueryItem* items = GETQUERY(read);
    const char* operands = GETOPERAND(read);
    needs_all = true;
    for (int i = 0; i < read->size; ++i) {
        if (items[i].type == QI_VAL)
            lexemes.emplace_back(operands + items[i].qoperand.distance, items[i].qoperand.length);
        else if (items[i].qoperator.oper != OP_AND && items[i].qoperator.oper != OP_PHRASE)
            needs_all = false;
    }
}

bool matches(TSVector vector, Datum query) {
    CHECK_FOR_INTERRUPTS();
    return DatumGetBool(DirectFunctionCall2(ts_match_vq, TSVectorGetDatum(vector), query));
}

} // namespace

keyword_query::keyword_query(Oid text_config, const std::string& text) {
    web_query typed = parse_web_query(text);
    if (!typed.words.empty()) add_terms(text_config, typed.words);
    for (const auto& quoted : typed.phrases) {
        Datum query = pg::guarded([&] { return together(text_config, quoted); });
        if (query == 0) continue;
        std::size_t begin = m_lexemes.size();
        add_terms(text_config, quoted);
        m_phrases.push_back({query, begin, m_lexemes.size()});
    }
    for (const auto& word : typed.forbidden) {
        Datum query = pg::guarded([&] { return together(text_config, word); });
        if (query != 0) m_forbidden.push_back(query);
    }
}

void keyword_query::add_terms(Oid text_config, const std::string& text) {
    TSVector vector = pg::guarded([&] { return to_tsvector(text_config, text); });
    const WordEntry* entries = ARRPTR(vector);
    for (int i = 0; i < vector->size; ++i) {
        m_lexemes.emplace_back(STRPTR(vector) + entries[i].pos, entries[i].len);
        m_counts.push_back(places_of(vector, entries + i));
    }
}

keyword_query::reading keyword_query::read(Datum tsvector, std::uint32_t* frequencies) const {
    TSVector vector = DatumGetTSVector(tsvector);
    reading result{0, false, false};
    const WordEntry* entries = ARRPTR(vector);
    for (int i = 0; i < vector->size; ++i)
        result.length += places_of(vector, entries + i);

    for (std::size_t term = 0; term < m_lexemes.size(); ++term) {
        const WordEntry* entry = find(vector, m_lexemes[term]);
        frequencies[term] = entry ? places_of(vector, entry) : 0;
    }
    for (const quoted& phrase : m_phrases) {
        auto begin = frequencies + phrase.begin, end = frequencies + phrase.end;
        bool is_worth_a_look = std::any_of(begin, end, [](std::uint32_t frequency) { return frequency > 0; });
        if (!is_worth_a_look || !matches(vector, phrase.query)) std::fill(begin, end, 0);
    }
    result.is_hit = std::any_of(frequencies, frequencies + m_lexemes.size(), [](std::uint32_t f) { return f > 0; });
    for (Datum query : m_forbidden)
        result.is_forbidden = result.is_forbidden || matches(vector, query);
    return result;
}

words::query_shape keyword_query::shape() const {
    struct named {
        std::vector<std::string> lexemes;
        bool needs_all;
    };
    auto read = [](Datum query) {
        named result;
        read_tsquery(query, result.lexemes, result.needs_all);
        return result;
    };
    std::vector<named> phrases, forbidden;
    words::query_shape result;
    result.lexemes = m_lexemes;
    auto add = [&](const named& one) { result.lexemes.insert(result.lexemes.end(), one.lexemes.begin(), one.lexemes.end()); };
    for (const quoted& one : m_phrases)
        add(phrases.emplace_back(read(one.query)));
    for (Datum one : m_forbidden)
        add(forbidden.emplace_back(read(one)));
    std::sort(result.lexemes.begin(), result.lexemes.end());
    result.lexemes.erase(std::unique(result.lexemes.begin(), result.lexemes.end()), result.lexemes.end());
    result.needs_places.assign(result.lexemes.size(), false);

    auto number_of = [&](const std::string& lexeme) {
        return static_cast<std::size_t>(std::lower_bound(result.lexemes.begin(), result.lexemes.end(), lexeme) -
                                        result.lexemes.begin());
    };
    for (const std::string& lexeme : m_lexemes)
        result.terms.push_back(number_of(lexeme));
    auto condition_of = [&](const named& from) {
        words::condition one;
        for (const std::string& lexeme : from.lexemes)
            one.lexemes.push_back(number_of(lexeme));
        std::sort(one.lexemes.begin(), one.lexemes.end());
        one.lexemes.erase(std::unique(one.lexemes.begin(), one.lexemes.end()), one.lexemes.end());
        one.needs_all = from.needs_all;
        one.is_one_lexeme = from.lexemes.size() == 1;
        if (!one.is_one_lexeme)
            for (std::size_t lexeme : one.lexemes)
                result.needs_places[lexeme] = true;
        return one;
    };
    for (std::size_t i = 0; i < m_phrases.size(); ++i) {
        words::condition& one = result.phrases.emplace_back(condition_of(phrases[i]));
        one.first_term = m_phrases[i].begin;
        one.end_term = m_phrases[i].end;
    }
    for (const named& one : forbidden)
        result.forbidden.push_back(condition_of(one));
    return result;
}

} // namespace tenancy::search
