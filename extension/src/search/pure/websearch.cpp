#include "pure/pure.hpp"

#include "search/pure/websearch.hpp"

namespace tenancy::search {

namespace {

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool is_or(std::string_view word) noexcept {
    return word.size() == 2 && (word[0] == 'o' || word[0] == 'O') && (word[1] == 'r' || word[1] == 'R');
}

} // namespace

web_query parse_web_query(std::string_view text) {
    web_query query;
    std::size_t at = 0;
    while (at < text.size()) {
        if (is_space(text[at])) {
            ++at;
            continue;
        }
        // A minus forbids only what follows it at once: "a - b" is two words, and so is the hyphen within one.
        bool forbids = text[at] == '-' && at + 1 < text.size() && !is_space(text[at + 1]) && text[at + 1] != '-';
        if (forbids) ++at;

        if (text[at] == '"') {
            std::size_t close = text.find('"', at + 1);
            std::size_t end = close == std::string_view::npos ? text.size() : close;
            std::string_view quoted = text.substr(at + 1, end - at - 1);
            if (!quoted.empty()) (forbids ? query.forbidden : query.phrases).emplace_back(quoted);
            at = close == std::string_view::npos ? end : end + 1;
            continue;
        }

        std::size_t end = at;
        while (end < text.size() && !is_space(text[end]) && text[end] != '"')
            ++end;
        std::string_view word = text.substr(at, end - at);
        at = end;
        if (forbids) {
            query.forbidden.emplace_back(word);
        } else if (!is_or(word)) {
            if (!query.words.empty()) query.words += ' ';
            query.words += word;
        }
    }
    return query;
}

} // namespace tenancy::search
