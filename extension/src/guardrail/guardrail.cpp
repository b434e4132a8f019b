// Event triggers that look at every DDL statement of the database. This half is C so that a statement that does not concern
// protected tables costs next to nothing; tenancy.after_ddl() judges the few that may, by the state they leave.

#include "guardrail/protected.hpp"
#include "pg/guard.hpp"

namespace {

/// The codes of tenancy.protection_faults() that a statement may have caused.
struct effects {
    bool links = false;  ///< it may have given a table a new child
    bool copies = false; ///< it may have copied columns of a protected table
    StringInfoData faults;
};

/// Whether the CREATE TABLE that runs has a LIKE clause: executing it takes the clause out of its tree.
bool creating_like = false;

void may_cause(effects& found, const char* fault) {
    appendStringInfo(&found.faults, "%s%s", found.faults.len > 0 ? "," : "", fault);
}

void look_at(const AlterTableStmt* statement, effects& found) {
    ListCell* cell;
    foreach (cell, statement->cmds) {
        switch (lfirst_node(AlterTableCmd, cell)->subtype) {
        case AT_DisableRowSecurity:
            may_cause(found, "rls_off");
            break;
        case AT_NoForceRowSecurity:
            may_cause(found, "rls_not_forced");
            break;
        case AT_DropColumn:
        case AT_AlterColumnType:
            may_cause(found, "column_missing");
            break;
        case AT_DropConstraint: // since 18 a NOT NULL can be dropped by its name
            may_cause(found, "path_missing");
            [[fallthrough]];
        case AT_DropNotNull:
            may_cause(found, "column_nullable");
            break;
        case AT_ColumnDefault:
            may_cause(found, "default_lost");
            break;
        case AT_AttachPartition:
        case AT_AddInherit:
            found.links = true;
            break;
        default:
            break;
        }
    }
}

/// Temporary tables are their session's own, and made often.
bool is_temporary(const RangeVar* table) { return table->relpersistence == RELPERSISTENCE_TEMP; }

void look_at(const CreateStmt* statement, effects& found) {
    if (is_temporary(statement->relation)) return;
    found.links = statement->inhRelations != NIL;
    found.copies = creating_like;
}

void look_at(Node* tree, effects& found) {
    switch (nodeTag(tree)) {
    case T_AlterTableStmt:
        look_at(reinterpret_cast<AlterTableStmt*>(tree), found);
        break;
    case T_AlterPolicyStmt:
        may_cause(found, "policy_changed");
        break;
    case T_RenameStmt:
        // ALTER VIEW and the like rename columns of tables too, so the kind of object that it names says nothing.
        switch (reinterpret_cast<RenameStmt*>(tree)->renameType) {
        case OBJECT_COLUMN:
        case OBJECT_ATTRIBUTE: // of a type that tables are made OF
            may_cause(found, "column_missing");
            break;
        case OBJECT_POLICY:
            may_cause(found, "policy_missing");
            break;
        default:
            break;
        }
        break;
    case T_CreateStmt:
        look_at(reinterpret_cast<CreateStmt*>(tree), found);
        break;
    case T_CreateForeignTableStmt:
        look_at(&reinterpret_cast<CreateForeignTableStmt*>(tree)->base, found);
        break;
    case T_CreateTableAsStmt:
        found.copies = !is_temporary(reinterpret_cast<CreateTableAsStmt*>(tree)->into->rel);
        break;
    case T_CreateSchemaStmt:
        // The statements inside of one are not handed to event triggers by themselves.
        found.links = found.copies = reinterpret_cast<CreateSchemaStmt*>(tree)->schemaElts != NIL;
        break;
    default:
        break;
    }
}

bool has_like(const CreateStmt* statement) {
    ListCell* cell;
    foreach (cell, statement->tableElts)
        if (IsA(lfirst(cell), TableLikeClause)) return true;
    return false;
}

/// Found without the privileges of whoever runs the DDL, who need not know tenancy at all.
Oid after_ddl() {
    Oid types[] = {TEXTOID, BOOLOID, BOOLOID};
    oidvector* arguments = buildoidvector(types, lengthof(types));
    return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("after_ddl"), PointerGetDatum(arguments),
                           ObjectIdGetDatum(get_namespace_oid("tenancy", true)));
}

const EventTriggerData* event_of(FunctionCallInfo fcinfo) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("this function can only be called as an event trigger")));
    auto* event = reinterpret_cast<const EventTriggerData*>(fcinfo->context);
    // Not every event is about a statement: a login (since 17) has none.
    if (event->parsetree == nullptr)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("this function cannot be called for event \"%s\"", event->event)));
    return event;
}

} // namespace

/// Called before statements in which PostgreSQL validates keys or fills materialized views: where the library is not preloaded,
/// this loads it, and with it the hooks that look at the rest of the statement.
TENANCY_FUNCTION(tenancy_before_ddl) {
    Node* tree = event_of(fcinfo)->parsetree;
    creating_like = IsA(tree, CreateStmt) && has_like(reinterpret_cast<CreateStmt*>(tree));
    tenancy::guardrail::expect_detaching(tree);
    return PointerGetDatum(nullptr);
}

TENANCY_FUNCTION(tenancy_guardrail) {
    Node* tree = event_of(fcinfo)->parsetree;
    tenancy::guardrail::expect_nothing();
    effects found;
    initStringInfo(&found.faults);
    look_at(tree, found);
    if (found.faults.len > 0 || found.links || found.copies) {
        Oid judge = after_ddl();
        if (OidIsValid(judge))
            OidFunctionCall3(judge, PointerGetDatum(cstring_to_text(found.faults.data)), BoolGetDatum(found.links),
                             BoolGetDatum(found.copies));
    }
    return PointerGetDatum(nullptr);
}
