#pragma once

#include "vectors/pure/block.hpp"
#include "vectors/pure/query.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace tenancy::vectors {

/// What a cluster of a tenant's vectors is known by, in the place of an id where its centre is packed.
struct cluster {
    std::uint32_t number;
    float radius;          ///< no member is farther from the centre (cosine: both divided by their norms)
    std::uint64_t members;
};

uuid pack_cluster(const cluster& of) noexcept;
cluster unpack_cluster(const uuid& id) noexcept;

/// Groups of vectors that lie together, of one tenant's own data, so that a search need read only some.
///
/// k-means (S. Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28 (1982), 129-137; for cosine on
/// the sphere), worked on the codes of blocks, so no row is read. Clusters that run empty take members from those that
/// grew beyond twice the mean. The same blocks give the same clusters, always.
class clusters {
public:
    /// Centres of about sqrt(vectors) clusters keep the work of finding the nearest ones and of reading them even.
    static std::size_t usual_count(std::uint64_t vectors) noexcept;

    /// @param sample  blocks of one metric and number of dimensions; some 30 vectors for each cluster are enough
    /// @param between called now and then, to look for interrupts; may throw
    clusters(metric by, std::size_t dims, const std::vector<block_view>& sample, std::size_t count,
             const std::function<void()>& between = {});

    std::size_t count() const noexcept { return m_queries.size(); }
    /// In the space of the embeddings.
    const float* centre(std::size_t number) const noexcept { return m_centres.data() + number * m_dims; }

    struct membership {
        std::uint32_t number;
        float distance; ///< to the centre, never less than it is; +inf when no bound is known
    };

    /// The cluster of each vector of a block.
    std::vector<membership> assign(const block_view& block) const;

private:
    void prepare();

    metric m_metric;
    std::size_t m_dims;
    std::vector<float> m_centres;
    std::vector<query> m_queries;
    std::vector<double> m_squares; ///< of the centres
};

/// Upper bound of the keys of all members, from the centre's own and the radius (triangle inequality).
///
/// @param centre_norm used for inner product only
float bound_of_members(const query& asked, float upper_of_centre, float radius, float centre_norm) noexcept;

/// How many clusters must be read to find a share of the true neighbours, learned from searches whose answer is known.
class probe_table {
public:
    /// Tell where, in the order of a search's nearest centres, the cluster of a true neighbour stood, from 0.
    void add(std::uint32_t rank) { m_ranks.push_back(rank); }

    std::size_t samples() const noexcept { return m_ranks.size(); }

    /// The share of neighbours in the first so many clusters, at least: the lower end of Wilson's interval at two
    /// standard deviations, so that few samples promise little.
    double expected_recall(std::uint32_t probes) const noexcept;

    /// The fewest probes that are expected to reach a recall; `all` when samples cannot promise that.
    std::uint32_t probes_for(double recall, std::uint32_t all) const;

private:
    std::vector<std::uint32_t> m_ranks;
};

} // namespace tenancy::vectors
