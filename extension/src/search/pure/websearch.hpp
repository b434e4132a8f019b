#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenancy::search {

/// A query as a person types it into a search box, taken apart by the rules of websearch_to_tsquery.
///
/// Unlike there, plain words are alternatives (any of them will do, more of them rank higher), and so the word `or`
/// between them says nothing. What a text search configuration makes of the words is not decided here.
struct web_query {
    std::string words;                  ///< the plain words, one space between
    std::vector<std::string> phrases;   ///< "quoted": must stand together to count
    std::vector<std::string> forbidden; ///< -word or -"quoted": no chunk that holds it is an answer
};

web_query parse_web_query(std::string_view text);

} // namespace tenancy::search
