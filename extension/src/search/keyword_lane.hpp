#pragma once

#include "search/keyword_query.hpp"
#include "search/lane.hpp"
#include "search/pure/bm25.hpp"
#include "search/settings.hpp"
#include "words/ask.hpp"

#include <memory>

namespace tenancy::search {

/// Ranks by BM25 with the statistics of the chunks that the caller may see, and of no others.
///
/// Asks the keyword store where it may be read. Otherwise it reads every visible chunk's tsvector once; what was found is
/// kept up to work_mem, and beyond it read a second time. Both ways give the same chunks, order and scores. Where the
/// table has policies beside tenancy's, the ids of the chunks that they show are read first, and only those count.
class keyword_lane : public lane {
public:
    keyword_lane(const request& asked, const std::string& text)
        : m_asked{asked}, m_query{asked.of.text_config, text}, m_statistics{m_query.terms()} {}

    /// Only chunks that hold a word of the query are ranked.
    std::vector<ranked> best(std::int64_t count) override;

    /// A chunk that holds none scores 0, one that holds a forbidden word is excluded. Call best() first: it counts.
    std::vector<finding> scores_of(const std::vector<uuid>& keys) override;

    bool has_terms() const noexcept { return m_query.terms() > 0; }
    bool forbids() const noexcept { return m_query.forbids(); }

private:
    bool asks_store();
    words::ask& make_ask();
    std::vector<ranked> best_of_store(std::int64_t count);
    std::vector<ranked> best_of_rows(std::int64_t count);
    std::vector<uuid> visible() const;
    std::vector<ranked> passing(const std::vector<ranked>& candidates) const;

    template <typename Visit>
    void for_each_chunk(Visit visit);

    request m_asked;
    keyword_query m_query;
    bm25_statistics m_statistics;
    bool m_is_counted = false;
    enum class way { unknown, store, rows } m_way = way::unknown;
    std::unique_ptr<words::ask> m_ask;
    bool m_is_fresh = false; ///< nothing was taken from it
};

} // namespace tenancy::search
