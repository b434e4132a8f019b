#include "vectors/blocks.hpp"

#include "vectors/pure/half.hpp"

namespace tenancy::vectors {

namespace {

/// What pgvector's vector and halfvec have in common, as they are stored.
struct embedding_header {
    int32 length_word;
    int16 dimensions;
    int16 unused;
};

} // namespace

std::size_t data_capacity(std::size_t tenant_size) noexcept {
    // The columns in their order: int4, bytea, int2, int8, int4, bytea. PLAIN columns keep headers of four bytes.
    std::size_t offset = sizeof(std::int32_t);
    offset += VARHDRSZ + tenant_size;
    offset = SHORTALIGN(offset) + sizeof(std::int16_t);
    offset = DOUBLEALIGN(offset) + sizeof(std::int64_t);
    offset += sizeof(std::int32_t) + VARHDRSZ;
    return MaxHeapTupleSize - MAXALIGN(SizeofHeapTupleHeader) - offset;
}

std::size_t page_capacity(metric by, std::size_t dims, std::size_t tenant_size) noexcept {
    std::size_t empty = block_size(by, dims, 0);
    return (data_capacity(tenant_size) - empty) / (block_size(by, dims, 1) - empty);
}

ItemPointerData block_table::insert_block(std::int32_t store, Datum tenant, block_kind kind, std::int64_t number,
                                          std::int32_t entries, const void* data, std::size_t size) {
    auto* value = static_cast<struct varlena*>(palloc(VARHDRSZ + size));
    SET_VARSIZE(value, VARHDRSZ + size);
    if (size > 0) std::memcpy(VARDATA(value), data, size);
    Datum values[block_columns] = {Int32GetDatum(store),
                                   tenant,
                                   Int16GetDatum(static_cast<int16>(kind)),
                                   Int64GetDatum(number),
                                   Int32GetDatum(entries),
                                   PointerGetDatum(value)};
    bool nulls[block_columns] = {};
    ItemPointerData place = insert(values, nulls);
    pfree(value);
    return place;
}

void read_embedding(Datum value, const search::corpus& of, float* values) {
    auto* stored = reinterpret_cast<embedding_header*>(PG_DETOAST_DATUM(value));
    if (static_cast<std::size_t>(stored->dimensions) != of.dimensions)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("expected %zu dimensions, not %d", of.dimensions, stored->dimensions)));
    if (of.tables.is_half) {
        auto* halves = reinterpret_cast<const std::uint16_t*>(stored + 1);
        for (std::size_t i = 0; i < of.dimensions; ++i)
            values[i] = float_of_half(halves[i]);
    } else {
        std::memcpy(values, stored + 1, of.dimensions * sizeof(float));
    }
    if (PointerGetDatum(stored) != value) pfree(stored);
}

} // namespace tenancy::vectors
