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
        tuplestore_select_read_pointer(m_rows, m_pointer);
        return tuplestore_gettupleslot(m_rows, true, false, m_slot) ? m_slot : nullptr;
    }

    void close() { ExecDropSingleTupleTableSlot(m_slot); }

private:
    Tuplestorestate* m_rows;
    TupleTableSlot* m_slot;
    int m_pointer;
};

} // namespace tenancy::store
