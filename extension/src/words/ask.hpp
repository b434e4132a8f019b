#pragma once

#include "search/keyword_query.hpp"
#include "search/lane.hpp"
#include "words/pure/tally.hpp"
#include "words/tables.hpp"

#include <optional>

namespace tenancy::words {

/// Whether a search of a corpus may ask its keyword store: it is built, and knows all that the current snapshot sees.
bool is_readable(const search::corpus& of);

/// Whether the caller's policies let it read all chunks of its tenant, as far as can be told without asking them.
bool sees_whole_tenant(const search::corpus& of);

/// One query of the current tenant to the keyword store, under the active snapshot.
class ask {
public:
    /// @param query  outlives this
    /// @param wanted sorted ids of the chunks that count and are answered; all of the tenant's when null
    ask(const search::corpus& of, const search::keyword_query& query, const std::vector<uuid>* wanted);

    ask(const ask&) = delete;
    ask& operator=(const ask&) = delete;

    /// Whether the store has not all words of the tenant; then it is to be asked nothing.
    bool is_frozen() const noexcept { return m_is_frozen; }

    /// As tally::more() and tally::look_up().
    bool more(std::size_t count, std::vector<search::ranked>& into);
    std::vector<tally::answer> look_up(const std::vector<uuid>& ids);

private:
    query_shape m_shape;
    std::unique_ptr<matcher> m_matcher;
    tally m_tally;
    bool m_is_frozen = false;
    std::optional<tenant_words> m_words; ///< none when there is no tenant
    std::vector<std::unique_ptr<tenant_words::stored_segment>> m_segments;
};

} // namespace tenancy::words
