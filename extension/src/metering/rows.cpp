// The tenant column of every row of a table, read without the planner: what a table's owner hung on it (index expressions,
// policies, rules) must not run with the rights of the extension's owner, who counts the rows.

#include "pg/guard.hpp"

namespace {

bool is_tenant_type(Oid type) {
    return type == UUIDOID || type == TEXTOID || type == VARCHAROID || type == INT8OID || type == INT4OID;
}

} // namespace

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_tenant_keys_of);

PGDLLEXPORT Datum tenancy_tenant_keys_of(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    Relation table = table_open(PG_GETARG_OID(0), AccessShareLock);
    AttrNumber column = PG_GETARG_INT16(1);
    if (table->rd_rel->relkind == RELKIND_RELATION && column > 0 && column <= RelationGetNumberOfAttributes(table)) {
        Oid type = TupleDescAttr(RelationGetDescr(table), column - 1)->atttypid;
        if (!is_tenant_type(type)) elog(ERROR, "type %u is not one of a tenant column", type);
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(type, &output, &is_varlena);

        MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "tenant keys", ALLOCSET_SMALL_SIZES);
        TableScanDesc scan = table_beginscan(table, GetActiveSnapshot(), 0, nullptr);
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
        MemoryContextDelete(per_row);
    }
    table_close(table, AccessShareLock);
    return Datum{0};
}
}
