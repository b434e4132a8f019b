#include "pure/pure.hpp"

#include "search/pure/arguments.hpp"

#include "pure/error.hpp"

#include <cmath>
#include <locale>
#include <sstream>

namespace tenancy::search {

namespace {

std::string text_of(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out << value;
    return out.str();
}

} // namespace

void check_match_count(std::int32_t count) {
    if (count >= 1) return;
    throw error{sqlstate::invalid_parameter_value, "match_count must be at least 1, not " + std::to_string(count)};
}

void check_query_text(std::size_t bytes) {
    if (bytes <= longest_query_text) return;
    throw error{sqlstate::program_limit_exceeded,
                "query_text must be at most " + std::to_string(longest_query_text) + " bytes long, not " + std::to_string(bytes),
                {}, "Search for the words that matter, or embed the text and search by its embedding."};
}

void check_filter(std::size_t bytes) {
    if (bytes <= longest_filter) return;
    throw error{sqlstate::program_limit_exceeded,
                "filter must be at most " + std::to_string(longest_filter) + " bytes long, not " + std::to_string(bytes)};
}

void check_threshold(double threshold) {
    if (!std::isnan(threshold)) return;
    throw error{sqlstate::invalid_parameter_value, "match_threshold must be a number, not NaN"};
}

void check_text_weight(double weight) {
    if (weight >= 0 && weight <= 1) return;
    throw error{sqlstate::invalid_parameter_value, "text_weight must be between 0 and 1, not " + text_of(weight),
                {}, "0 ranks by the embedding alone, 1 by the words alone."};
}

void check_rrf_k(std::int32_t k) {
    if (k >= 1) return;
    throw error{sqlstate::invalid_parameter_value, "rrf_k must be at least 1, not " + std::to_string(k),
                {}, "60 is usual; a smaller one favours the first places."};
}

fusion check_fusion(std::string_view name) {
    fusion parsed;
    if (parse_fusion(name, parsed)) return parsed;
    throw error{sqlstate::invalid_parameter_value,
                "fusion must be auto, rrf or convex, not \"" + std::string{name.substr(0, 80)} + "\""};
}

void check_embedding_fits(const float* values, std::size_t count, std::size_t expected, bool is_half,
                          const std::string& corpus) {
    std::size_t position;
    switch (check_embedding(values, count, expected, is_half, position)) {
    case fit::good:
        return;
    case fit::wrong_dimensions:
        throw error{sqlstate::corpus_not_configured,
                    "expected " + std::to_string(expected) + " dimensions, not " + std::to_string(count),
                    "Corpus \"" + corpus + "\" holds embeddings of " + std::to_string(expected) + " dimensions.",
                    "Embed the query with the model that embedded the chunks."};
    case fit::not_finite:
        throw error{sqlstate::corpus_not_configured, "expected a finite number in the embedding, not " +
                                                         text_of(static_cast<double>(values[position])),
                    "It is element " + std::to_string(position + 1) + " of " + std::to_string(count) + "."};
    case fit::out_of_half_range:
        throw error{sqlstate::corpus_not_configured,
                    "expected a number from -65504 to 65504 in the embedding, not " +
                        text_of(static_cast<double>(values[position])),
                    "It is element " + std::to_string(position + 1) + " of " + std::to_string(count) +
                        ", and corpus \"" + corpus + "\" stores embeddings as halfvec."};
    }
}

} // namespace tenancy::search
