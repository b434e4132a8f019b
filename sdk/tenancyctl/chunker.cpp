#include "tenancyctl/chunker.hpp"

#include <stdexcept>

namespace tenancyctl {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

// How good a place to cut is between text[i - 1] and text[i]: 4 paragraph, 3 sentence, 2 line, 1 word, 0
// none.
int cut_quality(std::string_view text, std::size_t i) {
    if (!is_blank(text[i]))
        return 0;
    if (text[i] == '\n') {
        for (std::size_t j = i + 1; j < text.size() && is_blank(text[j]); ++j) {
            if (text[j] == '\n')
                return 4;
        }
    }
    const char before = text[i - 1];
    if (before == '.' || before == '!' || before == '?')
        return 3;
    return text[i] == '\n' ? 2 : 1;
}

// The last of the best places in the second half of [begin, limit].
std::size_t find_cut(std::string_view text, std::size_t begin, std::size_t limit) {
    std::size_t best = 0;
    int best_quality = 0;
    for (std::size_t i = begin + (limit - begin) / 2; i <= limit; ++i) {
        const int quality = cut_quality(text, i);
        if (quality > 0 && quality >= best_quality) {
            best = i;
            best_quality = quality;
        }
    }
    if (best_quality > 0)
        return best;
    while (limit > begin + 1 && continues_character(text[limit]))
        --limit;
    return limit;
}

// Where the next chunk begins so that it repeats the end of this one: at the start of a word.
std::size_t step_back(std::string_view text, std::size_t end, std::size_t overlap) {
    for (std::size_t i = end - overlap; i < end; ++i) {
        if (is_blank(text[i]))
            return i;
    }
    return end;
}

} // namespace

std::vector<std::string> chunk_text(std::string_view text, const chunk_options& options) {
    if (options.max_bytes < 64)
        throw std::invalid_argument{"a chunk's size must be at least 64 bytes, not " +
                                    std::to_string(options.max_bytes)};
    if (options.overlap_bytes >= options.max_bytes / 2)
        throw std::invalid_argument{"the overlap must be less than half of the chunk's size (" +
                                    std::to_string(options.max_bytes) + "), not " +
                                    std::to_string(options.overlap_bytes)};
    text = trimmed(text);
    std::vector<std::string> chunks;
    for (std::size_t begin = 0; begin < text.size();) {
        while (is_blank(text[begin]))
            ++begin;
        if (text.size() - begin <= options.max_bytes) {
            chunks.emplace_back(text.substr(begin));
            break;
        }
        const std::size_t end = find_cut(text, begin, begin + options.max_bytes);
        chunks.emplace_back(trimmed(text.substr(begin, end - begin)));
        begin = step_back(text, end, options.overlap_bytes);
    }
    return chunks;
}

} // namespace tenancyctl
