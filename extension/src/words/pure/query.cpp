#include "pure/pure.hpp"

#include "words/pure/query.hpp"

#include <algorithm>

namespace tenancy::words {

namespace {

bool holds(const condition& which, matcher& by, const occurrence* stand) {
    auto stands = [&](std::size_t lexeme) { return stand[lexeme].frequency > 0; };
    bool is_worth_a_look = which.needs_all ? std::all_of(which.lexemes.begin(), which.lexemes.end(), stands)
                                           : std::any_of(which.lexemes.begin(), which.lexemes.end(), stands);
    return is_worth_a_look && (which.is_one_lexeme || by.holds(which, stand));
}

} // namespace

judgement judge(const query_shape& query, matcher& by, const occurrence* stand, std::uint32_t* frequencies) {
    for (std::size_t term = 0; term < query.terms.size(); ++term)
        frequencies[term] = stand[query.terms[term]].frequency;
    for (const condition& phrase : query.phrases) {
        auto begin = frequencies + phrase.first_term, end = frequencies + phrase.end_term;
        if (!holds(phrase, by, stand)) std::fill(begin, end, 0);
    }
    judgement result;
    result.is_hit = std::any_of(frequencies, frequencies + query.terms.size(), [](std::uint32_t f) { return f > 0; });
    for (const condition& what : query.forbidden)
        result.is_forbidden = result.is_forbidden || holds(what, by, stand);
    return result;
}

} // namespace tenancy::words
