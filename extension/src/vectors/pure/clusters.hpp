#pragma once

#include "vectors/pure/block.hpp"
#include "vectors/pure/query.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace tenancy::vectors {

/// Groups of vectors that lie together, of one tenant's own data, so that a search need read only some.
///
/// k-means (S. Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28 (1982), 129-137; for cosine on
/// the sphere), worked on the codes of blocks, so no row is read. First centres come from where those before are far, many
/// at a time (B. Bahmani and others, "Scalable k-means++", PVLDB 5 (2012), 622-633): a group of vectors without a centre
/// would be scattered over the clusters of others. Clusters that run empty take members from those that grew beyond twice
/// the mean. The same blocks give the same clusters, always.
class clusters {
public:
    static constexpr std::size_t most = 4096;

    /// So many that a cluster has some dozens of vectors: subjects are many and small.
    static std::size_t usual_count(std::uint64_t vectors) noexcept;
    /// Vectors to find so many centres from.
    static std::size_t usual_sample(std::size_t count) noexcept;

    /// Find centres, at most `count`.
    ///
    /// @param between called now and then, to look for interrupts; may throw
    clusters(const block_view& sample, std::size_t count, const std::function<void()>& between = {});
    /// Those that were found before.
    clusters(metric by, std::size_t dims, std::vector<float> centres);

    std::size_t count() const noexcept { return m_queries.size(); }
    /// In the space of the embeddings.
    const float* centre(std::size_t number) const noexcept { return m_centres.data() + number * m_dims; }

    /// The cluster of each vector of a block; some hundred vectors at a time are fastest.
    std::vector<std::uint32_t> assign(const block_view& block, const std::function<void()>& between = {}) const;

private:
    /// Of each vector of a block, the score of the nearest centre, and which that is.
    struct nearest {
        explicit nearest(std::size_t vectors) : scores(vectors, -std::numeric_limits<float>::infinity()), numbers(vectors) {}
        std::vector<float> scores;
        std::vector<std::uint32_t> numbers;
    };

    /// Vectors to begin with, each alone.
    std::vector<std::vector<std::uint32_t>> seeds(const block_view& sample, std::size_t count,
                                                  const std::function<void()>& between);
    /// Compare with the centres of now, numbered from `first` on.
    void improve(const block_view& block, std::uint32_t first, nearest& best, const std::function<void()>& between) const;
    void set_means(const block_view& block, const std::vector<std::vector<std::uint32_t>>& members);
    void prepare();

    metric m_metric;
    std::size_t m_dims;
    std::vector<float> m_centres;
    std::vector<query> m_queries;
    std::vector<float> m_halves; ///< of the squares of their norms
};

} // namespace tenancy::vectors
