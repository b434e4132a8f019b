#pragma once

#include "vectors/pure/directory.hpp"
#include "vectors/pure/query.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace tenancy::vectors {

/// Searches of a tenant's vectors whose answer is found by reading all of them, to learn how many clusters hold it.
///
/// What is asked for are vectors of the tenant, moved by half their length in a random direction, as a question is not
/// what answers it. Which vector a question comes from is no part of its answer.
class rehearsal {
public:
    static constexpr std::size_t usual_count = 400;

    rehearsal(metric by, std::size_t dims) : m_metric{by}, m_dims{dims} {}

    /// Take a vector of a block for a question.
    void add(const block_view& block, std::size_t place);

    /// Look at the vectors of a block. @param clusters of each of them
    void look_at(const block_view& block, const std::vector<std::uint32_t>& clusters);

    /// What the answers say. Call it when all was looked at.
    ///
    /// @param centres as they will be compared with queries; the number of each is in its id
    /// @param in_page vectors that a page has: it is read for one of them
    promise learned(const block_view& centres, std::size_t in_page) const;

private:
    struct neighbour {
        float key;
        std::uint32_t cluster;
    };
    struct question {
        uuid from;
        query asked;
        std::vector<neighbour> nearest; ///< a heap with the worst in front
    };

    metric m_metric;
    std::size_t m_dims;
    std::uint64_t m_vectors = 0;
    std::vector<std::uint32_t> m_sizes; ///< of clusters, by their numbers
    std::vector<question> m_questions;
};

/// The share of a whole that is meant when so many of a sample were so, at least: the lower end of Wilson's interval at
/// two standard deviations, so that small samples promise little.
double share_at_least(std::size_t hits, std::size_t sample) noexcept;

} // namespace tenancy::vectors
