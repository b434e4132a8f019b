// PostgreSQL validates a foreign key with one query over both tables, which it runs as whoever alters the table. FORCE ROW
// LEVEL SECURITY holds the owner, so that query meets policies: it fails without a tenant, and with one it looks at that
// tenant's rows and marks the key valid for all. The same goes for the query that looks for references to a partition that is
// detached. Here these two queries, and nothing else of the statement, are rewritten as if FORCE were off. Whoever does
// not own a table is held by its policies all the same.
//
// RI_Initial_Check() asks for the privileges of its two tables without raising, as nothing else in PostgreSQL does, and what is
// parsed next is its query. No function of a user can run between that and the planner, where FORCE is on again: neither
// expressions and triggers of the statement nor the messages that tell of a violated key see more than before.

#include "guardrail/protected.hpp"

extern "C" {
#include "executor/executor.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
}

namespace tenancy::guardrail {

namespace {

ExecutorCheckPerms_hook_type next_check_permissions = nullptr;
post_parse_analyze_hook_type next_post_parse_analyze = nullptr;
planner_hook_type next_planner = nullptr;

/// The tables of the query that comes next, in no order; a key may lead from a table to itself.
struct pair {
    Oid one, other;
    bool operator==(const pair& that) const noexcept {
        return (one == that.one && other == that.other) || (one == that.other && other == that.one);
    }
};

bool is_announced = false;
pair announced;

/// The partition that the statement detaches.
Oid detached = InvalidOid;

/// While the query is rewritten: who runs it, as before.
bool is_lifted = false;
Oid user_before;
int security_context_before;

/// At the end of a (sub)transaction PostgreSQL has put the security context back itself.
void forget() {
    is_announced = is_lifted = false;
    detached = InvalidOid;
}

void lift_force() {
    if (is_lifted) return;
    GetUserIdAndSecContext(&user_before, &security_context_before);
    SetUserIdAndSecContext(user_before, security_context_before | SECURITY_NOFORCE_RLS);
    is_lifted = true;
}

void put_back_force() {
    if (!is_lifted) return;
    SetUserIdAndSecContext(user_before, security_context_before);
    is_lifted = false;
}

bool owns(Oid relation) { return pg::owns_relation(relation, GetUserId()); }

bool has_policies(Oid relation) { return policies_hold(relation, InvalidOid); }

/// Whether policies would hide rows of a protected table from the check.
bool would_hide(const pair& tables) {
    return (has_policies(tables.one) && is_protected(tables.one)) ||
           (has_policies(tables.other) && is_protected(tables.other));
}

/// Where policies hold somebody who is not the owner, PostgreSQL checks row by row, in a way that is right.
bool is_checked_by_query(const pair& tables) {
    return (!has_policies(tables.one) || owns(tables.one)) && (!has_policies(tables.other) || owns(tables.other));
}

bool joins_two_tables(const Query* query, pair& tables) {
    if (query->commandType != CMD_SELECT || list_length(query->rtable) < 3) return false;
    auto* one = linitial_node(RangeTblEntry, query->rtable);
    auto* other = lsecond_node(RangeTblEntry, query->rtable);
    if (one->rtekind != RTE_RELATION || other->rtekind != RTE_RELATION ||
        lthird_node(RangeTblEntry, query->rtable)->rtekind != RTE_JOIN)
        return false;
    tables = {one->relid, other->relid};
    return true;
}

bool refers_to(Oid relation, Oid referenced) {
    Relation opened = table_open(relation, AccessShareLock);
    bool found = false;
    ListCell* cell;
    foreach (cell, RelationGetFKeyList(opened))
        if (lfirst_node(ForeignKeyCacheInfo, cell)->confrelid == referenced) found = true;
    table_close(opened, AccessShareLock);
    return found;
}

/// RI_PartitionRemove_Check() announces nothing. Its query joins a table to the partition that it refers to.
bool looks_for_references(const pair& tables) {
    return OidIsValid(detached) && tables.other == detached && refers_to(tables.one, detached) && would_hide(tables);
}

void refuse_unless_owner(Oid relation) {
    if (!has_policies(relation) || owns(relation)) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("must be owner of relation %s", get_rel_name(relation)),
                    errdetail("Policies would hide rows of it that may refer to the partition."),
                    errhint("Detach the partition as a role that owns the tables on both sides of the foreign key.")));
}

bool check_permissions(List* range_table, TENANCY_PERMISSION_INFOS bool raise) {
    is_announced = false;
    put_back_force();
    if (!raise && list_length(range_table) == 2) {
        pair tables{linitial_node(RangeTblEntry, range_table)->relid, lsecond_node(RangeTblEntry, range_table)->relid};
        if (would_hide(tables) && is_checked_by_query(tables)) {
            announced = tables;
            is_announced = true;
        }
    }
    return next_check_permissions ? next_check_permissions(range_table, TENANCY_PASS_PERMISSION_INFOS raise) : true;
}

void post_parse_analyze(ParseState* state, Query* query, JumbleState* jumble) {
    pair tables;
    // A plan that is invalidated before it is planned is parsed again, with FORCE lifted already.
    if (!is_lifted && joins_two_tables(query, tables)) {
        if (is_announced && tables == announced) {
            lift_force();
        } else if (looks_for_references(tables)) {
            refuse_unless_owner(tables.one);
            refuse_unless_owner(tables.other);
            lift_force();
        }
    }
    is_announced = false;
    if (next_post_parse_analyze) next_post_parse_analyze(state, query, jumble);
}

PlannedStmt* plan(Query* query, const char* text, int cursor_options, ParamListInfo parameters) {
    put_back_force();
    return (next_planner ? next_planner : standard_planner)(query, text, cursor_options, parameters);
}

void at_transaction_end(XactEvent, void*) { forget(); }

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event == SUBXACT_EVENT_ABORT_SUB) forget();
}

} // namespace

void expect_detaching(Node* statement) {
    detached = InvalidOid;
    if (!IsA(statement, AlterTableStmt)) return;
    ListCell* cell;
    foreach (cell, reinterpret_cast<AlterTableStmt*>(statement)->cmds) {
        auto* command = lfirst_node(AlterTableCmd, cell);
        if (command->subtype == AT_DetachPartition)
            detached = RangeVarGetRelid(castNode(PartitionCmd, command->def)->name, NoLock, true);
    }
}

void expect_nothing() { detached = InvalidOid; }

void watch_foreign_keys() {
    next_check_permissions = ExecutorCheckPerms_hook;
    ExecutorCheckPerms_hook = check_permissions;
    next_post_parse_analyze = post_parse_analyze_hook;
    post_parse_analyze_hook = post_parse_analyze;
    next_planner = planner_hook;
    planner_hook = plan;
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

} // namespace tenancy::guardrail
