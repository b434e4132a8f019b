#include "words/pack.hpp"

#include "control/as_owner.hpp"
#include "pg/guard.hpp"
#include "search/spi.hpp"
#include "words/chunk_reader.hpp"

extern "C" {
#include "utils/datum.h"
}

namespace tenancy::words {

packed_rows pack_rows(const search::corpus& of, const char* statement, Snapshot snapshot, writer& into) {
    constexpr long batch = 256;

    packed_rows result;
    chunk_reader reader{of};
    Portal portal = nullptr;
    control::identity_before before{};
    MemoryContext scratch = nullptr, around = CurrentMemoryContext;
    search::connect_spi();
    pg::guarded([&] {
        PushActiveSnapshot(snapshot);
        before = control::become_owner(of.chunks);
        portal = SPI_cursor_open_with_args(nullptr, statement, 0, nullptr, nullptr, nullptr, true, 0);
        const std::string& words = of.columns.tsv.empty() ? of.columns.content : of.columns.tsv;
        const Oid types[] = {of.tenant_type, UUIDOID, get_atttype(of.chunks, get_attnum(of.chunks, words.c_str()))};
        control::require_columns(portal, types, lengthof(types));
        scratch = AllocSetContextCreate(CurrentMemoryContext, "tenancy words of a row", ALLOCSET_DEFAULT_SIZES);
    });
    for (std::uint64_t count = batch; count == batch;) {
        pg::guarded([&] {
            SPI_cursor_fetch(portal, true, batch);
            count = SPI_processed;
        });
        for (std::uint64_t i = 0; i < count; ++i) {
            bool has_words = pg::guarded([&] {
                CHECK_FOR_INTERRUPTS();
                MemoryContextReset(scratch);
                MemoryContext outside = MemoryContextSwitchTo(scratch);
                bool no_tenant, no_id, no_words;
                HeapTuple tuple = SPI_tuptable->vals[i];
                Datum tenant = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &no_tenant);
                Datum id = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &no_id);
                Datum value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &no_words);
                bool is_kept = !no_tenant && !no_id && !no_words && reader.read(tenant, id, value);
                if (i + 1 == count && !no_tenant && !no_id) {
                    MemoryContextSwitchTo(around);
                    int16 length;
                    bool is_by_value;
                    get_typlenbyval(of.tenant_type, &length, &is_by_value);
                    result.tenant = datumCopy(tenant, is_by_value, length);
                    result.id = search::uuid_of(id);
                }
                MemoryContextSwitchTo(outside);
                return is_kept;
            });
            if (has_words) into.add(reader.tenant(), reader.id(), reader.words(), false);
        }
        result.rows += static_cast<std::int64_t>(count);
        pg::guarded([&] { SPI_freetuptable(SPI_tuptable); });
    }
    pg::guarded([&] {
        MemoryContextDelete(scratch);
        SPI_cursor_close(portal);
        control::become_again(before);
        PopActiveSnapshot();
    });
    // Before SPI ends: what the tables hold open lies in its memory.
    into.finish();
    search::finish_spi();
    return result;
}

} // namespace tenancy::words
