#pragma once

#include "pg/prelude.hpp"

extern "C" {
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"
}

namespace tenancy::store {

/// A transition table of a statement-level trigger, read from its beginning. The rows have the columns of the trigger's
/// own relation.
///
/// Everything here calls PostgreSQL and runs under a guard of the caller.
class transition_rows {
public:
    /// @param rows tg_newtable or tg_oldtable
    transition_rows(Relation relation, Tuplestorestate* rows)
        : m_rows{rows}, m_slot{MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsMinimalTuple)} {
        // One of our own: other triggers of the statement read the same table.
        m_pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
        tuplestore_select_read_pointer(rows, m_pointer);
        tuplestore_rescan(rows);
    }

    /// The next row, or null at the end. What it holds stays until the next call.
    TupleTableSlot* next() {
        CHECK_FOR_INTERRUPTS();
        tuplestore_select_read_pointer(m_rows, m_pointer);
        return tuplestore_gettupleslot(m_rows, true, false, m_slot) ? m_slot : nullptr;
    }

    void close() { ExecDropSingleTupleTableSlot(m_slot); }

private:
    Tuplestorestate* m_rows;
    TupleTableSlot* m_slot;
    int m_pointer;
};

/// The event that a trigger which keeps a store was fired by. Raises for a call or a definition that is none of a store's.
///
/// @param name the trigger function's, for the messages
inline TriggerData* trigger_of(FunctionCallInfo fcinfo, const char* name) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("%s can only be called as a trigger", name)));
    auto* data = reinterpret_cast<TriggerData*>(fcinfo->context);
    // Before a row, what it returns would keep the row from being written.
    if (TRIGGER_FIRED_FOR_ROW(data->tg_event) && !TRIGGER_FIRED_AFTER(data->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("%s must be fired before or after statements, or after rows", name)));
    if (data->tg_trigger->tgnargs != 1)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("%s must be given the name of a corpus", name)));
    bool has_tables = !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) || TRIGGER_FIRED_BEFORE(data->tg_event) ||
                      TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) ||
                      ((TRIGGER_FIRED_BY_INSERT(data->tg_event) || data->tg_oldtable) &&
                       (TRIGGER_FIRED_BY_DELETE(data->tg_event) || data->tg_newtable));
    if (!has_tables)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("%s needs the transition tables of its statement", name)));
    return data;
}

} // namespace tenancy::store
