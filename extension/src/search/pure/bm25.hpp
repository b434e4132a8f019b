#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tenancy::search {

/// BM25 over the chunks of one tenant.
///
/// S. Robertson, H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", Foundations and Trends in
/// Information Retrieval 3 (2009), 333-389, with the inverse document frequency ln(1 + (N - n + 0.5) / (n + 0.5)) that
/// is never negative (as in Lucene since 6.0). A word that stands q times in the query counts q times.
struct bm25_parameters {
    double k1 = 1.2; ///< how soon more of the same word stops helping
    double b = 0.75; ///< how much a long chunk is held against it, 0 to 1
};

/// Counts over all chunks of a tenant, whatever the filters of one search are: a filter must not move a score.
class bm25_statistics {
public:
    explicit bm25_statistics(std::size_t terms) : m_holding(terms, 0) {}

    /// Counted elsewhere: chunks, words of all chunks, and chunks that hold each term.
    bm25_statistics(std::uint64_t chunks, std::uint64_t length, std::vector<std::uint64_t> holding)
        : m_chunks{chunks}, m_length{length}, m_holding{std::move(holding)} {}

    void add_chunk(std::uint64_t length) noexcept {
        ++m_chunks;
        m_length += length;
    }
    void add_holder(std::size_t term) noexcept { ++m_holding[term]; }

    std::uint64_t chunks() const noexcept { return m_chunks; }
    std::uint64_t holding(std::size_t term) const noexcept { return m_holding[term]; }
    double average_length() const noexcept;

private:
    std::uint64_t m_chunks = 0;
    std::uint64_t m_length = 0; ///< words of all chunks
    std::vector<std::uint64_t> m_holding;
};

/// Scores chunks for one query once the counts are complete.
class bm25_scorer {
public:
    /// @param query_counts how often each term stands in the query
    bm25_scorer(const bm25_statistics& statistics, const std::vector<std::uint32_t>& query_counts,
                bm25_parameters parameters = {});

    /// @param length      words in the chunk
    /// @param frequencies how often each term of the query stands in the chunk
    double score(std::uint64_t length, const std::uint32_t* frequencies) const noexcept;

    /// What a chunk's length does to all of its terms. Remembers it for the usual lengths.
    double saturation(std::uint64_t length) {
        if (length >= m_saturations.size()) return length < most_remembered ? remember(length) : saturation_of(length);
        return m_saturations[length];
    }

    /// What one term that stands in a chunk adds to its score, in the order of terms.
    double part(std::size_t term, double frequency, double saturation) const noexcept {
        return m_weights[term] * frequency * (m_parameters.k1 + 1) / (frequency + saturation);
    }

private:
    static constexpr std::uint64_t most_remembered = 4096;

    double saturation_of(std::uint64_t length) const noexcept;
    double remember(std::uint64_t length);

    bm25_parameters m_parameters;
    double m_average_length;
    std::vector<double> m_saturations; ///< by length
    std::vector<double> m_weights; ///< inverse document frequency times count in the query
};

} // namespace tenancy::search
