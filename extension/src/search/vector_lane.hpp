#pragma once

#include "search/kept_rows.hpp"
#include "search/lane.hpp"
#include "vectors/pure/collector.hpp"

namespace tenancy::search {

/// How a search by embedding went, for explain_match().
struct vector_report {
    const char* tier = "rows";   ///< "codes", "clusters", "sketches", or "rows" where every visible chunk was read
    const char* why_rows = nullptr; ///< what kept the store from being used
    std::int64_t blocks = 0;     ///< rows of the store that were read, once for each scan
    std::int64_t codes = 0;      ///< in them
    std::int64_t candidates = 0; ///< that passed the first comparison
    std::int64_t fetched = 0;    ///< chunks looked for
    std::int64_t scored = 0;     ///< chunks that were there for the caller, and passed the filters
    std::int64_t widened = 0;    ///< how often the store was read again for more candidates
    bool is_exact = true;        ///< proven; else exact by expectation
    double expected_recall = 1;
    const char* kernel = nullptr;
};

/// Ranks by similarity of embeddings: by the vector store where the corpus has one, else by every visible chunk, with the
/// same answer to the last bit.
///
/// The store gives candidates and bounds of their scores; pgvector computes the scores of those that may belong to the
/// answer from their rows, as the caller sees them. See vectors/pure/collector.hpp for why the answer is exact.
class vector_lane : public lane {
public:
    /// @param embedding a pgvector vector that was checked to fit the corpus
    vector_lane(const request& asked, Datum embedding) : m_asked{asked}, m_embedding{embedding} {}

    /// Have the next best() keep the rows that it fetches.
    void keep_rows(kept_rows& in) noexcept { m_kept = &in; }
    /// Where they are; null when it could not keep them.
    kept_rows* kept() const noexcept { return m_kept; }

    std::vector<ranked> best(std::int64_t count) override;
    std::vector<finding> scores_of(const std::vector<uuid>& keys) override;

    /// Of the last best().
    const vector_report& report() const noexcept { return m_report; }

private:
    std::vector<ranked> best_of_rows(std::int64_t count);
    bool best_of_store(std::int64_t count, std::vector<ranked>& best);

    void prepare_distance();
    Datum distance_of(Datum embedding);
    std::size_t read_scores(const uuid* keys, std::size_t count, bool keeps, ranked* scored);
    void fetch(const vectors::candidate* batch, std::size_t count, vectors::collector& found);

    request m_asked;
    Datum m_embedding;
    vector_report m_report;
    kept_rows* m_kept = nullptr;
    FmgrInfo m_distance{};
};

} // namespace tenancy::search
