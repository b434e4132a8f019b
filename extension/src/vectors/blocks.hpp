#pragma once

#include "search/corpus.hpp"
#include "store/table.hpp"
#include "store/tenant_key.hpp"
#include "vectors/pure/block.hpp"

namespace tenancy::vectors {

/// What a row of tenancy.vector_blocks is.
enum class block_kind : std::int16_t {
    frozen = 0, ///< says that the tenant has no codes but those of later writes
    full = 1,   ///< a page's worth of codes
    loose = 2,  ///< fewer, to be packed
    gone = 3,   ///< chunks that were deleted or changed, and since when
    // Of large tenants, what helps to read less of them before what that is:
    directory = 4, ///< of clusters
    sketch = 5,    ///< of pages that are sketched, or were
    clustered = 6, ///< codes in the order of clusters
    sketched = 7,  ///< as full, and in a sketch
};

constexpr bool has_codes(block_kind kind) noexcept {
    return kind == block_kind::full || kind == block_kind::loose || kind == block_kind::clustered || kind == block_kind::sketched;
}

// Columns of sql/52_vector_store.sql; those of the index come first, in its order.
enum block_column : AttrNumber { block_store = 1, block_tenant, block_of_kind, block_number, block_entries, block_data };
inline constexpr int block_columns = 6;

/// A chunk whose codes from before a number are dead. As it is stored, so without padding.
struct gone_entry {
    uuid id;
    std::int64_t number;
};
static_assert(sizeof(gone_entry) == 24);

/// The table of blocks, with the keys and rows that the vector store makes of it.
class block_table : public store::table {
public:
    explicit block_table(LOCKMODE mode) : table{"vector_blocks", "vector_blocks_key", mode} {}

    /// Call visit(const store::row&) for a tenant's rows from one kind to another, in the order of kinds and numbers.
    template <typename Visit>
    void scan_tenant(Snapshot snapshot, std::int32_t store, Datum tenant, block_kind first, block_kind last, Visit visit) {
        ScanKeyData keys[4];
        ScanKeyInit(&keys[0], block_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(store));
        ScanKeyInit(&keys[1], block_tenant, BTEqualStrategyNumber, F_BYTEAEQ, tenant);
        ScanKeyInit(&keys[2], block_of_kind, BTGreaterEqualStrategyNumber, F_INT2GE, Int16GetDatum(static_cast<int16>(first)));
        ScanKeyInit(&keys[3], block_of_kind, BTLessEqualStrategyNumber, F_INT2LE, Int16GetDatum(static_cast<int16>(last)));
        scan(snapshot, keys, 4, visit);
    }

    /// How many rows of one kind a tenant has at most: those that are gone count until they are vacuumed.
    std::int64_t most_rows(std::int32_t store, Datum tenant, block_kind kind) {
        ScanKeyData keys[3];
        find(keys, store, tenant);
        ScanKeyInit(&keys[2], block_of_kind, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(static_cast<int16>(kind)));
        return count_entries(keys, 3);
    }

    /// Call visit(kind, block bytes, how far behind it the next one lies) for all that a search of a tenant reads, as fast as
    /// it can be read.
    template <typename Visit>
    void read_tenant(Snapshot snapshot, std::int32_t store, Datum tenant, block_kind first, block_kind last,
                     Visit visit) {
        ScanKeyData keys[4];
        find(keys, store, tenant);
        ScanKeyInit(&keys[2], block_of_kind, BTLessEqualStrategyNumber, F_INT2LE,
                    Int16GetDatum(static_cast<int16>(last)));
        ScanKeyInit(&keys[3], block_of_kind, BTGreaterEqualStrategyNumber, F_INT2GE,
                    Int16GetDatum(static_cast<int16>(first)));
        read_pages(snapshot, keys, 4, visit);
    }

    /// The same for all kinds in their order, until visit returns false. Two conditions instead of four are much of what a
    /// page costs.
    template <typename Visit>
    void read_tenant(Snapshot snapshot, std::int32_t store, Datum tenant, Visit visit) {
        ScanKeyData keys[2];
        find(keys, store, tenant);
        read_pages(snapshot, keys, 2, visit);
    }

    /// The columns of a row as it lies in its page.
    void take_apart(HeapTupleData& tuple, Datum (&values)[block_columns]) const {
        bool nulls[block_columns];
        heap_deform_tuple(&tuple, RelationGetDescr(heap()), values, nulls);
    }

    /// @param data a varlena of its own or in place
    /// @returns where the row lies
    ItemPointerData insert_block(std::int32_t store, Datum tenant, block_kind kind, std::int64_t number, std::int32_t entries,
                      const void* data, std::size_t size);

private:
    static void find(ScanKey keys, std::int32_t store, Datum tenant) {
        ScanKeyInit(&keys[0], block_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(store));
        ScanKeyInit(&keys[1], block_tenant, BTEqualStrategyNumber, F_BYTEAEQ, tenant);
    }

    template <typename Visit>
    void read_pages(Snapshot snapshot, ScanKey keys, int count, Visit visit) {
        scan_pages(snapshot, keys, count, [&](HeapTupleData& tuple, std::ptrdiff_t ahead) {
            block_in_page block = find_block(tuple);
            return visit(block.kind, reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(block.data)),
                         static_cast<std::size_t>(VARSIZE_ANY_EXHDR(block.data)), ahead);
        });
    }

    struct block_in_page {
        block_kind kind;
        struct varlena* data;
    };

    /// Where the columns lie, without a look at those between: none is ever null, and those of variable length are PLAIN. They
    /// come where a number of four bytes ends, so their headers of one or four bytes follow without a gap.
    static block_in_page find_block(const HeapTupleData& tuple) {
        char* columns = reinterpret_cast<char*>(tuple.t_data) + tuple.t_data->t_hoff;
        std::size_t offset = sizeof(std::int32_t);
        offset = SHORTALIGN(offset + VARSIZE_ANY(columns + offset));
        auto kind = static_cast<block_kind>(*reinterpret_cast<std::int16_t*>(columns + offset));
        offset = DOUBLEALIGN(offset + sizeof(std::int16_t)) + sizeof(std::int64_t) + sizeof(std::int32_t);
        return {kind, reinterpret_cast<struct varlena*>(columns + offset)};
    }
};

inline block_kind kind_of(const store::row& row) {
    return static_cast<block_kind>(DatumGetInt16(row.column(block_of_kind)));
}

/// Bytes that the data of a row may have, so that it fills one page and no more.
std::size_t data_capacity(std::size_t tenant_size) noexcept;

/// Vectors that fit into a row.
std::size_t page_capacity(metric by, std::size_t dims, std::size_t tenant_size) noexcept;

/// A block where it lies in a row.
inline block_view view_of(const store::row& row) {
    std::string_view bytes = row.bytes(block_data);
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

/// Read an embedding as what pgvector computes with: the stored numbers, those of a halfvec widened. Calls PostgreSQL.
///
/// @param values room for `of.dimensions`
void read_embedding(Datum value, const search::corpus& of, float* values);

} // namespace tenancy::vectors
