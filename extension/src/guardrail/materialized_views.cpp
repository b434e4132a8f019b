// A materialized view is filled as its owner. An owner whom policies hold would fill it with the rows of the one tenant that is
// set, and everybody who may read it would read those: no policy can stand on it.

#include "guardrail/protected.hpp"

extern "C" {
#include "executor/executor.h"
#include "nodes/primnodes.h"
}

namespace tenancy::guardrail {

namespace {

ExecutorStart_hook_type next_executor_start = nullptr;

/// How createas.c begins what it keeps of CREATE TABLE AS and, before 17, of CREATE MATERIALIZED VIEW.
struct into_receiver {
    DestReceiver receiver;
    IntoClause* into;
};

bool fills_materialized_view(DestReceiver* destination) {
    if (destination == nullptr) return false;
    if (destination->mydest == DestTransientRel) return true;
    if (destination->mydest != DestIntoRel) return false;
    const IntoClause* into = reinterpret_cast<into_receiver*>(destination)->into;
    return into != nullptr && into->viewQuery != nullptr;
}

void refuse_some_rows(Oid relation, Oid reader) {
    if (get_rel_relkind(relation) == RELKIND_VIEW || !policies_hold(relation, reader) || !is_protected(relation)) return;
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("a materialized view cannot be filled from protected table \"%s\" under its policies", get_rel_name(relation)),
             errdetail("It would hold the rows of one tenant and show them to everybody who may read it."),
             errhint("Make it a table that tenancy.protect() holds and that is filled for each tenant, or a view WITH "
                     "(security_invoker = true).")));
}

void executor_start(QueryDesc* query, int flags) {
    if (unlikely(fills_materialized_view(query->dest))) {
        ListCell* cell;
#if PG_VERSION_NUM >= 160000
        foreach (cell, query->plannedstmt->permInfos) {
            auto* entry = lfirst_node(RTEPermissionInfo, cell);
            refuse_some_rows(entry->relid, entry->checkAsUser);
        }
#else
        foreach (cell, query->plannedstmt->rtable) {
            auto* entry = lfirst_node(RangeTblEntry, cell);
            if (entry->rtekind == RTE_RELATION) refuse_some_rows(entry->relid, entry->checkAsUser);
        }
#endif
    }
    (next_executor_start ? next_executor_start : standard_ExecutorStart)(query, flags);
}

} // namespace

void watch_materialized_views() {
    next_executor_start = ExecutorStart_hook;
    ExecutorStart_hook = executor_start;
}

} // namespace tenancy::guardrail
