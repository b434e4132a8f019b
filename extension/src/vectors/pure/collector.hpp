#pragma once

#include "search/pure/ranked.hpp"
#include "vectors/pure/query.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <unordered_set>
#include <vector>

namespace tenancy::vectors {

/// A vector that may belong to the answer, as its code says.
struct candidate {
    uuid id;
    float upper;          ///< no less than the exact key
    float approximate;    ///< the key of what the code stands for
    std::uint64_t source; ///< which block it is of: whatever the caller of scan() said
    std::uint32_t place;  ///< in that block
};

/// Finds the exact best k, with as few rows fetched as bounds allow.
///
/// The threshold algorithm (R. Fagin, A. Lotem, M. Naor, "Optimal aggregation algorithms for middleware", JCSS 66
/// (2003), 614-656): rows are fetched in falling order of their upper bounds until the k-th best exact score is out of
/// reach of the next. It goes like this:
///
///     collector found{asked, k};
///     do {
///         for (every block) scan(asked, block, its number, found);
///         found.end_scan();
///         candidate batch[32];
///         while (std::size_t count = found.take(batch, 32))
///             for (each of them)
///                 if (the caller sees the row and the filters pass) found.score(batch[i], exact similarity);
///     } while (!found.is_complete());
///     ... = found.result();
///
/// A scan keeps a limited number of candidates: those that may be among somewhat more than k, taking the keys that codes
/// give for the exact ones, which they nearly are. When rows turn out to be invisible or filtered and those kept run dry,
/// is_complete() is false and the same blocks are scanned once more for the next best, more of them each time, until
/// k rows are found or there are no more. Nothing else is needed to widen.
///
/// The order of results and of candidates is by score, ties by id; a candidate is left out only if it ranks behind for
/// certain. A second candidate of an id (an outdated code of an updated row, beside its new one) is given out no more
/// than once, so fetch the row by id, as it is now.
class collector {
public:
    /// How many candidates a first scan keeps for k rows at least, and any scan at most.
    static constexpr std::size_t least_capacity = 32, default_capacity = std::size_t{1} << 18;

    /// How many candidates a first scan keeps.
    static std::size_t first_capacity(std::int64_t count, std::size_t capacity = default_capacity) noexcept;

    /// @param asked    must live as long as this
    /// @param count    how many rows are wanted, at least 1
    /// @param floor    what has a lower key is not wanted at all (see query::key_of)
    /// @param capacity candidates to keep at most; memory is for twice as many, 40 bytes each
    collector(const query& asked, std::int64_t count, float floor = -std::numeric_limits<float>::infinity(),
              std::size_t capacity = default_capacity);

    /// Say that many of the candidates will not be rows of the answer: the first scan keeps as many as it may, where it
    /// would keep those that may be needed when nearly all are.
    void expect_misses() noexcept { m_likely_count = m_capacity; }

    /// Candidates with a lower upper bound than this need not be offered; pass them by with pass_over().
    float cut() const noexcept { return m_cut; }
    void pass_over() noexcept { m_passed_over |= m_cut > m_floor; }
    void offer(const candidate& one);

    /// What the last of those that are wanted has for a key, if there were no more than was offered and codes say the truth: the
    /// floor when fewer were.
    float likely_last() const;

    /// Sort what was offered. No offer() until take() has answered 0.
    ///
    /// @param left_out whether the scan left out vectors by an estimate (see shortlist). If they are wanted after all,
    ///                 the next scan must offer all of them, and what was given out is not given again.
    void end_scan(bool left_out = false);

    /// How many take() will likely give in all, when all of them are rows that are there: a guess by what their codes say.
    std::size_t likely_to_be_taken() const;

    /// The next candidates that may belong to the answer, best bound first.
    ///
    /// A batch may hold some that a score of the same batch makes needless; small batches fetch fewer rows.
    /// @returns how many; 0 when there is nothing to fetch
    std::size_t take(candidate* to, std::size_t most);

    /// Tell the exact score of a row that take() gave. Rows that are not visible are just not told.
    void score(const uuid& id, double exact);
    void score(const candidate& of, double exact) { score(of.id, exact); }

    /// The last of the best so far, when there are as many as are wanted; else null.
    const search::ranked* last_of_best() const noexcept {
        return m_count > 0 && m_best.size() == m_count ? &m_best.front() : nullptr;
    }

    /// Whether the answer stands: proven, or the data ended. Ask when take() has answered 0; false means: scan again.
    bool is_complete();

    /// The answer, best first; leaves this empty.
    std::vector<search::ranked> result();

    struct counts {
        std::uint64_t scans = 0;   ///< over all blocks
        std::uint64_t offered = 0; ///< candidates that passed the cut when they were met
        std::uint64_t taken = 0;   ///< rows to fetch
        std::uint64_t scored = 0;  ///< rows that were there and passed
    };
    const counts& statistics() const noexcept { return m_counts; }

private:
    struct id_hash {
        std::size_t operator()(const uuid& id) const noexcept;
    };

    void drop_below_cut();
    void drop_some();
    candidate bound_of_passed_over() const noexcept;
    bool is_settled(const candidate& next) const noexcept;

    const query& m_asked;
    std::size_t m_count;
    float m_floor, m_cut;
    std::size_t m_capacity, m_most;
    bool m_passed_over = false, m_is_first = true, m_left_out = false;
    candidate m_behind{}; ///< after the first scan: only what ranks behind this is new
    /// Of the first scan: the best keys as codes give them. What cannot reach the last of them is passed over, as long
    /// as that turns out to be right.
    std::size_t m_likely_count;
    std::vector<float> m_likely;   ///< a heap with the worst in front
    bool m_has_dropped = false;    ///< candidates that ranked behind m_last_kept, when there were too many
    candidate m_last_kept{};
    std::vector<candidate> m_kept; ///< after end_scan() sorted
    std::size_t m_next = 0;
    std::unordered_set<uuid, id_hash> m_given;
    std::vector<search::ranked> m_best; ///< a heap with the worst in front
    counts m_counts;
};

} // namespace tenancy::vectors
