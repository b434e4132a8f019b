#include "pg/arguments.hpp"
#include "pg/guard.hpp"
#include "store/state.hpp"
#include "words/chunk_reader.hpp"
#include "words/writer.hpp"

extern "C" {
#include "catalog/pg_inherits.h"
}

namespace {

using namespace tenancy;
using namespace tenancy::words;

/// Put the words of all rows of one table into the store. Direct, because policies and rules must not stand in between.
std::int64_t add_table(Oid relation, const search::corpus& of, writer& into, Snapshot snapshot) {
    struct scanning {
        Relation table;
        TableScanDesc scan;
        TupleTableSlot* slot;
        MemoryContext scratch;
    } at = pg::guarded([&] {
        Relation table = table_open(relation, AccessShareLock);
        return scanning{table, table_beginscan(table, snapshot, 0, nullptr), table_slot_create(table, nullptr),
                        AllocSetContextCreate(CurrentMemoryContext, "tenancy words of a row", ALLOCSET_DEFAULT_SIZES)};
    });
    chunk_reader reader = pg::guarded([&] { return chunk_reader{relation, of}; });
    std::int64_t rows = 0;
    enum class step { row, without_words, end };
    for (;;) {
        step next = pg::guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(at.scratch);
            if (!table_scan_getnextslot(at.scan, ForwardScanDirection, at.slot)) return step::end;
            MemoryContext around = MemoryContextSwitchTo(at.scratch);
            bool has_words = reader.read(at.slot);
            MemoryContextSwitchTo(around);
            return has_words ? step::row : step::without_words;
        });
        if (next == step::end) break;
        ++rows;
        if (next == step::row) into.add(reader.tenant(), reader.id(), reader.words(), false);
    }
    pg::guarded([&] {
        MemoryContextDelete(at.scratch);
        ExecDropSingleTupleTableSlot(at.slot);
        table_endscan(at.scan);
        table_close(at.table, AccessShareLock);
    });
    return rows;
}

} // namespace

// What the triggers wrote until now is of rows that the same snapshot sees: all of it goes, and all that it sees comes.
// What they write from now on is of changes that it does not see.
TENANCY_FUNCTION(tenancy_build_words) {
    pg::refuse_null(fcinfo, 0, "corpus");
    text* given = PG_GETARG_TEXT_PP(0);
    std::string corpus{pg::text_view(given)};
    std::shared_ptr<search::corpus> of = search::open_corpus(corpus);
    store::state state = store::state_of(corpus, store_kind);
    if (state.is != store::phase::building)
        throw error{sqlstate::internal_error, "the keyword store of corpus \"" + corpus + "\" is not being built"};

    List* tables = pg::guarded([&] { return find_all_inheritors(of->chunks, AccessShareLock, nullptr); });
    Snapshot snapshot = pg::guarded([] { return RegisterSnapshot(GetLatestSnapshot()); });
    pg::guarded([&] { remove_store(state.number, snapshot); });
    std::int64_t rows = 0;
    writer into{state.number, false};
    for (int i = 0; i < list_length(tables); ++i) {
        Oid table = list_nth_oid(tables, i);
        char kind = pg::guarded([&] { return get_rel_relkind(table); });
        if (kind == RELKIND_RELATION) rows += add_table(table, *of, into, snapshot);
    }
    into.finish();
    return pg::guarded([&] {
        UnregisterSnapshot(snapshot);
        return DirectFunctionCall1(jsonb_in, CStringGetDatum(psprintf("{\"done\": true, \"rows\": " INT64_FORMAT "}", rows)));
    });
}
