#pragma once

#include "search/pure/bm25.hpp"
#include "words/pure/postings.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tenancy::words {

/// The lengths of a segment's chunks, page by page as they are asked for in ascending order.
class length_pages {
public:
    length_pages(part_source& from, std::uint32_t chunks) : m_from{from}, m_chunks{chunks} {}

    std::uint32_t of(std::uint32_t chunk) {
        if (chunk / lengths_per_page != m_page) read(chunk / lengths_per_page);
        return m_lengths[chunk % lengths_per_page];
    }

private:
    void read(std::uint32_t page);

    part_source& m_from;
    std::uint32_t m_chunks, m_page = UINT32_MAX;
    std::vector<std::uint32_t> m_lengths;
};

/// The scores of all chunks of a segment for a query of single words, summed up list by list.
///
/// Each term adds to a chunk what bm25_scorer::score() would, in the same order: so the sums are the same to the last bit.
class segment_scores {
public:
    segment_scores(part_source& from, std::uint32_t chunks);
    ~segment_scores();
    segment_scores(segment_scores&&) = default;
    segment_scores& operator=(segment_scores&&) = default;

    /// Add a term with its postings; terms in ascending order.
    void add(const posting_cursor& list, std::size_t term, search::bm25_scorer& scorer);

    /// None of these chunks may be answered. After all terms.
    void forbid(const posting_cursor& list);

    /// All was added.
    void finish();

    /// 0 for a chunk that holds none of the terms, less for one that is forbidden.
    double of(std::uint32_t chunk) const noexcept { return m_scores[chunk]; }

    /// Call visit(chunk, score) for the chunks that score at least so much, and more than 0, in their order. `least` may grow
    /// meanwhile.
    template <typename Visit>
    void for_each(const double& least, Visit visit) const {
        for (std::size_t block = 0; block < m_best.size(); ++block) {
            if (m_best[block] < least || m_best[block] <= 0) continue;
            std::size_t end = std::min(m_scores.size(), (block + 1) * in_block);
            for (std::size_t chunk = block * in_block; chunk < end; ++chunk)
                if (m_scores[chunk] >= least && m_scores[chunk] > 0)
                    visit(static_cast<std::uint32_t>(chunk), m_scores[chunk]);
        }
    }

private:
    static constexpr std::size_t in_block = 64;

    std::vector<double> m_scores;
    std::vector<std::uint32_t> m_lengths; ///< words of each chunk, until finish()
    std::vector<double> m_best; ///< scores of blocks of chunks, so that most are passed over
};

} // namespace tenancy::words
