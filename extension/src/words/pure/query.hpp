#pragma once

#include "words/pure/postings.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tenancy::words {

/// Something that must be looked at in a chunk beyond whether lexemes stand in it: a phrase, or what is forbidden.
struct condition {
    std::vector<std::size_t> lexemes; ///< of the query, in ascending order
    bool needs_all = false;           ///< it cannot hold unless all of them stand
    bool is_one_lexeme = false;       ///< and then it does

    /// Of phrases: the terms that count only where it holds.
    std::size_t first_term = 0, end_term = 0;
};

/// A query as the store evaluates it.
struct query_shape {
    std::vector<std::string> lexemes;  ///< each once, in bytewise order
    std::vector<bool> needs_places;    ///< of each lexeme
    std::vector<std::size_t> terms;    ///< lexeme of each term; a lexeme may be several terms
    std::vector<condition> phrases;
    std::vector<condition> forbidden;
};

/// A lexeme of the query in one chunk.
struct occurrence {
    std::uint32_t frequency = 0; ///< 0 where it does not stand
    bool has_places = false;
    const std::uint16_t* places = nullptr; ///< `frequency` of them, where has_places
};

/// Decides conditions, by the rules of the text search that made the query.
class matcher {
public:
    virtual ~matcher() = default;

    /// @param stand of each lexeme of the query
    virtual bool holds(const condition& which, const occurrence* stand) = 0;
};

/// What a query makes of one chunk.
struct judgement {
    bool is_hit = false;
    bool is_forbidden = false;
};

/// Judge one chunk.
///
/// @param stand       of each lexeme of the query
/// @param frequencies room for one number a term
judgement judge(const query_shape& query, matcher& by, const occurrence* stand, std::uint32_t* frequencies);

} // namespace tenancy::words
