// The triggers that keep the vector store. They run as whoever writes, and write the store as an index is written: the
// writer needs no rights on it, and whoever owns the table can have it written for no other table than the corpus's own.

#include "pg/guard.hpp"
#include "store/membership.hpp"
#include "store/state.hpp"
#include "store/statements.hpp"
#include "store/transition.hpp"
#include "vectors/writer.hpp"

extern "C" {
#include "replication/logicalworker.h"
#include "utils/datum.h"
}

namespace {

using namespace tenancy;
using namespace tenancy::vectors;

constexpr char kind[] = "vectors";

/// Rows that are read from a transition table in one go.
constexpr std::size_t batch = 64;

/// Where a table has the columns that matter; a partition may have them in other places than its parent.
struct column_places {
    AttrNumber tenant, id, embedding;

    column_places(Oid relation, const search::corpus& of)
        : tenant{get_attnum(relation, of.columns.tenant.c_str())}, id{get_attnum(relation, of.columns.id.c_str())},
          embedding{get_attnum(relation, of.columns.embedding.c_str())} {}
};

/// What the store takes of a row. Trivial: PostgreSQL's errors jump over it.
struct row_parts {
    store::tenant_key tenant;
    uuid id;
    bool is_kept; ///< it has a tenant that can search, and an embedding
};

class statement {
public:
    statement(const TriggerData* data, const search::corpus& of, std::int32_t number)
        : m_data{data}, m_of{of}, m_columns{pg::guarded([&] { return column_places{RelationGetRelid(data->tg_relation), of}; })},
          m_writer{of, number}, m_rows(std::min(batch, rows_of(data))), m_values(m_rows.size() * of.dimensions) {}

    void insert() {
        for_each_batch(m_data->tg_newtable, [&](std::size_t count) { add(count); });
        m_writer.finish();
    }

    void remove() {
        with_rows(m_data->tg_oldtable, [&](store::transition_rows& rows) {
            read_all(rows, false, [&](std::size_t count) {
                for (std::size_t i = 0; i < count; ++i)
                    if (m_rows[i].is_kept) m_writer.add_gone(m_rows[i].tenant.bytes(), m_rows[i].id);
            });
        });
        m_writer.finish();
    }

    void update() {
        // The two tables have the rows of a pair in the same place. Where that should not be so, rows that did not change
        // are taken for changed, which costs time and nothing else. All that is gone comes before what is new.
        std::vector<bool> changed = find_changed();
        std::size_t at = 0;
        with_rows(m_data->tg_oldtable, [&](store::transition_rows& rows) {
            read_all(rows, false, [&](std::size_t count) {
                for (std::size_t i = 0; i < count; ++i, ++at)
                    if (changed[at] && m_rows[i].is_kept) m_writer.add_gone(m_rows[i].tenant.bytes(), m_rows[i].id);
            });
        });
        at = 0;
        with_rows(m_data->tg_newtable, [&](store::transition_rows& rows) {
            read_all(rows, true, [&](std::size_t count) {
                for (std::size_t i = 0; i < count; ++i, ++at)
                    if (changed[at] && m_rows[i].is_kept)
                        m_writer.add(m_rows[i].tenant.bytes(), m_rows[i].id, values_of(i));
            });
        });
        m_writer.finish();
    }

    /// One row, as the workers of logical replication bring them.
    void apply() {
        bool is_new = !TRIGGER_FIRED_BY_DELETE(m_data->tg_event);
        bool is_old = !TRIGGER_FIRED_BY_INSERT(m_data->tg_event);
        HeapTuple before = is_old ? m_data->tg_trigtuple : nullptr;
        HeapTuple after = is_old ? m_data->tg_newtuple : m_data->tg_trigtuple;
        if (before) {
            read_tuple(before, false);
            if (m_rows[0].is_kept) m_writer.add_gone(m_rows[0].tenant.bytes(), m_rows[0].id);
        }
        if (is_new) {
            read_tuple(after, true);
            add(1);
        }
        m_writer.finish();
    }

    /// The table was emptied, or a partition alone.
    void truncate(std::int32_t number) {
        if (RelationGetRelid(m_data->tg_relation) != m_of.chunks)
            note_loss(number);
        else
            pg::guarded([&] {
                CommandCounterIncrement();
                ScanKeyData key;
                ScanKeyInit(&key, block_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
                m_writer.table().scan(SnapshotSelf, &key, 1, [&](const store::row& row) {
                    m_writer.table().remove(row.place(), SnapshotSelf);
                    return true;
                });
            });
        m_writer.finish();
    }

private:
    /// Codes of chunks that are not there any more may be in the store without being counted.
    void note_loss(std::int32_t number) {
        bool has_rows = pg::guarded([&] {
            CommandCounterIncrement();
            bool is_found = false;
            ScanKeyData key;
            ScanKeyInit(&key, block_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
            m_writer.table().scan(SnapshotSelf, &key, 1, [&](const store::row&) {
                is_found = true;
                return false;
            });
            return is_found;
        });
        if (has_rows) store::note_loss(m_of.name, kind);
    }

    /// At least one: what is read in one go and found to be too little ends the reading.
    static std::size_t rows_of(const TriggerData* data) {
        std::int64_t rows = 0;
        for (Tuplestorestate* table : {data->tg_oldtable, data->tg_newtable})
            if (table) rows = std::max(rows, tuplestore_tuple_count(table));
        return static_cast<std::size_t>(rows) + 1;
    }

    float* values_of(std::size_t place) { return m_values.data() + place * m_of.dimensions; }

    void add(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            if (m_rows[i].is_kept) m_writer.add(m_rows[i].tenant.bytes(), m_rows[i].id, values_of(i));
    }

    /// Read a row of a slot into a place. Calls PostgreSQL.
    void read(TupleTableSlot* slot, bool with_values, std::size_t place) {
        row_parts& row = m_rows[place];
        bool no_tenant, no_id, no_embedding;
        Datum tenant = slot_getattr(slot, m_columns.tenant, &no_tenant);
        Datum id = slot_getattr(slot, m_columns.id, &no_id);
        Datum embedding = slot_getattr(slot, m_columns.embedding, &no_embedding);
        row.is_kept = !no_tenant && !no_id && !no_embedding &&
                      store::read_tenant_key(tenant, m_of.tenant_type, row.tenant);
        if (!row.is_kept) return;
        std::memcpy(row.id.bytes, DatumGetUUIDP(id)->data, sizeof row.id.bytes);
        if (with_values) read_embedding(embedding, m_of, values_of(place));
    }

    void read_tuple(HeapTuple tuple, bool with_values) {
        pg::guarded([&] {
            TupleTableSlot* slot = MakeSingleTupleTableSlot(RelationGetDescr(m_data->tg_relation), &TTSOpsHeapTuple);
            ExecStoreHeapTuple(tuple, slot, false);
            read(slot, with_values, 0);
            ExecDropSingleTupleTableSlot(slot);
        });
    }

    template <typename Use>
    void with_rows(Tuplestorestate* table, Use use) {
        store::transition_rows rows = pg::guarded([&] { return store::transition_rows{m_data->tg_relation, table}; });
        use(rows);
        pg::guarded([&] { rows.close(); });
    }

    /// Call use(count) for each batch of rows in m_rows.
    template <typename Use>
    void read_all(store::transition_rows& rows, bool with_values, Use use) {
        for (;;) {
            std::size_t count = 0;
            pg::guarded([&] {
                MemoryContext scratch =
                    AllocSetContextCreate(CurrentMemoryContext, "tenancy vector rows", ALLOCSET_DEFAULT_SIZES);
                MemoryContext around = MemoryContextSwitchTo(scratch);
                while (count < m_rows.size()) {
                    MemoryContextSwitchTo(around);
                    TupleTableSlot* slot = rows.next();
                    if (slot == nullptr) break;
                    MemoryContextSwitchTo(scratch);
                    read(slot, with_values, count++);
                }
                MemoryContextSwitchTo(around);
                MemoryContextDelete(scratch);
            });
            use(count);
            if (count < m_rows.size()) return;
        }
    }

    template <typename Use>
    void for_each_batch(Tuplestorestate* table, Use use) {
        with_rows(table, [&](store::transition_rows& rows) { read_all(rows, true, use); });
    }

    bool is_equal(TupleTableSlot* a, TupleTableSlot* b, AttrNumber column) {
        bool a_null, b_null;
        Datum a_value = slot_getattr(a, column, &a_null), b_value = slot_getattr(b, column, &b_null);
        if (a_null || b_null) return a_null && b_null;
        // A value that did not change lies in the same place out of line, so that nothing is fetched to compare it.
        Form_pg_attribute type = TupleDescAttr(a->tts_tupleDescriptor, column - 1);
        return datumIsEqual(a_value, b_value, type->attbyval, type->attlen);
    }

    std::vector<bool> find_changed() {
        std::vector<bool> changed;
        changed.reserve(static_cast<std::size_t>(tuplestore_tuple_count(m_data->tg_oldtable)) + 1);
        std::size_t rows_of_new = static_cast<std::size_t>(tuplestore_tuple_count(m_data->tg_newtable));
        with_rows(m_data->tg_oldtable, [&](store::transition_rows& before) {
            with_rows(m_data->tg_newtable, [&](store::transition_rows& after) {
                pg::guarded([&] {
                    for (;;) {
                        TupleTableSlot *a = before.next(), *b = after.next();
                        if (a == nullptr && b == nullptr) break;
                        changed.push_back(a == nullptr || b == nullptr || !is_equal(a, b, m_columns.id) ||
                                          !is_equal(a, b, m_columns.tenant) || !is_equal(a, b, m_columns.embedding));
                    }
                });
            });
        });
        changed.resize(std::max(changed.size(), rows_of_new), true);
        return changed;
    }

    const TriggerData* m_data;
    const search::corpus& m_of;
    column_places m_columns;
    writer m_writer;
    std::vector<row_parts> m_rows;
    std::vector<float> m_values;
};

void keep(const TriggerData* data, const std::string& corpus) {
    bool is_statement = TRIGGER_FIRED_FOR_STATEMENT(data->tg_event);
    // Those for rows are for the workers of logical replication alone, which end no statement, but where they copy a table.
    if (!is_statement && (!IsLogicalWorker() || store::is_statement_open(corpus, kind))) return;
    if (TRIGGER_FIRED_BEFORE(data->tg_event)) {
        store::statement_begins(corpus, kind);
        return;
    }
    if (is_statement && !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event)) store::statement_ends(corpus, kind);

    store::state state = store::state_of(corpus, kind);
    if (!store::is_kept(state)) return;
    std::shared_ptr<search::corpus> of = search::open_corpus(corpus);
    if (!of->has_exact_tenants || of->dimensions > most_dimensions) return;
    if (!pg::guarded([&] { return store::is_of_tree(RelationGetRelid(data->tg_relation), of->chunks); })) return;

    if (is_statement && TRIGGER_FIRED_BY_INSERT(data->tg_event) && tuplestore_tuple_count(data->tg_newtable) == 0) return;
    if (is_statement && !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) && !TRIGGER_FIRED_BY_INSERT(data->tg_event) &&
        tuplestore_tuple_count(data->tg_oldtable) == 0)
        return;
    statement changed{data, *of, state.number};
    if (!is_statement)
        changed.apply();
    else if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
        changed.insert();
    else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
        changed.update();
    else if (TRIGGER_FIRED_BY_DELETE(data->tg_event))
        changed.remove();
    else
        changed.truncate(state.number);
}

} // namespace

TENANCY_FUNCTION(tenancy_keep_vectors) {
    TriggerData* data = store::trigger_of(fcinfo, "tenancy.keep_vectors()");
    keep(data, data->tg_trigger->tgargs[0]);
    // Also right for a row's trigger: it fires after the event.
    return PointerGetDatum(nullptr);
}
