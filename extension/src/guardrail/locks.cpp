// LOCK TABLE asks for privileges alone, which one role has for all tenants: a viewer could stop everybody. Who may not write
// in the current tenant takes no lock above ACCESS SHARE, which every SELECT takes. An owner may lock what it may drop.

#include "context/errors.hpp"
#include "context/verdict.hpp"
#include "guardrail/protected.hpp"

extern "C" {
#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
}

namespace tenancy::guardrail {

namespace {

ProcessUtility_hook_type next_process_utility = nullptr;

/// The tables that LOCK reaches from a relation, by inheritance and through views, as LOCK itself does.
struct reach {
    List* relations;
};

void reach_from(Oid relation, bool with_children, reach& found);

bool reach_of_query(Node* node, void* found) {
    if (node == nullptr) return false;
    if (!IsA(node, Query)) return expression_tree_walker(node, TENANCY_WALKER(reach_of_query), found);
    ListCell* cell;
    foreach (cell, reinterpret_cast<Query*>(node)->rtable) {
        auto* entry = lfirst_node(RangeTblEntry, cell);
        if (entry->rtekind == RTE_RELATION) reach_from(entry->relid, entry->inh, *static_cast<reach*>(found));
    }
    return query_tree_walker(reinterpret_cast<Query*>(node), TENANCY_WALKER(reach_of_query), found, QTW_IGNORE_JOINALIASES);
}

void reach_from(Oid relation, bool with_children, reach& found) {
    check_stack_depth();
    if (list_member_oid(found.relations, relation)) return;
    found.relations = lappend_oid(found.relations, relation);
    if (get_rel_relkind(relation) == RELKIND_VIEW) {
        Relation view = relation_open(relation, AccessShareLock);
        reach_of_query(reinterpret_cast<Node*>(get_view_query(view)), &found);
        relation_close(view, AccessShareLock);
    } else if (with_children) {
        found.relations = list_concat_unique_oid(found.relations, find_all_inheritors(relation, NoLock, nullptr));
    }
}

/// Where privileges are missing, PostgreSQL says so itself.
bool may_lock(Oid relation) {
    constexpr AclMode any = ACL_INSERT | ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE
#if PG_VERSION_NUM >= 170000
                            | ACL_MAINTAIN
#endif
        ;
    return pg_class_aclcheck(relation, GetUserId(), any) == ACLCHECK_OK;
}

void refuse_readers() {
    switch (context::settle()) {
    case context::status::settled:
        if (!context::last_verdict().may_write) context::raise_may_not_write(context::last_verdict().role);
        return;
    case context::status::no_tenant:
        context::raise_no_tenant();
    case context::status::not_available:
        context::raise_not_available();
    }
}

void look_at(const LockStmt* statement) {
    Oid role = GetUserId();
    if (statement->mode <= AccessShareLock || superuser_arg(role) || has_bypassrls_privilege(role)) return;
    ListCell* cell;
    foreach (cell, statement->relations) {
        auto* name = lfirst_node(RangeVar, cell);
        Oid relation = RangeVarGetRelid(name, NoLock, true);
        if (!OidIsValid(relation) || !may_lock(relation)) continue;
        reach found{};
        reach_from(relation, name->inh, found);
        ListCell* reached;
        foreach (reached, found.relations)
            if (!pg::owns_relation(lfirst_oid(reached), role) && is_protected(lfirst_oid(reached))) refuse_readers();
    }
}

void process_utility(PlannedStmt* statement, const char* query, bool read_only_tree, ProcessUtilityContext context,
                     ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* destination,
                     QueryCompletion* completion) {
    if (IsA(statement->utilityStmt, LockStmt)) look_at(reinterpret_cast<LockStmt*>(statement->utilityStmt));
    auto* next = next_process_utility ? next_process_utility : standard_ProcessUtility;
    next(statement, query, read_only_tree, context, parameters, environment, destination, completion);
}

} // namespace

void watch_locks() {
    next_process_utility = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
}

} // namespace tenancy::guardrail
