#pragma once

#include "search/corpus.hpp"
#include "search/pure/ranked.hpp"
#include "search/spi.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace tenancy::search {

/// What one search asks for, beside the lane's own query.
struct request {
    corpus& of;
    filters given;
    Datum filter = 0;       ///< jsonb, where given
    Datum document_ids = 0; ///< uuid[], where given
    double least = -std::numeric_limits<double>::infinity(); ///< similarity that a chunk must have; a lane may still give others
};

/// What a lane says of one chunk.
struct finding {
    enum class kind {
        scored,
        unknown,  ///< the lane has nothing to rank it by
        excluded, ///< the query rules it out
    };

    kind what = kind::unknown;
    double score = 0;
};

/// One way of ranking the chunks of a corpus that the caller may see, under the caller's policies and snapshot.
///
/// This is the seam behind which a faster engine goes. Its contract: `best` answers exactly what a scan of every visible
/// chunk would, in the same order with the same scores. A lane that works on approximations, or on a store that knows
/// nothing of policies, filters and snapshots, must widen until that is so or its data ends; the result is never short of
/// min(count, chunks that match). Rows are fetched elsewhere, by emit_rows().
///
/// Needs an SPI connection for its whole life.
class lane {
public:
    virtual ~lane() = default;

    /// The best `count` chunks that pass the filters, best first, ties by chunk id. Uses memory for what it finds, not for
    /// what it is asked.
    virtual std::vector<ranked> best(std::int64_t count) = 0;

    /// The exact scores of these chunks, in their order.
    virtual std::vector<finding> scores_of(const std::vector<uuid>& keys) = 0;
};

} // namespace tenancy::search
