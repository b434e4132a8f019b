// What users call of the functions that act with the rights of the extension's owner. The implementation, SECURITY DEFINER in the
// schema tenancy_internal, no longer knows who called it: the current role is then the owner. So this function, an invoker, stands
// before each of them under the same name in the schema tenancy. It notes the current role as the caller and goes on. Triggers are
// called the same way.

#include "context/caller.hpp"
#include "pg/prelude.hpp"

extern "C" {
#include "utils/regproc.h"
}

namespace {

/// The implementation of the entry function that a call site names. Lives as long as the call site.
struct implementation {
    uint64 generation;
    Oid owner;
    FmgrInfo call;
};

/// Counts what may have changed in pg_proc.
uint64 generation = 0;

void functions_changed(Datum, int, uint32) { ++generation; }

void look_up(FmgrInfo* entry, implementation& found) {
    uint64 looked_up = generation;
    HeapTuple entry_tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(entry->fn_oid));
    if (!HeapTupleIsValid(entry_tuple)) elog(ERROR, "cache lookup failed for function %u", entry->fn_oid);
    auto* entry_row = reinterpret_cast<Form_pg_proc>(GETSTRUCT(entry_tuple));
    HeapTuple tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(NameStr(entry_row->proname)),
                                      PointerGetDatum(&entry_row->proargtypes),
                                      ObjectIdGetDatum(get_namespace_oid("tenancy_internal", false)));
    auto* row = HeapTupleIsValid(tuple) ? reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple)) : nullptr;
    // Nobody but the owner of the extension chooses what runs here.
    if (row == nullptr || !row->prosecdef || row->proowner != entry_row->proowner ||
        row->prorettype != entry_row->prorettype || row->proretset != entry_row->proretset)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
                        errmsg("function %s has no implementation in schema tenancy_internal", format_procedure(entry->fn_oid)),
                        errhint("Create the extension's function again with tenancy_internal.expose().")));
    found.owner = row->proowner;
    Oid function = row->oid;
    ReleaseSysCache(tuple);
    ReleaseSysCache(entry_tuple);
    fmgr_info_cxt(function, &found.call, entry->fn_mcxt);
    fmgr_info_set_expr(entry->fn_expr, &found.call);
    found.generation = looked_up;
}

implementation& implementation_of(FmgrInfo* entry) {
    auto* known = static_cast<implementation*>(entry->fn_extra);
    if (known == nullptr) {
        static bool is_registered = false;
        if (!is_registered) CacheRegisterSyscacheCallback(PROCOID, functions_changed, Datum{0});
        is_registered = true;
        known = static_cast<implementation*>(MemoryContextAllocZero(entry->fn_mcxt, sizeof(implementation)));
        look_up(entry, *known);
        entry->fn_extra = known;
    } else if (known->generation != generation) {
        look_up(entry, *known);
    }
    return *known;
}

} // namespace

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_entry);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_caller);

PGDLLEXPORT Datum tenancy_entry(PG_FUNCTION_ARGS) {
    implementation& target = implementation_of(fcinfo->flinfo);
    LOCAL_FCINFO(inner, FUNC_MAX_ARGS);
    InitFunctionCallInfoData(*inner, &target.call, fcinfo->nargs, fcinfo->fncollation, fcinfo->context, fcinfo->resultinfo);
    std::memcpy(inner->args, fcinfo->args, sizeof(NullableDatum) * fcinfo->nargs);
    // All rows at once: a call that comes back for each row would do so without its caller being noted.
    auto* rows = fcinfo->flinfo->fn_retset ? reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo) : nullptr;
    if (rows != nullptr && IsA(rows, ReturnSetInfo)) rows->allowedModes |= SFRM_Materialize_Preferred;
    Datum result;
    tenancy::context::for_caller(target.owner, [&] { result = FunctionCallInvoke(inner); });
    if (rows != nullptr && rows->returnMode != SFRM_Materialize)
        elog(ERROR, "function %u does not return all its rows at once", target.call.fn_oid);
    fcinfo->isnull = inner->isnull;
    return result;
}

PGDLLEXPORT Datum tenancy_caller(PG_FUNCTION_ARGS) { PG_RETURN_OID(tenancy::context::caller()); }
}
