#include "pure/pure.hpp"

#include "search/pure/bm25.hpp"

#include <cmath>

namespace tenancy::search {

double bm25_statistics::average_length() const noexcept {
    return m_chunks == 0 ? 0 : static_cast<double>(m_length) / static_cast<double>(m_chunks);
}

bm25_scorer::bm25_scorer(const bm25_statistics& statistics, const std::vector<std::uint32_t>& query_counts,
                         bm25_parameters parameters)
    : m_parameters{parameters}, m_average_length{statistics.average_length()} {
    m_weights.reserve(query_counts.size());
    for (std::size_t term = 0; term < query_counts.size(); ++term) {
        auto all = static_cast<double>(statistics.chunks());
        auto holding = static_cast<double>(statistics.holding(term));
        m_weights.push_back(query_counts[term] * std::log1p((all - holding + 0.5) / (holding + 0.5)));
    }
}

double bm25_scorer::saturation_of(std::uint64_t length) const noexcept {
    double relative_length = m_average_length > 0 ? static_cast<double>(length) / m_average_length : 1;
    return m_parameters.k1 * (1 - m_parameters.b + m_parameters.b * relative_length);
}

double bm25_scorer::remember(std::uint64_t length) {
    while (m_saturations.size() <= length)
        m_saturations.push_back(saturation_of(m_saturations.size()));
    return m_saturations[length];
}

double bm25_scorer::score(std::uint64_t length, const std::uint32_t* frequencies) const noexcept {
    double saturation = saturation_of(length);
    double sum = 0;
    for (std::size_t term = 0; term < m_weights.size(); ++term)
        if (frequencies[term] != 0) sum += part(term, frequencies[term], saturation);
    return sum;
}

} // namespace tenancy::search
