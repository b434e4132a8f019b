#pragma once

#include "store/tenant_key.hpp"
#include "vectors/blocks.hpp"
#include "vectors/pure/directory.hpp"
#include "vectors/pure/query.hpp"
#include "vectors/pure/sketch.hpp"

namespace tenancy::search {

/// Looks at the pages of a large tenant without reading all of them, as far as what the store keeps about those pages
/// promises the recall.
///
/// The two ways call PostgreSQL under a guard of the caller, of which this must lie outside.
class large_tenant {
public:
    /// @param count nearest that are wanted
    large_tenant(const vectors::query& asked, std::int64_t count) : m_asked{asked}, m_count{count}, m_near{count} {}

    /// Offer what pages of block_kind::clustered have.
    ///
    /// @returns false, and has offered nothing, when they are to be read all
    bool look_at_clusters(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant,
                          vectors::collector& found);

    /// The same for block_kind::sketched.
    bool look_at_sketches(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant,
                          vectors::collector& found);

    const char* tier() const noexcept { return m_tier; }        ///< null when nothing was left out
    std::int64_t blocks() const noexcept { return m_blocks; }   ///< rows of the store that were read
    std::int64_t codes() const noexcept { return m_codes; }     ///< in the pages that were looked at or ruled out
    bool has_left_out() const noexcept { return m_left_out; }   ///< what may yet belong to the answer
    double expected_recall() const noexcept { return m_recall; }

private:
    struct centre {
        float key;
        std::uint32_t number;
    };

    bool is_large(std::int64_t codes) const noexcept;
    void keep_nearest(const vectors::block_view& centres, std::size_t probes, std::ptrdiff_t ahead);
    void use(const char* tier, std::int64_t blocks, std::int64_t codes, bool left_out, double recall) noexcept;

    const vectors::query& m_asked;
    std::int64_t m_count;
    const char* m_tier = nullptr;
    std::int64_t m_blocks = 0, m_codes = 0;
    bool m_left_out = false;
    double m_recall = 1;

    vectors::shortlist m_near;
    std::vector<centre> m_nearest; ///< a heap with the worst in front, which is not read
    std::vector<float> m_keys;
    std::vector<std::uint32_t> m_clusters; ///< the numbers of the others, in order
    std::vector<std::uint64_t> m_sources, m_read;
};

} // namespace tenancy::search
