#include "pure/pure.hpp"

#include "vectors/pure/collector.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <utility>

namespace tenancy::vectors {

namespace {

constexpr float infinite = std::numeric_limits<float>::infinity();

bool comes_before(const candidate& a, const candidate& b) noexcept {
    if (a.upper != b.upper) return a.upper > b.upper;
    return key_less(a.id, b.id);
}

} // namespace

std::size_t collector::id_hash::operator()(const uuid& id) const noexcept {
    // Time stands in the first half of a version 7 id, random bits in the second.
    std::uint64_t words[2];
    std::memcpy(words, id.bytes, sizeof words);
    return static_cast<std::size_t>((words[0] ^ words[1]) * 0x9e3779b97f4a7c15u >> 16);
}

std::size_t collector::first_capacity(std::int64_t count, std::size_t capacity) noexcept {
    std::size_t most = std::max<std::size_t>(capacity, 1), wanted = count > 0 ? static_cast<std::size_t>(count) : 0;
    return wanted < most / 4 ? std::min(most, least_capacity + 2 * wanted) : most;
}

collector::collector(const query& asked, std::int64_t count, float floor, std::size_t capacity)
    : m_asked{asked}, m_count{count > 0 ? static_cast<std::size_t>(count) : 0}, m_floor{floor}, m_cut{floor},
      m_capacity{first_capacity(count, capacity)}, m_most{std::max<std::size_t>(capacity, 1)},
      // Some candidates are outdated codes, or rows that the caller does not see.
      m_likely_count{std::min(m_capacity, m_count + m_count / 4 + 6)} {
    m_kept.reserve(std::min<std::size_t>(2 * m_capacity, 256));
    m_likely.reserve(std::min<std::size_t>(m_likely_count, 256));
}

void collector::offer(const candidate& one) {
    if (!(one.upper >= m_cut)) {
        pass_over();
        return;
    }
    if (!m_is_first && !comes_before(m_behind, one)) return;
    if (m_has_dropped && !comes_before(one, m_last_kept)) return;
    ++m_counts.offered;
    m_kept.push_back(one);
    if (m_likely_count > 0) {
        // A number that is none would break the heap.
        float likely = one.approximate <= one.upper ? one.approximate : -infinite;
        if (m_likely.size() < m_likely_count) {
            m_likely.push_back(likely);
            std::push_heap(m_likely.begin(), m_likely.end(), std::greater<>{});
        } else if (likely > m_likely.front()) {
            std::pop_heap(m_likely.begin(), m_likely.end(), std::greater<>{});
            m_likely.back() = likely;
            std::push_heap(m_likely.begin(), m_likely.end(), std::greater<>{});
        }
        if (m_likely.size() == m_likely_count) m_cut = std::max(m_cut, m_likely.front());
    }
    if (m_kept.size() >= 2 * m_capacity) drop_some();
}

/// Keep those alone that the cut lets pass.
void collector::drop_below_cut() {
    auto passed = std::partition(m_kept.begin(), m_kept.end(), [&](const candidate& one) { return one.upper >= m_cut; });
    m_passed_over |= passed != m_kept.end();
    m_kept.erase(passed, m_kept.end());
}

/// Keep the best of them only.
void collector::drop_some() {
    drop_below_cut();
    if (m_kept.size() <= m_capacity) return;
    auto last = m_kept.begin() + static_cast<std::ptrdiff_t>(m_capacity - 1);
    std::nth_element(m_kept.begin(), last, m_kept.end(), comes_before);
    m_last_kept = *last;
    m_kept.resize(m_capacity);
    m_has_dropped = m_passed_over = true;
    m_cut = std::max(m_cut, m_last_kept.upper);
}

float collector::likely_last() const {
    if (m_kept.size() < m_count || m_count == 0) return m_floor;
    std::vector<float> keys;
    keys.reserve(m_kept.size());
    for (const candidate& one : m_kept)
        keys.push_back(one.approximate);
    auto last = keys.begin() + static_cast<std::ptrdiff_t>(m_count - 1);
    std::nth_element(keys.begin(), last, keys.end(), std::greater<>{});
    return *last;
}

void collector::end_scan(bool left_out) {
    m_left_out = left_out;
    ++m_counts.scans;
    drop_below_cut();
    std::sort(m_kept.begin(), m_kept.end(), comes_before);
    m_next = 0;
}

/// Nothing that the scan passed over ranks before this.
candidate collector::bound_of_passed_over() const noexcept {
    if (m_has_dropped && m_last_kept.upper == m_cut) return m_last_kept;
    candidate bound{};
    bound.upper = m_cut;
    return bound;
}

std::size_t collector::likely_to_be_taken() const {
    std::size_t left = m_kept.size() - m_next, wanted = m_count - std::min(m_best.size(), m_count);
    if (wanted == 0 || wanted >= left) return std::min(wanted, left);
    std::vector<std::pair<float, float>> near;
    near.reserve(left);
    for (std::size_t i = m_next; i < m_kept.size(); ++i)
        near.emplace_back(m_kept[i].approximate, m_kept[i].upper);
    auto last = near.begin() + static_cast<std::ptrdiff_t>(wanted) - 1;
    std::nth_element(near.begin(), last, near.end(), std::greater<>{});
    // What a code stands for errs in many directions, so by far less than its bound.
    float reach = last->first - (last->second - last->first) / 8;
    auto behind = std::partition_point(m_kept.begin() + static_cast<std::ptrdiff_t>(m_next), m_kept.end(),
                                       [&](const candidate& one) { return one.upper >= reach; });
    return static_cast<std::size_t>(behind - m_kept.begin()) - m_next;
}

bool collector::is_settled(const candidate& next) const noexcept {
    if (m_best.size() < m_count) return false;
    if (m_count == 0) return true;
    const search::ranked& last = m_best.front();
    double reach = m_asked.score_of(next.upper);
    if (last.score != reach) return last.score > reach;
    // Candidates are in the order of ids only where their bounds are equal: two bounds may have one score.
    return key_less(last.key, next.id) &&
           m_asked.score_of(std::nextafter(next.upper, -infinite)) < reach;
}

std::size_t collector::take(candidate* to, std::size_t most) {
    std::size_t taken = 0;
    while (taken < most && m_next < m_kept.size() && !is_settled(m_kept[m_next])) {
        const candidate& next = m_kept[m_next++];
        if (!m_given.insert(next.id).second) continue;
        to[taken++] = next;
    }
    m_counts.taken += taken;
    return taken;
}

void collector::score(const uuid& id, double exact) {
    ++m_counts.scored;
    search::ranked row{id, exact};
    if (m_best.size() < m_count) {
        m_best.push_back(row);
        std::push_heap(m_best.begin(), m_best.end(), search::ranks_before);
    } else if (m_count > 0 && search::ranks_before(row, m_best.front())) {
        std::pop_heap(m_best.begin(), m_best.end(), search::ranks_before);
        m_best.back() = row;
        std::push_heap(m_best.begin(), m_best.end(), search::ranks_before);
    }
}

bool collector::is_complete() {
    if (!m_passed_over && !m_left_out) return true;
    if (m_next < m_kept.size() || is_settled(bound_of_passed_over())) return true;

    if (!m_left_out) {
        m_behind = m_kept.back();
        m_is_first = false;
    }
    m_passed_over = m_left_out = m_has_dropped = false;
    m_likely_count = 0;
    m_kept.clear();
    m_capacity = std::min(m_most, m_capacity * 8);
    m_cut = m_floor;
    if (m_best.size() >= m_count) m_cut = std::max(m_cut, m_asked.key_of(m_best.front().score));
    m_floor = m_cut;
    return false;
}

std::vector<search::ranked> collector::result() {
    std::sort_heap(m_best.begin(), m_best.end(), search::ranks_before);
    m_kept.clear();
    m_given.clear();
    return std::move(m_best);
}

} // namespace tenancy::vectors
