#include "guardrail/protected.hpp"

#include "context/row_lookup.hpp"
#include "context/settings.hpp"
#include "pg/arguments.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "utils/catcache.h"
}

namespace tenancy::guardrail {

namespace {

// Column numbers of sql/40_registry.sql and sql/43_paths.sql; columns are only ever appended there.
constexpr AttrNumber protected_tables_relation = 1, indirect_tables_relation = 1, indirect_tables_kind = 2;

bool is_registered(const char* table, const char* index, AttrNumber column, Oid relation, AttrNumber kind, Snapshot snapshot) {
    ScanKeyData key;
    ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    context::row_lookup row{table, index, snapshot, 1, &key};
    bool found = row.found() && (kind == InvalidAttrNumber || row.text_is(kind, "path"));
    row.close();
    return found;
}

} // namespace

bool is_protected(Oid relation) {
    Oid schema = get_namespace_oid("tenancy", true);
    // Half of the extension is there while its script runs.
    if (!OidIsValid(schema) || !OidIsValid(get_relname_relid("indirect_tables_pkey", schema))) return false;
    Snapshot snapshot = RegisterSnapshot(context::snapshot_of_now());
    bool found = is_registered("protected_tables", "protected_tables_pkey", protected_tables_relation, relation,
                               InvalidAttrNumber, snapshot) ||
                 is_registered("indirect_tables", "indirect_tables_pkey", indirect_tables_relation, relation,
                               indirect_tables_kind, snapshot);
    UnregisterSnapshot(snapshot);
    return found;
}

bool names_tenants(Oid role) {
    if (pg_parameter_aclcheck(context::parameter_tenant_id, role, ACL_SET) == ACLCHECK_OK) return true;
    Oid schema = get_namespace_oid("tenancy", true);
    bool may = false;
    for (const char* name : {"set_tenant", "enter"}) {
        CatCList* functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
        for (int i = 0; i < functions->n_members && !may; ++i) {
            auto* function = reinterpret_cast<Form_pg_proc>(GETSTRUCT(&functions->members[i]->tuple));
            may = function->pronamespace == schema && pg::may_execute(function->oid, role);
        }
        ReleaseSysCacheList(functions);
    }
    return may;
}

} // namespace tenancy::guardrail

TENANCY_FUNCTION(tenancy_names_tenants) {
    tenancy::pg::refuse_null(fcinfo, 0, "role");
    PG_RETURN_BOOL(tenancy::guardrail::names_tenants(PG_GETARG_OID(0)));
}
