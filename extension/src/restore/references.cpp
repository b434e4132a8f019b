// Foreign keys between the tables of the catalogue, and those that lead to them.
//
// A parallel restore loads the catalogue's tables in any order and at the same time, and CREATE EXTENSION has made their
// foreign keys before. So PostgreSQL's own trigger that looks for the parent of a new row is turned off, and this one stands in
// its place: it runs PostgreSQL's, unless a dump is being restored. Cascades and the other actions are PostgreSQL's as before.

#include "pg/guard.hpp"
#include "restore/restoring.hpp"

extern "C" {
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
}

namespace {

using tenancy::restore::is_restoring;

struct foreign_key {
    Oid trigger;
    Oid constraint;
    Oid parent;
};

/// The foreign key that the trigger's argument names, found once for each trigger of a statement.
const foreign_key& key_of(FunctionCallInfo fcinfo, const TriggerData* fired) {
    auto* known = static_cast<foreign_key*>(fcinfo->flinfo->fn_extra);
    if (known && known->trigger == fired->tg_trigger->tgoid) return *known;
    Oid constraint =
        get_relation_constraint_oid(RelationGetRelid(fired->tg_relation), fired->tg_trigger->tgargs[0], false);
    HeapTuple row = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for constraint %u", constraint);
    Oid parent = reinterpret_cast<Form_pg_constraint>(GETSTRUCT(row))->confrelid;
    ReleaseSysCache(row);
    if (!OidIsValid(parent)) elog(ERROR, "constraint \"%s\" is no foreign key", fired->tg_trigger->tgargs[0]);
    known = static_cast<foreign_key*>(MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(foreign_key)));
    *known = {fired->tg_trigger->tgoid, constraint, parent};
    fcinfo->flinfo->fn_extra = known;
    return *known;
}

void run_foreign_key_check(const TriggerData* fired, const foreign_key& key) {
    Trigger trigger = *fired->tg_trigger;
    trigger.tgconstraint = key.constraint;
    trigger.tgconstrrelid = key.parent;
    bool is_update = TRIGGER_FIRED_BY_UPDATE(fired->tg_event);
    if (is_update &&
        !RI_FKey_fk_upd_check_required(&trigger, fired->tg_relation, fired->tg_trigslot, fired->tg_newslot))
        return;
    TriggerData as_its_own = *fired;
    as_its_own.tg_trigger = &trigger;
    FmgrInfo function;
    fmgr_info(is_update ? F_RI_FKEY_CHECK_UPD : F_RI_FKEY_CHECK_INS, &function);
    LOCAL_FCINFO(call, 0);
    InitFunctionCallInfoData(*call, &function, 0, InvalidOid, reinterpret_cast<Node*>(&as_its_own), nullptr);
    FunctionCallInvoke(call);
}

/// A function of schema tenancy that takes these types, found without the privileges of whoever runs the DDL.
Oid internal_function(const char* name, Oid* types, int count) {
    oidvector* arguments = buildoidvector(types, count);
    return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name), PointerGetDatum(arguments),
                           ObjectIdGetDatum(get_namespace_oid("tenancy", true)));
}

Datum name_array(List* names) {
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (list_length(names) + 1)));
    int count = 0;
    ListCell* cell;
    foreach (cell, names)
        values[count++] = CStringGetTextDatum(strVal(lfirst(cell)));
    return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

bool is_of_catalogue(Oid relation) {
    return OidIsValid(relation) && get_rel_namespace(relation) == get_namespace_oid("tenancy", true);
}

/// A restored foreign key that leads to the catalogue: pg_restore does not know that its parent's rows have to come first.
void look_at(Oid child, Constraint* key) {
    if (key->contype != CONSTR_FOREIGN || !key->pktable || key->skip_validation || key->pk_attrs == NIL ||
        key->fk_attrs == NIL || !key->conname)
        return;
    Oid parent = RangeVarGetRelid(key->pktable, NoLock, true);
    if (!is_of_catalogue(parent)) return;
    // The parent first, for everybody: two workers with keys of a partitioned table and of its partitions would else wait for
    // each other. Then whoever loads the parent has ended too.
    LockRelationOid(parent, ShareRowExclusiveLock);
    LockRelationOid(child, ShareRowExclusiveLock);
    find_all_inheritors(child, ShareRowExclusiveLock, nullptr);
    Oid types[] = {REGCLASSOID, NAMEOID, TEXTARRAYOID, REGCLASSOID, TEXTARRAYOID};
    Oid judge = internal_function("note_restored_key", types, lengthof(types));
    if (!OidIsValid(judge)) return;
    NameData name;
    namestrcpy(&name, key->conname);
    OidFunctionCall5(judge, ObjectIdGetDatum(child), NameGetDatum(&name), name_array(key->fk_attrs),
                     ObjectIdGetDatum(parent), name_array(key->pk_attrs));
    // Its rows have just been looked at, under the locks, or are noted for later.
    key->skip_validation = true;
    key->initially_valid = true;
}

AlterTableStmt* alter_table_of(FunctionCallInfo fcinfo) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("this function can only be called as an event trigger")));
    Node* tree = reinterpret_cast<EventTriggerData*>(fcinfo->context)->parsetree;
    return IsA(tree, AlterTableStmt) ? reinterpret_cast<AlterTableStmt*>(tree) : nullptr;
}

} // namespace

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_check_reference);

PGDLLEXPORT Datum tenancy_check_reference(PG_FUNCTION_ARGS) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("tenancy.check_reference() can only be called as a trigger")));
    auto* fired = reinterpret_cast<TriggerData*>(fcinfo->context);
    if (!TRIGGER_FIRED_AFTER(fired->tg_event) || !TRIGGER_FIRED_FOR_ROW(fired->tg_event) ||
        !(TRIGGER_FIRED_BY_INSERT(fired->tg_event) || TRIGGER_FIRED_BY_UPDATE(fired->tg_event)) ||
        fired->tg_trigger->tgnargs != 1)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("tenancy.check_reference() fires after each row that is inserted or updated")));
    if (!is_restoring()) run_foreign_key_check(fired, key_of(fcinfo, fired));
    return PointerGetDatum(nullptr);
}
}

TENANCY_FUNCTION(tenancy_before_alter_table) {
    AlterTableStmt* statement = alter_table_of(fcinfo);
    if (!statement || !is_restoring()) return PointerGetDatum(nullptr);
    Oid child = InvalidOid;
    ListCell* cell;
    foreach (cell, statement->cmds) {
        auto* command = lfirst_node(AlterTableCmd, cell);
        if (command->subtype != AT_AddConstraint || !command->def || !IsA(command->def, Constraint)) continue;
        if (!OidIsValid(child)) child = RangeVarGetRelid(statement->relation, NoLock, true);
        if (!OidIsValid(child)) break;
        look_at(child, reinterpret_cast<Constraint*>(command->def));
    }
    return PointerGetDatum(nullptr);
}

TENANCY_FUNCTION(tenancy_after_alter_table) {
    AlterTableStmt* statement = alter_table_of(fcinfo);
    if (!statement) return PointerGetDatum(nullptr);
    ListCell* cell;
    foreach (cell, statement->cmds) {
        switch (lfirst_node(AlterTableCmd, cell)->subtype) {
        case AT_EnableTrigAll:
        case AT_DisableTrigAll:
        case AT_EnableTrigUser:
        case AT_DisableTrigUser:
            break;
        default:
            continue;
        }
        Oid relation = RangeVarGetRelid(statement->relation, NoLock, true);
        if (!is_of_catalogue(relation)) break;
        Oid types[] = {REGCLASSOID};
        Oid settle = internal_function("settle_triggers", types, lengthof(types));
        if (OidIsValid(settle)) OidFunctionCall1(settle, ObjectIdGetDatum(relation));
        break;
    }
    return PointerGetDatum(nullptr);
}
