// A planner's estimates are made from the rows of all tenants: they tell whether somebody has a value, and bracket the smallest and
// the largest. EXPLAIN shows them, and debug_print_plan sends them to a client that asks for messages of level LOG.

#include "guardrail/protected.hpp"

extern "C" {
#include "executor/executor.h"
#include "optimizer/planner.h"
#include "tcop/tcopprot.h"
}

namespace tenancy::guardrail {

namespace {

enum class refusing { off, credential, on };

int guc_refuse_explain = static_cast<int>(refusing::credential);

constexpr config_enum_entry refuse_explain_choices[] = {
    {"off", static_cast<int>(refusing::off), false},
    {"credential", static_cast<int>(refusing::credential), false},
    {"on", static_cast<int>(refusing::on), false},
    {nullptr, 0, false},
};

refusing when() noexcept { return static_cast<refusing>(guc_refuse_explain); }

ExecutorStart_hook_type next_executor_start = nullptr;
planner_hook_type next_planner = nullptr;
ProcessUtility_hook_type next_process_utility = nullptr;

/// How many EXPLAIN statements are under way, one within the other.
int explaining = 0;

/// Whether a role is kept from the estimates of a table. Who may name any tenant can read the rows themselves, and an owner
/// can take the protection away.
bool is_kept_from(Oid relation, Oid role) {
    if (when() == refusing::credential && pg::owns_relation(relation, role)) return false;
    return is_protected(relation);
}

/// The first table of a plan whose estimates the current role is kept from, views looked through.
Oid secret_of(const PlannedStmt* plan) {
    Oid role = GetUserId();
    if (when() == refusing::off || superuser_arg(role) || has_bypassrls_privilege(role)) return InvalidOid;
    if (when() == refusing::credential && names_tenants(role)) return InvalidOid;
    ListCell* cell;
    foreach (cell, plan->rtable) {
        auto* entry = lfirst_node(RangeTblEntry, cell);
        if (entry->rtekind == RTE_RELATION && is_kept_from(entry->relid, role)) return entry->relid;
    }
    return InvalidOid;
}

void refuse_explain(const PlannedStmt* plan) {
    Oid relation = secret_of(plan);
    if (!OidIsValid(relation)) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to explain a query over protected table \"%s\"", get_rel_name(relation)),
                    errdetail("Estimates and counts of removed rows tell of the rows of other tenants."),
                    errhint("Explain the query as a role that policies do not hold, on behalf of the application.")));
}

void refuse_printing(const PlannedStmt* plan) {
    Oid relation = secret_of(plan);
    if (!OidIsValid(relation)) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to print the plan of a query over protected table \"%s\"", get_rel_name(relation)),
                    errdetail("The estimates in it tell of the rows of other tenants."),
                    errhint("Turn off debug_print_plan, or set client_min_messages to notice.")));
}

/// A plan is shown that is not run, or that EXPLAIN ANALYZE runs. Who loads auto_explain may count in ordinary statements.
bool is_explained(const QueryDesc* query, int flags) {
    return (flags & EXEC_FLAG_EXPLAIN_ONLY) || (explaining > 0 && query->instrument_options != 0);
}

void executor_start(QueryDesc* query, int flags) {
    if (is_explained(query, flags)) refuse_explain(query->plannedstmt);
    (next_executor_start ? next_executor_start : standard_ExecutorStart)(query, flags);
}

PlannedStmt* plan(Query* query, const char* text, int cursor_options, ParamListInfo parameters) {
    PlannedStmt* planned = (next_planner ? next_planner : standard_planner)(query, text, cursor_options, parameters);
    // Asked after planning, which can run functions that change the settings.
    if (unlikely(Debug_print_plan && client_min_messages <= LOG)) refuse_printing(planned);
    return planned;
}

void process_utility(PlannedStmt* statement, const char* query, bool read_only_tree, ProcessUtilityContext context,
                     ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* destination,
                     QueryCompletion* completion) {
    auto* next = next_process_utility ? next_process_utility : standard_ProcessUtility;
    if (!IsA(statement->utilityStmt, ExplainStmt)) {
        next(statement, query, read_only_tree, context, parameters, environment, destination, completion);
        return;
    }
    ++explaining;
    PG_TRY();
    { next(statement, query, read_only_tree, context, parameters, environment, destination, completion); }
    PG_FINALLY();
    { --explaining; }
    PG_END_TRY();
}

} // namespace

void watch_estimates() {
    DefineCustomEnumVariable("tenancy.refuse_explain", "Which roles may not EXPLAIN queries over protected tables.",
                             "'credential': roles that cannot name a tenant themselves; 'on': all that policies hold.",
                             &guc_refuse_explain, static_cast<int>(refusing::credential), refuse_explain_choices, PGC_SUSET,
                             GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
    next_executor_start = ExecutorStart_hook;
    ExecutorStart_hook = executor_start;
    next_planner = planner_hook;
    planner_hook = plan;
    next_process_utility = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
}

} // namespace tenancy::guardrail
