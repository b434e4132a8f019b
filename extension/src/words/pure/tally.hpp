#pragma once

#include "search/pure/bm25.hpp"
#include "search/pure/ranked.hpp"
#include "words/pure/query.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace tenancy::words {

/// Evaluates one query over the segments and the log of one tenant.
///
/// What came counts once, what went counts negatively; the sum is what there is, whatever was put where. Nothing of a chunk that
/// went is answered: it is taken out against its like, which has the same id, and with the same words the same score.
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
        std::uint32_t page = UINT32_MAX; ///< the page of ids that is here
        std::vector<identity> ids;
        std::size_t first_match = 0, end_match = 0;
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

    bool is_wanted(const uuid& id) const;
    void count_all(const segment_head& head);
    void count_wanted(source& of, std::vector<bool>& wanted);
    void add_match(const judgement& judged, std::uint32_t source, std::uint32_t chunk, std::uint32_t length, bool is_negative);
    const std::vector<identity>& ids_of(source& of, std::uint32_t page);
    uuid id_of(const match& of);
    bool find_chunks(source& in, const uuid& id, std::uint32_t& first, std::uint32_t& end);

    const query_shape& m_query;
    matcher& m_by;
    bool m_is_restricted = false;
    std::vector<uuid> m_wanted;
    std::vector<source> m_sources;
    std::vector<uuid> m_log_ids;

    std::vector<match> m_matches;
    std::vector<std::uint16_t> m_frequencies; ///< of each match, one a term
    std::vector<std::uint32_t> m_now;         ///< of the chunk at hand
    std::vector<occurrence> m_stand;

    std::int64_t m_chunks = 0, m_length = 0;
    std::vector<std::int64_t> m_holding;
    std::optional<search::bm25_statistics> m_statistics;

    std::vector<std::uint32_t> m_came, m_went; ///< hits as heaps, best in front
    bool m_is_ranked = false;
};

} // namespace tenancy::words
