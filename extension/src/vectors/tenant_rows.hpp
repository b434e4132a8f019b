#pragma once

#include "pg/guard.hpp"
#include "vectors/writer.hpp"

namespace tenancy::vectors {

/// A row of blocks, copied out of its page.
struct copied_row {
    ItemPointerData place;
    std::int64_t number;
    std::vector<std::uint8_t> data;

    explicit copied_row(const store::row& row) : place{row.place()}, number{DatumGetInt64(row.column(block_number))} {
        std::string_view bytes = row.bytes(block_data);
        auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
        data.assign(begin, begin + bytes.size());
    }

    block_view view() const { return {data.data(), data.size()}; }
};

inline bool is_dead(const gone_set& gone, const uuid& id, std::int64_t number) {
    auto found = gone.find(id);
    return found != gone.end() && number < found->second;
}

/// The rows of one tenant in a store, for who reorganizes them under the tenant's lock.
///
/// It reads what is committed. Where a transaction keeps one snapshot, it takes apart only what that sees, since it would
/// miss what it put together of the rest; others see the rest, and so does the next transaction.
class tenant_rows {
public:
    tenant_rows(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant);

    /// Count what may be taken apart: rows of a kind, and entries in them.
    void count(block_kind kind, std::int64_t& rows, std::int64_t& entries);

    std::int64_t entries_of(block_kind kind) {
        std::int64_t rows, entries;
        count(kind, rows, entries);
        return entries;
    }

protected:
    /// Call visit(row, is_seen) under a guard of the caller, until it returns false.
    template <typename Visit>
    void for_each_row(block_kind kind, Visit visit) {
        Snapshot of_transaction = IsolationUsesXactSnapshot() ? RegisterSnapshot(GetTransactionSnapshot()) : nullptr;
        m_table.scan_tenant(SnapshotSelf, m_store, m_key.datum(), kind, kind, [&](const store::row& row) {
            return visit(row, !of_transaction || table_tuple_satisfies_snapshot(m_table.heap(), row.slot(), of_transaction));
        });
        if (of_transaction) UnregisterSnapshot(of_transaction);
    }

    /// Copy the rows of a kind that may be taken apart, at most so many.
    ///
    /// @returns false when there are some that may not
    bool read(block_kind kind, std::vector<copied_row>& rows, std::size_t most = SIZE_MAX);

    /// Whether all rows of a kind may be taken apart.
    bool sees_all(block_kind kind);

    /// Delete the rows of a kind that may be.
    void remove_all(block_kind kind);

    /// Who is gone for this transaction. For others more may be.
    gone_set read_gone();

    /// Whether something in a block is dead for others, and would live on under another number.
    bool dies_elsewhere(const block_view& block, std::int64_t number) const;

    /// Write the rows of one kind as rows of another: they are elsewhere then.
    void change_kind(block_kind from, block_kind to);

    void write_gone(const gone_set& gone);

    // These call PostgreSQL under a guard of the caller.
    void remove(const ItemPointerData& place);
    void remove(const std::vector<copied_row>& rows) {
        for (const copied_row& row : rows)
            remove(row.place);
    }
    ItemPointerData insert(block_kind kind, std::int64_t number, std::size_t entries, const void* data, std::size_t size) {
        return m_table.insert_block(m_store, m_key.datum(), kind, number, static_cast<int32>(entries), data, size);
    }

    block_table& m_table;
    const search::corpus& m_of;
    std::int32_t m_store;
    std::size_t m_tenant_size;
    store::tenant_key m_key;
    std::vector<copied_row> m_gone_rows;
    gone_set m_gone_elsewhere; ///< for others, but not for this transaction
};

/// Bring a large tenant's pages into an order that lets a search read some of them: by clusters, or where the vectors
/// have none, with sketches. Takes all pages when there are none yet or the tenant has doubled, else what is new.
///
/// @param all     entries in all pages
/// @param pending those that are not written yet; what is written is taken out
void reduce(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant, std::int64_t all,
            std::vector<pending_page>& pending);

/// The same for a statement that adds little, and so does little: it adds some of what is new to clusters, or to sketches where
/// there are none. Clusters take too long to make.
void reduce_some(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant);

} // namespace tenancy::vectors
