#pragma once

#include "vectors/pure/clusters.hpp"
#include "vectors/pure/directory.hpp"
#include "vectors/pure/rehearsal.hpp"
#include "vectors/pure/sketch.hpp"
#include "vectors/tenant_rows.hpp"

namespace tenancy::vectors {

/// Writes a tenant's pages anew in the order of clusters, with a directory that says which pages have which cluster.
///
/// A page that is packed anew later becomes one that every search reads, and the directory names it in vain. So nothing
/// but this changes a directory, and no vector is ever in neither.
class clustering : public tenant_rows {
public:
    using tenant_rows::tenant_rows;

    /// @returns whether something was learned of the tenant before
    bool read_promise(promise& learned);
    /// Whether the transaction sees all of the directory; where it does not, it must leave all as it is.
    bool is_all_seen() const noexcept { return m_is_all_seen; }
    /// Whether the pages have been written anew by who knows nothing of this, as VACUUM FULL does: nothing says where they are.
    bool is_elsewhere() const noexcept { return m_is_elsewhere; }
    /// Make ordinary pages of all.
    void forget();

    /// Take all pages.
    ///
    /// @returns false when the vectors have no clusters that would help
    bool make(std::vector<pending_page>& pending);

    /// Take pages that are in no cluster yet.
    void add(std::vector<pending_page>& pending);

    /// Write pages as they are.
    void write(std::vector<pending_page>& pending);

private:
    struct page {
        const std::vector<std::uint8_t>* data; ///< null where it is written
        ItemPointerData place;
        std::int64_t number;
    };
    struct entry {
        std::uint32_t cluster, page, place;
    };

    bool find_pages(block_kind kind, std::size_t most = SIZE_MAX);
    void find_pages(std::vector<pending_page>& pending);
    template <typename Visit>
    void read_page(store::page_reader& reader, std::size_t page, Visit visit);
    std::vector<std::uint8_t> read_sample(std::size_t count);
    void assign(const clusters& to, rehearsal* learner);
    void write_pages();
    void write_centres(const clusters& made);
    void write_promise(const promise& learned);

    bool m_is_all_seen = true, m_is_elsewhere = false;
    std::vector<page> m_pages;
    std::uint64_t m_vectors = 0;
    std::vector<entry> m_entries;
};

/// Writes a tenant's full pages anew, with sketches that say where they are.
class sketching : public tenant_rows {
public:
    using tenant_rows::tenant_rows;

    /// Whether a tenant is large enough, and enough of it is in no sketch.
    ///
    /// @param all, fresh entries in all pages, and in those that are in no sketch
    bool are_wanted(std::int64_t all, std::int64_t fresh) const;

    /// @param most_pages of those that are written, to put into sketches
    void make(std::vector<pending_page>& pending, std::size_t most_pages = SIZE_MAX);
};

} // namespace tenancy::vectors
