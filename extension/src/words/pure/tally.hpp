#pragma once

#include "search/pure/bm25.hpp"
#include "search/pure/ranked.hpp"
#include "words/pure/query.hpp"
#include "words/pure/scores.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace tenancy::words {

/// Evaluates one query over the segments and the log of one tenant.
///
/// What came counts once, what went counts negatively; the sum is what there is, whatever was put where. Nothing of a chunk that
/// went is answered: it is taken out against its like, which has the same id, and with the same words the same score.
///
/// Of single words nothing is looked at chunk by chunk: how many chunks hold each is written beside its list, and their
/// scores are summed up list by list. Phrases and policies that hide chunks take more.
///
/// Add everything, then finish(), then ask.
class tally {
public:
    tally(const query_shape& query, matcher& by);

    /// Count and answer only these chunks; sorted.
    void restrict_to(std::vector<uuid> ids);

    /// @param from outlives this
    void add_segment(const segment_head& head, part_source& from);

    /// A row of the log; not needed afterwards.
    void add_log_row(std::string_view row);

    /// Score what was found.
    ///
    /// @param query_counts how often each term stands in the query
    void finish(const std::vector<std::uint32_t>& query_counts, search::bm25_parameters parameters);

    const search::bm25_statistics& statistics() const noexcept { return *m_statistics; }

    /// Append more of the ranking, best first, ties by id: at least `count` chunks as long as there are so many.
    ///
    /// @returns false when there is no more
    bool more(std::size_t count, std::vector<search::ranked>& into);

    /// What the query makes of chunks by id.
    struct answer {
        double score = 0;
        bool is_forbidden = false;
    };
    std::vector<answer> look_up(const std::vector<uuid>& ids);

private:
    struct source {
        segment_head head; ///< of a segment
        part_source* from = nullptr;
        std::unordered_map<std::uint32_t, std::vector<identity>> ids; ///< pages that were read
        std::size_t first_match = 0, end_match = 0;
        std::vector<posting_cursor> lists; ///< of each lexeme, where they are not gone through yet
        std::optional<segment_scores> scores; ///< instead of matches
    };

    /// A chunk that is a hit, or forbidden, or both.
    struct match {
        double score;
        std::uint32_t source; ///< in_log for an entry of the log
        std::uint32_t chunk;  ///< or the number of its id in m_log_ids
        std::uint32_t length;
        bool is_negative, is_hit, is_forbidden;
    };

    static constexpr std::uint32_t in_log = UINT32_MAX;
    static constexpr std::size_t most_kept_bytes = std::size_t{8} << 20;

    /// A hit as the ranking takes it.
    struct candidate {
        double score;
        std::uint32_t source, chunk; ///< as of a match
    };

    bool is_plain() const noexcept;
    bool is_wanted(const uuid& id) const;
    void count_all(const segment_head& head);
    void count_wanted(source& of, std::vector<bool>& wanted);
    void read_lists(source& of);
    void go_through(std::uint32_t number, std::vector<posting_cursor> lists, const std::vector<bool>& wanted);
    void sum_up(std::uint32_t number, search::bm25_scorer& scorer);
    void count_holders(bool is_negative);
    void add_match(const judgement& judged, std::uint32_t source, std::uint32_t chunk, std::uint32_t length, bool is_negative);
    template <typename Visit>
    void for_each_hit(bool is_negative, const double& least, Visit visit) const;
    std::vector<search::ranked> best(std::size_t count, bool& is_more);
    double least_of(std::size_t count) const;
    std::vector<search::ranked> with_ids(std::vector<candidate>& found);
    const std::vector<identity>& ids_of(source& of, std::uint32_t page);
    bool find_chunks(source& in, const uuid& id, std::uint32_t& first, std::uint32_t& end);

    const query_shape& m_query;
    matcher& m_by;
    bool m_is_restricted = false;
    std::vector<uuid> m_wanted;
    std::vector<source> m_sources;
    std::vector<uuid> m_log_ids;

    std::size_t m_kept_bytes = 0; ///< of lists between add_segment() and finish()

    std::vector<match> m_matches;
    std::vector<std::uint16_t> m_frequencies; ///< of each match, one a term
    std::vector<std::uint32_t> m_now;         ///< of the chunk at hand
    std::vector<occurrence> m_stand;

    std::int64_t m_chunks = 0, m_length = 0;
    std::vector<std::int64_t> m_holding;
    std::optional<search::bm25_statistics> m_statistics;

    std::size_t m_answered = 0; ///< chunks of the ranking that more() has appended
};

} // namespace tenancy::words
