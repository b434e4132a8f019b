#pragma once

#include "vectors/blocks.hpp"

#include <unordered_map>

namespace tenancy::vectors {

/// Hash of the random bits of ids; the time in front of a version 7 id says little.
struct id_hash {
    std::size_t operator()(const uuid& id) const noexcept {
        std::uint64_t words[2];
        std::memcpy(words, id.bytes, sizeof words);
        return static_cast<std::size_t>((words[0] ^ words[1]) * 0x9e3779b97f4a7c15u >> 16);
    }
};

/// Chunks that are gone: entries of smaller numbers are dead.
using gone_set = std::unordered_map<uuid, std::int64_t, id_hash>;

/// A full page that is not written yet.
struct pending_page {
    std::int64_t number;
    std::size_t entries;
    std::vector<std::uint8_t> data;

    block_view view() const { return {data.data(), data.size()}; }
};

/// Writes to the store of a corpus what one statement, or one step of a build, changed.
///
/// What is left over of full pages makes one loose row for each tenant. Full pages are written at the end, as far as memory
/// allows (maintenance_work_mem): those of a large tenant are packed anew before, and need not be written twice.
class writer {
public:
    writer(const search::corpus& of, std::int32_t store);

    std::size_t dimensions() const noexcept { return m_of.dimensions; }

    /// Keep a vector.
    ///
    /// @param tenant bytes of the tenant's key
    void add(std::string_view tenant, const uuid& id, const float* values);

    /// What the tenant's store has of this chunk from before this statement is dead.
    void add_gone(std::string_view tenant, const uuid& id);

    /// Write all that is left, and pack what has become too much loose.
    void finish();

    /// How many vectors were added.
    std::int64_t added() const noexcept { return m_added; }

    block_table& table() noexcept { return m_table; }

private:
    struct tenant_part {
        explicit tenant_part(const search::corpus& of, std::string_view tenant)
            : builder{of.tables.by, of.dimensions}, capacity{page_capacity(of.tables.by, of.dimensions, tenant.size())} {}

        block_builder builder;
        std::size_t capacity;
        std::vector<gone_entry> gone;
        std::vector<pending_page> pages;
        bool is_loose = false; ///< wrote a loose row
        std::int64_t new_gone = 0, new_pages = 0;
    };

    tenant_part& part_of(std::string_view tenant);
    void write_block(const std::string& tenant, tenant_part& part);
    void write_gone(const std::string& tenant, tenant_part& part);
    void write_pages(const std::string& tenant, tenant_part& part);
    void write_rest();

    const search::corpus& m_of;
    std::int32_t m_store;
    block_table m_table;
    std::int64_t m_gone_number = 0; ///< less than those of the codes that this statement adds
    std::unordered_map<std::string, tenant_part> m_parts;
    std::size_t m_buffered = 0, m_pending = 0;
    std::int64_t m_added = 0;
};

/// Pack a tenant's loose rows into pages, and when a fifth of its codes are dead the pages too.
///
/// Does nothing while another transaction does it. Leaves what a transaction that keeps one snapshot does not see.
///
/// Large tenants get their pages in the order of clusters, or sketches of them.
///
/// @param new_gone  how many dead chunks this statement added
/// @param new_pages how many pages, with those that are not written yet
/// @param pages     these; some may be written and taken out
void tidy(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant, bool wrote_loose,
          std::int64_t new_gone, std::int64_t new_pages, std::vector<pending_page>& pages);

} // namespace tenancy::vectors
