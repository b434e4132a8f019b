#include "vectors/writer.hpp"

#include "pg/guard.hpp"

namespace tenancy::vectors {

namespace {

/// Codes of unwritten blocks in memory, over all tenants of a statement.
constexpr std::size_t most_buffered = std::size_t{64} << 20;

constexpr char numbers[] = "vector_numbers";

} // namespace

writer::writer(const search::corpus& of, std::int32_t store)
    : m_of{of}, m_store{store}, m_table{pg::guarded([] { return block_table{RowExclusiveLock}; })} {}

writer::tenant_part& writer::part_of(std::string_view tenant) {
    return m_parts.try_emplace(std::string{tenant}, m_of, tenant).first->second;
}

void writer::add(std::string_view tenant, const uuid& id, const float* values) {
    std::string key{tenant};
    tenant_part& part = m_parts.try_emplace(key, m_of, tenant).first->second;
    part.builder.add(id, values);
    ++m_added;
    m_buffered += m_of.dimensions;
    if (part.builder.count() >= part.capacity) write_block(key, part);
    if (m_buffered >= most_buffered) write_rest();
}

void writer::add_gone(std::string_view tenant, const uuid& id) {
    // Drawn before any number of this statement's own codes, which live on.
    if (m_gone_number == 0) m_gone_number = pg::guarded([] { return store::next_number(numbers); });
    tenant_part& part = part_of(tenant);
    part.gone.push_back({id, m_gone_number});
    ++part.new_gone;
}

void writer::write_block(const std::string& tenant, tenant_part& part) {
    std::size_t entries = part.builder.count();
    m_buffered -= entries * m_of.dimensions;
    std::vector<std::uint8_t> block = part.builder.pack();
    std::int64_t number = pg::guarded([] { return store::next_number(numbers); });
    if (entries >= part.capacity) {
        ++part.new_pages;
        m_pending += block.size();
        part.pages.push_back({number, entries, std::move(block)});
        if (m_pending >= static_cast<std::size_t>(maintenance_work_mem) * 1024)
            for (auto& [each, its] : m_parts)
                write_pages(each, its);
        return;
    }
    store::tenant_key key;
    key.set(tenant.data(), tenant.size());
    pg::guarded([&] {
        m_table.insert_block(m_store, key.datum(), block_kind::loose, number, static_cast<int32>(entries), block.data(),
                             block.size());
    });
    part.is_loose = true;
}

void writer::write_pages(const std::string& tenant, tenant_part& part) {
    store::tenant_key key;
    key.set(tenant.data(), tenant.size());
    pg::guarded([&] {
        for (const pending_page& page : part.pages)
            m_table.insert_block(m_store, key.datum(), block_kind::full, page.number, static_cast<int32>(page.entries),
                                 page.data.data(), page.data.size());
    });
    for (const pending_page& page : part.pages)
        m_pending -= page.data.size();
    part.pages.clear();
}

void writer::write_gone(const std::string& tenant, tenant_part& part) {
    store::tenant_key key;
    key.set(tenant.data(), tenant.size());
    std::size_t most = data_capacity(tenant.size()) / sizeof(gone_entry);
    pg::guarded([&] {
        for (std::size_t begin = 0; begin < part.gone.size(); begin += most) {
            std::size_t count = std::min(most, part.gone.size() - begin);
            m_table.insert_block(m_store, key.datum(), block_kind::gone, m_gone_number, static_cast<int32>(count),
                                 part.gone.data() + begin, count * sizeof(gone_entry));
        }
    });
    part.gone.clear();
}

void writer::write_rest() {
    for (auto& [tenant, part] : m_parts) {
        if (!part.gone.empty()) write_gone(tenant, part);
        if (!part.builder.is_empty()) write_block(tenant, part);
    }
}

void writer::finish() {
    write_rest();
    for (auto& [tenant, part] : m_parts) {
        if (part.is_loose || part.new_gone > 0 || part.new_pages > 0)
            tidy(m_table, m_of, m_store, tenant, part.is_loose, part.new_gone, part.new_pages, part.pages);
        write_pages(tenant, part);
    }
    pg::guarded([&] { m_table.close(); });
}

} // namespace tenancy::vectors
