#pragma once

#include "pure/uuid.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenancy::search {

/// A chunk and how good it is; higher is better. 24 bytes, so that rankings of millions fit in memory.
struct ranked {
    uuid key;
    double score;
};

/// The order of every result: best score first, ties by chunk id, so that equal data gives bit-identical answers.
inline bool ranks_before(const ranked& a, const ranked& b) noexcept {
    if (a.score != b.score) return a.score > b.score;
    return key_less(a.key, b.key);
}

/// Keeps the best `limit` of what it is offered. Memory grows with what is offered, never with the limit alone.
class best_of {
public:
    explicit best_of(std::int64_t limit) : m_limit{limit} {}

    void offer(const ranked& candidate) {
        if (static_cast<std::int64_t>(m_heap.size()) < m_limit) {
            m_heap.push_back(candidate);
            std::push_heap(m_heap.begin(), m_heap.end(), ranks_before);
        } else if (m_limit > 0 && ranks_before(candidate, m_heap.front())) {
            std::pop_heap(m_heap.begin(), m_heap.end(), ranks_before);
            m_heap.back() = candidate;
            std::push_heap(m_heap.begin(), m_heap.end(), ranks_before);
        }
    }

    /// @returns the best, in the order of results; leaves this empty
    std::vector<ranked> take() {
        std::sort_heap(m_heap.begin(), m_heap.end(), ranks_before);
        return std::move(m_heap);
    }

private:
    std::int64_t m_limit;
    std::vector<ranked> m_heap; ///< the worst in front
};

} // namespace tenancy::search
