#pragma once

#include "search/lane.hpp"

namespace tenancy::search {

/// Ranks by similarity of embeddings, computed by pgvector for every visible chunk.
class vector_lane : public lane {
public:
    /// @param embedding a pgvector vector that was checked to fit the corpus
    vector_lane(const request& asked, Datum embedding) : m_asked{asked}, m_embedding{embedding} {}

    std::vector<ranked> best(std::int64_t count) override;
    std::vector<finding> scores_of(const std::vector<uuid>& keys) override;

private:
    request m_asked;
    Datum m_embedding;
};

} // namespace tenancy::search
