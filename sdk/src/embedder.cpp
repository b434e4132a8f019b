#include "tenancy/embedder.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tenancy {

embedder::~embedder() = default;

std::vector<float> embedder::embed_one(const std::string& text) {
    return std::move(embed({text}).at(0));
}

namespace {

// FNV-1a, then a finalizer that spreads the low bits, of which the position is taken.
std::uint64_t hash_feature(std::string_view kind, std::string_view a, std::string_view b = {}) {
    std::uint64_t h = 0xcbf29ce484222325u;
    const auto mix = [&h](std::string_view part) {
        for (const char c : part)
            h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
        h = (h ^ 0xffu) * 0x100000001b3u; // so that ("ab", "c") is not ("a", "bc")
    };
    mix(kind);
    mix(a);
    mix(b);
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    return h;
}

bool is_word_byte(unsigned char c) {
    // Bytes of multi-byte characters count as letters: words of any script hold together.
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_word_byte(byte)) {
            word += (byte >= 'A' && byte <= 'Z') ? static_cast<char>(byte - 'A' + 'a') : c;
        } else if (!word.empty()) {
            words.push_back(std::exchange(word, {}));
        }
    }
    if (!word.empty())
        words.push_back(std::move(word));
    return words;
}

// Sorted; without them every English text resembles every other.
constexpr std::array<std::string_view, 44> function_words{
    "a",  "an",    "and", "any",  "are",  "as",   "at",    "be",   "but",  "by",   "can",
    "do", "does",  "for", "from", "has",  "have", "how",   "i",    "if",   "in",   "is",
    "it", "may",   "no",  "not",  "of",   "on",   "or",    "such", "that", "the",  "this",
    "to", "under", "was", "were", "what", "when", "which", "who",  "will", "with", "you"};

bool is_function_word(const std::string& word) {
    return std::binary_search(function_words.begin(), function_words.end(), std::string_view{word});
}

} // namespace

hashing_embedder::hashing_embedder(int dimensions) : dimensions_{dimensions} {
    if (dimensions < 8 || dimensions > 16000)
        throw std::invalid_argument{"a hashing embedder has 8 to 16000 dimensions, not " +
                                    std::to_string(dimensions)};
}

std::string hashing_embedder::name() const {
    return "feature-hashing-" + std::to_string(dimensions_);
}

std::vector<std::vector<float>> hashing_embedder::embed(const std::vector<std::string>& texts) {
    std::vector<std::vector<float>> embeddings;
    embeddings.reserve(texts.size());
    for (const auto& text : texts) {
        std::unordered_map<std::uint64_t, std::pair<int, double>> counts; // feature -> occurrences, weight
        const auto count = [&counts](std::uint64_t feature, double weight) {
            auto& entry = counts[feature];
            ++entry.first;
            entry.second = weight;
        };
        std::string previous;
        for (auto& word : words_of(text)) {
            if (is_function_word(word))
                continue;
            count(hash_feature("word", word), 1.0);
            if (word.size() > 5)
                count(hash_feature("stem", std::string_view{word}.substr(0, 5)), 0.6);
            if (!previous.empty())
                count(hash_feature("pair", previous, word), 0.4);
            previous = std::move(word);
        }

        // Sums in double and in a fixed order, so that equal texts give equal bits.
        std::vector<std::pair<std::uint64_t, std::pair<int, double>>> ordered{counts.begin(), counts.end()};
        std::sort(ordered.begin(), ordered.end());
        std::vector<double> sums(static_cast<std::size_t>(dimensions_), 0.0);
        for (const auto& [feature, entry] : ordered) {
            const double value = entry.second * (1.0 + std::log(static_cast<double>(entry.first)));
            sums[(feature >> 1) % static_cast<std::uint64_t>(dimensions_)] += (feature & 1) ? value : -value;
        }
        double squares = 0;
        for (const double v : sums)
            squares += v * v;
        const double scale = squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
        std::vector<float> embedding;
        embedding.reserve(sums.size());
        for (const double v : sums)
            embedding.push_back(static_cast<float>(v * scale));
        embeddings.push_back(std::move(embedding));
    }
    return embeddings;
}

} // namespace tenancy
