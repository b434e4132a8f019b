// Filling the vector store from the chunks that are there, and looking after single tenants.

#include "control/as_owner.hpp"
#include "pg/guard.hpp"
#include "pg/arguments.hpp"
#include "search/spi.hpp"
#include "store/state.hpp"
#include "vectors/pure/directory.hpp"
#include "vectors/pure/sketch.hpp"
#include "vectors/writer.hpp"

namespace {

using namespace tenancy;
using namespace tenancy::vectors;

std::shared_ptr<search::corpus> corpus_argument(FunctionCallInfo fcinfo, int argument) {
    text* given = pg::guarded([&] { return PG_GETARG_TEXT_PP(argument); });
    return search::open_corpus(std::string{pg::text_view(given)});
}

/// A row as a statement gives it. Trivial: PostgreSQL's errors jump over it.
struct read_row {
    store::tenant_key tenant;
    uuid id;
    bool is_kept;
};

} // namespace

/// Add the rows of a statement (tenant, id, embedding), run as the owner of the chunks, to the corpus's store. The statement
/// says which rows; the result is how many there were, and tenant and id of the last.
TENANCY_FUNCTION(tenancy_pack_chunks) {
    constexpr long batch = 256;

    auto of = corpus_argument(fcinfo, 0);
    std::int32_t number = PG_GETARG_INT32(1);
    char* statement = pg::guarded([&] { return text_to_cstring(PG_GETARG_TEXT_PP(2)); });
    TupleDesc descriptor = pg::guarded([&] {
        TupleDesc result;
        if (get_call_result_type(fcinfo, nullptr, &result) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "tenancy.pack_chunks() must return a row");
        return BlessTupleDesc(result);
    });
    MemoryContext around = CurrentMemoryContext;
    Datum results[3] = {};
    bool nulls[3] = {false, true, true};

    writer into{*of, number};
    std::vector<read_row> rows(batch);
    std::vector<float> values(batch * of->dimensions);
    std::int64_t total = 0;
    search::connect_spi();
    Portal portal = nullptr;
    control::identity_before before{};
    pg::guarded([&] {
        before = control::become_owner(of->chunks);
        portal = SPI_cursor_open_with_args(nullptr, statement, 0, nullptr, nullptr, nullptr, true, 0);
        const Oid types[] = {of->tenant_type, UUIDOID,
                             get_atttype(of->chunks, get_attnum(of->chunks, of->columns.embedding.c_str()))};
        control::require_columns(portal, types, lengthof(types));
    });
    for (bool is_more = true; is_more;) {
        std::size_t count = 0;
        pg::guarded([&] {
            SPI_cursor_fetch(portal, true, batch);
            count = static_cast<std::size_t>(SPI_processed);
            MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "tenancy build", ALLOCSET_DEFAULT_SIZES);
            MemoryContext outside = MemoryContextSwitchTo(scratch);
            for (std::size_t i = 0; i < count; ++i) {
                bool no_tenant, no_id, no_embedding;
                HeapTuple tuple = SPI_tuptable->vals[i];
                Datum tenant = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &no_tenant);
                Datum id = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &no_id);
                Datum embedding = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &no_embedding);
                read_row& row = rows[i];
                row.is_kept = !no_tenant && !no_id && !no_embedding &&
                              store::read_tenant_key(tenant, of->tenant_type, row.tenant);
                if (row.is_kept) {
                    row.id = search::uuid_of(id);
                    read_embedding(embedding, *of, values.data() + i * of->dimensions);
                }
                if (i + 1 < count || no_tenant || no_id) continue;
                // The last of this batch may be the last of all.
                MemoryContextSwitchTo(around);
                Oid output;
                bool is_varlena;
                getTypeOutputInfo(of->tenant_type, &output, &is_varlena);
                results[1] = CStringGetTextDatum(OidOutputFunctionCall(output, tenant));
                results[2] = pg::uuid_copy(search::uuid_of(id));
                nulls[1] = nulls[2] = false;
                MemoryContextSwitchTo(scratch);
            }
            MemoryContextSwitchTo(outside);
            MemoryContextDelete(scratch);
            SPI_freetuptable(SPI_tuptable);
        });
        for (std::size_t i = 0; i < count; ++i)
            if (rows[i].is_kept) into.add(rows[i].tenant.bytes(), rows[i].id, values.data() + i * of->dimensions);
        total += static_cast<std::int64_t>(count);
        is_more = count == static_cast<std::size_t>(batch);
    }
    pg::guarded([&] {
        SPI_cursor_close(portal);
        control::become_again(before);
    });
    // Before SPI ends: what the table holds open lies in its memory.
    into.finish();
    search::finish_spi();
    return pg::guarded([&] {
        results[0] = Int64GetDatum(total);
        return HeapTupleGetDatum(heap_form_tuple(descriptor, results, nulls));
    });
}

/// Read all of a tenant's blocks, so that they are in memory; checks them on the way.
TENANCY_FUNCTION(tenancy_read_blocks) {
    std::int32_t number = PG_GETARG_INT32(0);
    std::int64_t codes = 0;
    bool is_damaged = false;
    pg::guarded([&] {
        block_table table{AccessShareLock};
        table.scan_tenant(GetActiveSnapshot(), number, PG_GETARG_DATUM(1), block_kind::full, block_kind::sketched,
                          [&](const store::row& row) {
                              block_kind kind = kind_of(row);
                              std::string_view bytes = row.bytes(block_data);
                              auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
                              if (kind == block_kind::gone) return true;
                              if (kind == block_kind::sketch) {
                                  is_damaged = is_damaged || !sketch_view{begin, bytes.size()}.verify();
                                  return true;
                              }
                              if (kind == block_kind::directory && part_of(begin, bytes.size()) != directory_part::centres) {
                                  is_damaged = is_damaged || !verify_directory(begin, bytes.size());
                                  return true;
                              }
                              block_view block{begin, bytes.size()};
                              is_damaged = is_damaged || !block.verify();
                              if (!has_codes(kind)) return true;
                              codes += static_cast<std::int64_t>(block.count());
                              CHECK_FOR_INTERRUPTS();
                              return true;
                          });
        table.close();
    });
    if (is_damaged)
        throw error{sqlstate::data_corrupted, "vector store is damaged", {},
                    "Run tenancy.rebuild_corpus() to make it again from the rows of its corpus."};
    PG_RETURN_INT64(codes);
}

TENANCY_FUNCTION(tenancy_lock_tenant_vectors) {
    auto* tenant = PG_GETARG_BYTEA_PP(1);
    block_table table{AccessShareLock};
    store::lock_tenant(table, PG_GETARG_INT32(0), {VARDATA_ANY(tenant), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(tenant))});
    table.close();
    PG_RETURN_VOID();
}
