#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tenancyctl {

struct chunk_options {
    /// No chunk is longer; at least 64 bytes.
    std::size_t max_bytes = 1000;
    /// About how much of a chunk's end the next one repeats; less than half of max_bytes.
    std::size_t overlap_bytes = 150;
};

/// Cuts a text into chunks, at the ends of paragraphs where possible, else of sentences, lines, or words.
/**
 * @param text UTF-8; a character is never cut
 * @param options sizes in bytes
 * @return the chunks in order without blanks at their ends; together they hold every word of the text; none
 * for a blank text
 * @throws std::invalid_argument if a size is out of its range
 */
std::vector<std::string> chunk_text(std::string_view text, const chunk_options& options = {});

} // namespace tenancyctl
