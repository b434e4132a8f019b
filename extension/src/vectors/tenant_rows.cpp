#include "vectors/tenant_rows.hpp"

namespace tenancy::vectors {

namespace {

void add_gone(std::string_view bytes, gone_set& to) {
    for (std::size_t at = 0; at + sizeof(gone_entry) <= bytes.size(); at += sizeof(gone_entry)) {
        gone_entry entry;
        std::memcpy(&entry, bytes.data() + at, sizeof entry);
        std::int64_t& since = to[entry.id];
        since = std::max(since, entry.number);
    }
}

} // namespace

tenant_rows::tenant_rows(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant)
    : m_table{table}, m_of{of}, m_store{store}, m_tenant_size{tenant.size()} {
    m_key.set(tenant.data(), tenant.size());
}

void tenant_rows::count(block_kind kind, std::int64_t& rows, std::int64_t& entries) {
    rows = entries = 0;
    pg::guarded([&] {
        for_each_row(kind, [&](const store::row& row, bool is_seen) {
            if (!is_seen) return true;
            ++rows;
            entries += DatumGetInt32(row.column(block_entries));
            return true;
        });
    });
}

bool tenant_rows::read(block_kind kind, std::vector<copied_row>& rows, std::size_t most) {
    bool is_all = true;
    pg::guarded([&] {
        for_each_row(kind, [&](const store::row& row, bool is_seen) {
            if (!is_seen)
                is_all = false;
            else
                rows.emplace_back(row);
            return rows.size() < most;
        });
    });
    return is_all;
}

bool tenant_rows::sees_all(block_kind kind) {
    bool is_all = true;
    pg::guarded([&] {
        for_each_row(kind, [&](const store::row&, bool is_seen) {
            is_all = is_all && is_seen;
            return is_all;
        });
    });
    return is_all;
}

void tenant_rows::remove_all(block_kind kind) {
    std::vector<ItemPointerData> places;
    pg::guarded([&] {
        for_each_row(kind, [&](const store::row& row, bool is_seen) {
            if (is_seen) places.push_back(row.place());
            return true;
        });
        for (const ItemPointerData& place : places)
            remove(place);
    });
}

gone_set tenant_rows::read_gone() {
    gone_set gone;
    pg::guarded([&] {
        for_each_row(block_kind::gone, [&](const store::row& row, bool is_seen) {
            if (is_seen) m_gone_rows.emplace_back(row);
            add_gone(row.bytes(block_data), is_seen ? gone : m_gone_elsewhere);
            return true;
        });
    });
    return gone;
}

bool tenant_rows::dies_elsewhere(const block_view& block, std::int64_t number) const {
    if (m_gone_elsewhere.empty()) return false;
    for (std::size_t place = 0; place < block.count(); ++place)
        if (is_dead(m_gone_elsewhere, block.id(place), number)) return true;
    return false;
}

void tenant_rows::change_kind(block_kind from, block_kind to) {
    constexpr std::size_t at_once = 1000;
    for (;;) {
        std::vector<copied_row> rows;
        read(from, rows, at_once);
        if (rows.empty()) return;
        pg::guarded([&] {
            for (const copied_row& row : rows) {
                remove(row.place);
                insert(to, row.number, row.view().count(), row.data.data(), row.data.size());
            }
        });
    }
}

void tenant_rows::write_gone(const gone_set& gone) {
    std::vector<gone_entry> entries;
    entries.reserve(gone.size());
    std::int64_t number = 0;
    for (const auto& [id, since] : gone) {
        entries.push_back({id, since});
        number = std::max(number, since);
    }
    std::size_t most = data_capacity(m_tenant_size) / sizeof(gone_entry);
    pg::guarded([&] {
        for (std::size_t begin = 0; begin < entries.size(); begin += most) {
            std::size_t count = std::min(most, entries.size() - begin);
            insert(block_kind::gone, number, count, entries.data() + begin, count * sizeof(gone_entry));
        }
    });
}

void tenant_rows::remove(const ItemPointerData& place) {
    // Under the tenant's lock nobody else does, but who empties the table by hand.
    if (!m_table.remove(place, SnapshotSelf))
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("could not tidy the vector store because of a concurrent change"),
                        errhint("Run the transaction again.")));
}

} // namespace tenancy::vectors
