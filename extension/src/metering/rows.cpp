// What the count of documents reads past the planner: what a table's owner hung on it (index expressions, policies, rules)
// must not run with the rights of the extension's owner, who counts the rows. All of it reads what is there now: a
// transaction's older snapshot would not show rows that it is about to lose or to pass on.

#include "metering/rows.hpp"

#include "pg/guard.hpp"

extern "C" {
#include "access/relation.h"
#include "catalog/indexing.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "utils/datum.h"
#include "utils/tuplestore.h"
}

namespace {

bool is_tenant_type(Oid type) {
    return type == UUIDOID || type == TEXTOID || type == VARCHAROID || type == INT8OID || type == INT4OID;
}

Oid our_table(const char* name) {
    Oid schema = get_namespace_oid("tenancy", true);
    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

} // namespace

namespace tenancy::metering {

AttrNumber counted_column(Oid relation) {
    Oid registry = our_table("counted_tables");
    if (!OidIsValid(registry)) return InvalidAttrNumber;
    Relation table = table_open(registry, AccessShareLock);
    Snapshot now = RegisterSnapshot(GetLatestSnapshot());
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    SysScanDesc scan = systable_beginscan(table, InvalidOid, false, now, 1, &key);
    AttrNumber column = InvalidAttrNumber;
    HeapTuple tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple)) {
        bool is_null;
        column = DatumGetInt16(heap_getattr(tuple, 2, RelationGetDescr(table), &is_null));
    }
    systable_endscan(scan);
    UnregisterSnapshot(now);
    table_close(table, AccessShareLock);
    return column;
}

const char* tenant_key_text(Datum value, Oid type) {
    if (!is_tenant_type(type)) elog(ERROR, "type %u is not one of a tenant column", type);
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    return OidOutputFunctionCall(output, value);
}

} // namespace tenancy::metering

namespace {

using tenancy::metering::counted_column;

object_access_hook_type next_hook = nullptr;

/// DROP EXTENSION takes the counts with it, and what would change them, in no order that we know.
bool is_dropping_extension = false;

/// The table of a trigger that counts documents, or InvalidOid.
Oid counted_by(Oid trigger) {
    Relation triggers = table_open(TriggerRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
    SysScanDesc scan = systable_beginscan(triggers, TriggerOidIndexId, true, nullptr, 1, &key);
    Oid table = InvalidOid;
    HeapTuple tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple)) {
        auto* row = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
        if (!row->tgisinternal && std::strncmp(NameStr(row->tgname), "tenancy_count_", 14) == 0) table = row->tgrelid;
    }
    systable_endscan(scan);
    table_close(triggers, AccessShareLock);
    return table;
}

void uncount(Oid relation) {
    Oid caller;
    int security_context;
    GetUserIdAndSecContext(&caller, &security_context);
    SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security_context | SECURITY_LOCAL_USERID_CHANGE);
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    Oid types[] = {OIDOID};
    Datum values[] = {ObjectIdGetDatum(relation)};
    int result = SPI_execute_with_args("SELECT tenancy.uncount_table($1)", 1, types, values, nullptr, false, 0);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute_with_args returned %d", result);
    SPI_finish();
    SetUserIdAndSecContext(caller, security_context);
}

/// A table's triggers go before its rows do, so the drop of the first one that counts is the last chance to read them.
void at_access(ObjectAccessType access, Oid class_id, Oid object, int sub_id, void* argument) {
    if (next_hook) next_hook(access, class_id, object, sub_id, argument);
    if (access != OAT_DROP || class_id != TriggerRelationId || is_dropping_extension || !IsTransactionState()) return;
    Oid relation = counted_by(object);
    if (OidIsValid(relation) && counted_column(relation) != InvalidAttrNumber) uncount(relation);
}

/// Whether an UPDATE left every row with its tenant, as nearly all do: the two tables hold the rows in the same order.
bool keeps_tenants(const TriggerData* trigger, AttrNumber column) {
    TupleDesc shape = RelationGetDescr(trigger->tg_relation);
    auto* attribute = TupleDescAttr(shape, column - 1);
    Tuplestorestate* tables[] = {trigger->tg_oldtable, trigger->tg_newtable};
    int pointers[2];
    TupleTableSlot* slots[2];
    for (int i = 0; i < 2; ++i) {
        pointers[i] = tuplestore_alloc_read_pointer(tables[i], EXEC_FLAG_REWIND);
        tuplestore_select_read_pointer(tables[i], pointers[i]);
        tuplestore_rescan(tables[i]);
        slots[i] = MakeSingleTupleTableSlot(shape, &TTSOpsMinimalTuple);
    }
    bool keeps = true;
    while (keeps) {
        CHECK_FOR_INTERRUPTS();
        bool has[2];
        Datum values[2];
        bool nulls[2];
        for (int i = 0; i < 2; ++i) {
            tuplestore_select_read_pointer(tables[i], pointers[i]);
            has[i] = tuplestore_gettupleslot(tables[i], true, false, slots[i]);
            if (has[i]) values[i] = slot_getattr(slots[i], column, &nulls[i]);
        }
        if (!has[0] && !has[1]) break;
        keeps = has[0] && has[1] && nulls[0] == nulls[1] &&
                (nulls[0] || datumIsEqual(values[0], values[1], attribute->attbyval, attribute->attlen));
    }
    for (TupleTableSlot* slot : slots) ExecDropSingleTupleTableSlot(slot);
    return keeps;
}

Oid count_documents() {
    Oid none[] = {InvalidOid};
    oidvector* arguments = buildoidvector(none, 0);
    return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("count_documents"), PointerGetDatum(arguments),
                           ObjectIdGetDatum(get_namespace_oid("tenancy", false)));
}

} // namespace

namespace tenancy::metering {

void watch_drops() {
    next_hook = object_access_hook;
    object_access_hook = at_access;
}

} // namespace tenancy::metering

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_tenant_keys_of);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_counted_column);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_before_drop);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_count_updates);

PGDLLEXPORT Datum tenancy_tenant_keys_of(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    Relation table = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
    if (table == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", PG_GETARG_OID(0))));
    AttrNumber column = PG_GETARG_INT16(1);
    if (table->rd_rel->relkind == RELKIND_RELATION && column > 0 && column <= RelationGetNumberOfAttributes(table)) {
        Oid type = TupleDescAttr(RelationGetDescr(table), column - 1)->atttypid;
        if (!is_tenant_type(type))
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("column %d of relation \"%s\" is not of a type that a tenant column has", column,
                                   RelationGetRelationName(table))));
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(type, &output, &is_varlena);

        MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "tenant keys", ALLOCSET_SMALL_SIZES);
        Snapshot now = RegisterSnapshot(GetLatestSnapshot());
        TableScanDesc scan = table_beginscan(table, now, 0, nullptr);
        TupleTableSlot* slot = table_slot_create(table, nullptr);
        while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
            CHECK_FOR_INTERRUPTS();
            MemoryContext before = MemoryContextSwitchTo(per_row);
            bool is_null;
            Datum value = slot_getattr(slot, column, &is_null);
            if (!is_null) {
                Datum key = CStringGetTextDatum(OidOutputFunctionCall(output, value));
                bool no_null = false;
                tuplestore_putvalues(result->setResult, result->setDesc, &key, &no_null);
            }
            MemoryContextSwitchTo(before);
            MemoryContextReset(per_row);
        }
        ExecDropSingleTupleTableSlot(slot);
        table_endscan(scan);
        UnregisterSnapshot(now);
        MemoryContextDelete(per_row);
    }
    relation_close(table, AccessShareLock);
    return Datum{0};
}

PGDLLEXPORT Datum tenancy_counted_column(PG_FUNCTION_ARGS) {
    AttrNumber column = counted_column(PG_GETARG_OID(0));
    if (column == InvalidAttrNumber) PG_RETURN_NULL();
    PG_RETURN_INT16(column);
}

PGDLLEXPORT Datum tenancy_count_updates(PG_FUNCTION_ARGS) {
    auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if (!CALLED_AS_TRIGGER(fcinfo) || !trigger->tg_oldtable || !trigger->tg_newtable)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("tenancy.count_updates() is installed by tenancy.meter_documents() only")));
    AttrNumber column = counted_column(RelationGetRelid(trigger->tg_relation));
    if (column == InvalidAttrNumber || keeps_tenants(trigger, column)) return PointerGetDatum(nullptr);
    FmgrInfo call;
    fmgr_info(count_documents(), &call);
    LOCAL_FCINFO(inner, 0);
    InitFunctionCallInfoData(*inner, &call, 0, InvalidOid, fcinfo->context, nullptr);
    return FunctionCallInvoke(inner);
}

/// Loads the library, whose hook does the rest, into sessions that had no need of it yet.
PGDLLEXPORT Datum tenancy_before_drop(PG_FUNCTION_ARGS) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("tenancy.before_drop() can only be called as an event trigger")));
    Node* tree = reinterpret_cast<const EventTriggerData*>(fcinfo->context)->parsetree;
    is_dropping_extension = tree && IsA(tree, DropStmt) && reinterpret_cast<DropStmt*>(tree)->removeType == OBJECT_EXTENSION;
    return PointerGetDatum(nullptr);
}
}
