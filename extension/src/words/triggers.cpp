// The triggers that keep the keyword store. They run as whoever writes, and write the store as an index is written.

#include "pg/guard.hpp"
#include "store/membership.hpp"
#include "store/state.hpp"
#include "store/statements.hpp"
#include "store/transition.hpp"
#include "words/chunk_reader.hpp"
#include "words/writer.hpp"

extern "C" {
#include "replication/logicalworker.h"
#include "utils/datum.h"
}

namespace {

using namespace tenancy;
using namespace tenancy::words;

class statement {
public:
    statement(const TriggerData* data, const search::corpus& of, const store::state& state)
        : m_data{data}, m_of{of}, m_state{state},
          m_reader{pg::guarded([&] { return chunk_reader{RelationGetRelid(data->tg_relation), of}; })},
          m_writer{state.number, state.is == store::phase::built ? writer::mode::keep : writer::mode::keep_log},
          m_scratch{pg::guarded([] {
              return AllocSetContextCreate(CurrentMemoryContext, "tenancy words of a row", ALLOCSET_DEFAULT_SIZES);
          })} {}

    void keep() {
        if (m_data->tg_oldtable && m_data->tg_newtable)
            update();
        else if (m_data->tg_oldtable)
            for_each_row(m_data->tg_oldtable, [&](TupleTableSlot* row) { add(row, true); });
        else
            for_each_row(m_data->tg_newtable, [&](TupleTableSlot* row) { add(row, false); });
        finish();
    }

    /// One row, as the workers of logical replication bring them.
    void apply() {
        bool is_update = TRIGGER_FIRED_BY_UPDATE(m_data->tg_event);
        add_tuple(m_data->tg_trigtuple, is_update || TRIGGER_FIRED_BY_DELETE(m_data->tg_event));
        if (is_update) add_tuple(m_data->tg_newtuple, false);
        finish();
    }

private:
    void update() {
        // The two tables have the rows of a pair in the same place; a pair that has the same words changes nothing.
        store::transition_rows before = open(m_data->tg_oldtable), after = open(m_data->tg_newtable);
        for (;;) {
            TupleTableSlot* old_row = pg::guarded([&] { return before.next(); });
            TupleTableSlot* new_row = pg::guarded([&] { return after.next(); });
            if (old_row == nullptr && new_row == nullptr) break;
            part was = old_row ? read(old_row) : part{}, is = new_row ? read(new_row) : part{};
            if (was.is_there && is.is_there && was.tenant == is.tenant && was.id == is.id &&
                was.words.bytes() == is.words.bytes())
                continue;
            write(was, true);
            write(is, false);
        }
        pg::guarded([&] {
            before.close();
            after.close();
        });
    }

    struct part {
        bool is_there = false;
        std::string tenant;
        uuid id{};
        packed_document words;
    };

    part read(TupleTableSlot* row) {
        part result;
        result.is_there = pg::guarded([&] {
            MemoryContextReset(m_scratch);
            MemoryContext around = MemoryContextSwitchTo(m_scratch);
            bool is_there = m_reader.read(row);
            MemoryContextSwitchTo(around);
            return is_there;
        });
        if (!result.is_there) return result;
        result.tenant = m_reader.tenant();
        result.id = m_reader.id();
        result.words = m_reader.words();
        return result;
    }

    void write(const part& of, bool is_negative) {
        if (of.is_there) m_writer.add(of.tenant, of.id, of.words, is_negative);
    }

    void add(TupleTableSlot* row, bool is_negative) { write(read(row), is_negative); }

    void add_tuple(HeapTuple tuple, bool is_negative) {
        TupleTableSlot* slot = pg::guarded([&] {
            TupleTableSlot* made = MakeSingleTupleTableSlot(RelationGetDescr(m_data->tg_relation), &TTSOpsHeapTuple);
            ExecStoreHeapTuple(tuple, made, false);
            return made;
        });
        add(slot, is_negative);
        pg::guarded([&] { ExecDropSingleTupleTableSlot(slot); });
    }

    store::transition_rows open(Tuplestorestate* table) {
        return pg::guarded([&] { return store::transition_rows{m_data->tg_relation, table}; });
    }

    template <typename Visit>
    void for_each_row(Tuplestorestate* table, Visit visit) {
        store::transition_rows rows = open(table);
        while (TupleTableSlot* row = pg::guarded([&] { return rows.next(); }))
            visit(row);
        pg::guarded([&] { rows.close(); });
    }

    void finish() {
        m_writer.finish();
        pg::guarded([&] { MemoryContextDelete(m_scratch); });
    }

    const TriggerData* m_data;
    const search::corpus& m_of;
    const store::state& m_state;
    chunk_reader m_reader;
    writer m_writer;
    MemoryContext m_scratch;
};

void keep(const TriggerData* data, const std::string& corpus) {
    bool is_statement = TRIGGER_FIRED_FOR_STATEMENT(data->tg_event);
    // Those for rows are for the workers of logical replication alone, which end no statement, but where they copy a table.
    if (!is_statement && (!IsLogicalWorker() || store::is_statement_open(corpus, store_kind))) return;
    if (TRIGGER_FIRED_BEFORE(data->tg_event)) {
        store::statement_begins(corpus, store_kind);
        return;
    }
    bool is_truncate = TRIGGER_FIRED_BY_TRUNCATE(data->tg_event);
    if (is_statement && !is_truncate) store::statement_ends(corpus, store_kind);

    store::state state = store::state_of(corpus, store_kind);
    if (!store::is_kept(state)) return;
    auto is_empty = [](Tuplestorestate* rows) { return rows == nullptr || tuplestore_tuple_count(rows) == 0; };
    if (is_statement && !is_truncate && is_empty(data->tg_oldtable) && is_empty(data->tg_newtable)) return;
    std::shared_ptr<search::corpus> of = search::open_corpus(corpus);
    if (!of->has_exact_tenants) return;
    if (!pg::guarded([&] { return store::is_of_tree(RelationGetRelid(data->tg_relation), of->chunks); })) return;

    if (is_truncate) {
        // The table's own trigger fires before those of its partitions.
        if (RelationGetRelid(data->tg_relation) == of->chunks)
            pg::guarded([&] { remove_store(state.number); });
        else if (pg::guarded([&] { return has_rows(state.number); }))
            store::note_loss(corpus, store_kind);
        return;
    }
    statement changed{data, *of, state};
    if (is_statement)
        changed.keep();
    else
        changed.apply();
}

} // namespace

TENANCY_FUNCTION(tenancy_keep_words) {
    TriggerData* data = store::trigger_of(fcinfo, "tenancy.keep_words()");
    keep(data, data->tg_trigger->tgargs[0]);
    return PointerGetDatum(nullptr);
}
