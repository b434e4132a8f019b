#include "pure/pure.hpp"

#include "words/pure/scores.hpp"

#include <utility>

namespace tenancy::words {

void length_pages::read(std::uint32_t page) {
    m_page = UINT32_MAX;
    parse_lengths_page(m_from.page(part::lengths, page), m_lengths);
    if (m_lengths.size() != on_page(m_chunks, lengths_per_page, page)) refuse_corrupt("A page of lengths has a wrong size.");
    m_page = page;
}

namespace {

/// Memory for scores and lengths that was used before and is used again: to have it from the system each time takes as long
/// as the sums.
template <typename Value>
class spare_memory {
public:
    std::vector<Value> take() {
        if (m_spare.empty()) return {};
        std::vector<Value> result = std::move(m_spare.back());
        m_spare.pop_back();
        return result;
    }

    void put_back(std::vector<Value>&& used) {
        constexpr std::size_t most = 8;
        if (m_spare.size() < most && used.capacity() > 0 && used.capacity() <= most_chunks) m_spare.push_back(std::move(used));
    }

private:
    std::vector<std::vector<Value>> m_spare;
};

// Never destroyed.
auto& spare_scores = *new spare_memory<double>;
auto& spare_lengths = *new spare_memory<std::uint32_t>;

} // namespace

segment_scores::segment_scores(part_source& from, std::uint32_t chunks)
    : m_scores{spare_scores.take()}, m_lengths{spare_lengths.take()} {
    read_lengths(from, chunks, m_lengths);
    m_scores.assign(chunks, 0);
}

segment_scores::~segment_scores() {
    spare_scores.put_back(std::move(m_scores));
    spare_lengths.put_back(std::move(m_lengths));
}

void segment_scores::add(const posting_cursor& list, std::size_t term, search::bm25_scorer& scorer) {
    double* scores = m_scores.data();
    const std::uint32_t* lengths = m_lengths.data();
    list.for_each([&](std::uint32_t chunk, std::uint32_t frequency) {
        scores[chunk] += scorer.part(term, frequency, scorer.saturation(lengths[chunk]));
    });
}

void segment_scores::forbid(const posting_cursor& list) {
    list.for_each([&](std::uint32_t chunk, std::uint32_t) { m_scores[chunk] = -1; });
}

void segment_scores::finish() {
    spare_lengths.put_back(std::exchange(m_lengths, {}));
    m_best.assign((m_scores.size() + in_block - 1) / in_block, 0);
    for (std::size_t chunk = 0; chunk < m_scores.size(); ++chunk) {
        double& best = m_best[chunk / in_block];
        best = best < m_scores[chunk] ? m_scores[chunk] : best;
    }
}

} // namespace tenancy::words
