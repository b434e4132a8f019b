#pragma once

#include "pg/prelude.hpp"

#include "words/pure/query.hpp"

#include <string>
#include <vector>

namespace tenancy::search {

/// What a text search configuration makes of a query, and what one chunk has of it.
///
/// Terms are the lexemes of the plain words, then those of each phrase. A lexeme of a phrase counts only in chunks where
/// the phrase stands, so a quoted phrase weighs as the rare thing that it is. PostgreSQL keeps at most 255 places of a
/// lexeme in a tsvector and none beyond the 16,383rd word; a tsvector without places counts each lexeme once.
class keyword_query {
public:
    /// @param text_config oid of the text search configuration
    keyword_query(Oid text_config, const std::string& text);

    std::size_t terms() const noexcept { return m_lexemes.size(); }
    bool forbids() const noexcept { return !m_forbidden.empty(); }

    /// How often each term stands in the query.
    const std::vector<std::uint32_t>& counts() const noexcept { return m_counts; }

    struct reading {
        std::uint32_t length; ///< words
        bool is_hit;          ///< some term has a frequency
        bool is_forbidden;    ///< a word or phrase stands that must not
    };

    /// Look a chunk's tsvector through. Calls PostgreSQL: runs under a guard of the caller.
    ///
    /// @param frequencies room for one number a term
    reading read(Datum tsvector, std::uint32_t* frequencies) const;

    /// The same query as the keyword store evaluates it, and what its conditions stand for.
    words::query_shape shape() const;
    Datum phrase(std::size_t number) const noexcept { return m_phrases[number].query; }
    Datum forbidden(std::size_t number) const noexcept { return m_forbidden[number]; }

private:
    struct quoted {
        Datum query;            ///< tsquery, in the memory context that was current when this was made
        std::size_t begin, end; ///< its terms
    };

    void add_terms(Oid text_config, const std::string& text);

    std::vector<std::string> m_lexemes;
    std::vector<std::uint32_t> m_counts;
    std::vector<quoted> m_phrases;
    std::vector<Datum> m_forbidden; ///< tsquery
};

} // namespace tenancy::search
