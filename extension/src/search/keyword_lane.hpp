#pragma once

#include "search/keyword_query.hpp"
#include "search/lane.hpp"
#include "search/pure/bm25.hpp"

namespace tenancy::search {

/// Ranks by BM25 with the statistics of the chunks that the caller may see, and of no others.
///
/// Reads every visible chunk's tsvector once; what was found is kept up to work_mem, and beyond it read a second time.
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
    template <typename Visit>
    void for_each_chunk(Visit visit);

    request m_asked;
    keyword_query m_query;
    bm25_statistics m_statistics;
    bool m_is_counted = false;
};

} // namespace tenancy::search
