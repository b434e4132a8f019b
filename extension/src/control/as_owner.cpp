#include "control/as_owner.hpp"

#include "context/caller.hpp"
#include "pg/guard.hpp"
#include "pg/json.hpp"

extern "C" {
#include "utils/json.h"
#include "utils/tuplestore.h"
}

namespace tenancy::control {

identity_before become_owner(Oid relation) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relation)));
    auto* row = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    Oid owner = row->relowner;
    Oid schema = row->relnamespace;
    ReleaseSysCache(tuple);

    identity_before before;
    GetUserIdAndSecContext(&before.user, &before.security_context);
    SetUserIdAndSecContext(owner, before.security_context | SECURITY_LOCAL_USERID_CHANGE |
                                      SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
    before.nest_level = NewGUCNestLevel();
    // Names in triggers that bring no search_path of their own: the table's schema, and nothing that others can put
    // before it.
    const char* name = get_namespace_name(schema);
    if (name == nullptr) elog(ERROR, "cache lookup failed for namespace %u", schema);
    set_config_option("search_path", psprintf("%s, pg_temp", quote_identifier(name)), PGC_USERSET, PGC_S_SESSION,
                      GUC_ACTION_SAVE, true, 0, false);
    return before;
}

void require_columns(Portal from, const Oid* types, int count) {
    int given = from->tupDesc ? from->tupDesc->natts : 0;
    if (given != count)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("statement must give %d columns, not %d", count, given)));
    for (int i = 0; i < count; ++i) {
        Oid type = TupleDescAttr(from->tupDesc, i)->atttypid;
        if (type != types[i])
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("column %d of the statement must be of type %s, not %s", i + 1, format_type_be(types[i]),
                                   format_type_be(type))));
    }
}

void become_again(const identity_before& before) {
    AtEOXact_GUC(false, before.nest_level);
    SetUserIdAndSecContext(before.user, before.security_context);
}

} // namespace tenancy::control

namespace {

using namespace tenancy;
using namespace tenancy::control;

void connect_spi() {
    int code = SPI_connect();
    if (code != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(code));
}

} // namespace

/// Run a query that gives one bigint, as the owner of a table.
TENANCY_FUNCTION(tenancy_run_as_owner) {
    char* statement = text_to_cstring(PG_GETARG_TEXT_PP(1));
    connect_spi();
    identity_before before = become_owner(PG_GETARG_OID(0));
    int code = SPI_execute(statement, false, 0);
    if (code != SPI_OK_SELECT || SPI_processed != 1 || SPI_gettypeid(SPI_tuptable->tupdesc, 1) != INT8OID)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("statement must give one bigint"),
                        errdetail("It is: %s", statement)));
    bool is_null;
    int64 result = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
    become_again(before);
    SPI_finish();
    PG_RETURN_INT64(result);
}

/// Have constraints and triggers wait for the end of the transaction no longer. Those that wait already fire now, as the caller,
/// as for a SET CONSTRAINTS of its own.
TENANCY_FUNCTION(tenancy_end_waiting) {
    Oid user;
    int security_context;
    GetUserIdAndSecContext(&user, &security_context);
    connect_spi();
    SetUserIdAndSecContext(tenancy::context::caller(), security_context | SECURITY_LOCAL_USERID_CHANGE);
    int code = SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0);
    if (code != SPI_OK_UTILITY) elog(ERROR, "SPI_execute returned %d", code);
    SetUserIdAndSecContext(user, security_context);
    SPI_finish();
    PG_RETURN_VOID();
}

namespace {

/// Values are written as who reads them elsewhere must take them, whatever the caller set. Ends with become_again().
void write_plainly() {
    constexpr const char* settings[][2] = {{"DateStyle", "ISO, YMD"},   {"IntervalStyle", "postgres"}, {"TimeZone", "UTC"},
                                           {"extra_float_digits", "1"}, {"bytea_output", "hex"},       {"lc_monetary", "C"}};
    for (const auto& [name, value] : settings)
        set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/// Whether a JSON text may be one that jsonb cannot hold. Text, names of types and dates are not looked at: they hold no escape
/// that jsonb would refuse.
bool may_not_fit(const char* json) {
    switch (*json) {
    case '{':
    case '[':
        return true;
    case '"':
        return std::strstr(json, "\\u") != nullptr;
    case 't':
    case 'f':
    case 'n':
        return false;
    default:
        return std::strpbrk(json, "eE") != nullptr || std::strlen(json) > 1000;
    }
}

/// A row whose columns are json as one object; of what jsonb cannot hold the text, as a string.
Datum object_of(HeapTuple tuple, TupleDesc columns) {
    StringInfoData object;
    initStringInfo(&object);
    for (int i = 0; i < columns->natts; ++i) {
        appendStringInfoString(&object, i == 0 ? "{" : ",");
        escape_json(&object, NameStr(TupleDescAttr(columns, i)->attname));
        appendStringInfoChar(&object, ':');
        bool is_null;
        Datum value = SPI_getbinval(tuple, columns, i + 1, &is_null);
        char* json = is_null ? pstrdup("null") : TextDatumGetCString(value);
        Datum ignored;
        if (may_not_fit(json) && !pg::to_jsonb(json, ignored))
            escape_json(&object, json);
        else
            appendStringInfoString(&object, json);
    }
    appendStringInfoString(&object, columns->natts == 0 ? "{}" : "}");
    return PointerGetDatum(cstring_to_text_with_len(object.data, object.len));
}

} // namespace

/// The rows of a query whose columns are json, each as an object, run as the owner of a table under the snapshot of the query
/// around.
TENANCY_FUNCTION(tenancy_rows_as_owner) {
    constexpr long batch = 256;

    char* statement = text_to_cstring(PG_GETARG_TEXT_PP(1));
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);

    connect_spi();
    identity_before before = become_owner(PG_GETARG_OID(0));
    write_plainly();
    MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "tenancy exported row", ALLOCSET_DEFAULT_SIZES);
    Portal portal = SPI_cursor_open_with_args(nullptr, statement, 0, nullptr, nullptr, nullptr, true, 0);
    for (int i = 0; portal->tupDesc && i < portal->tupDesc->natts; ++i) {
        Oid type = TupleDescAttr(portal->tupDesc, i)->atttypid;
        if (type != JSONOID)
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("column %d of the statement must be of type json, not %s", i + 1, format_type_be(type))));
    }
    do {
        SPI_cursor_fetch(portal, true, batch);
        CHECK_FOR_INTERRUPTS();
        for (uint64 i = 0; i < SPI_processed; ++i) {
            MemoryContext around = MemoryContextSwitchTo(scratch);
            bool is_null = false;
            Datum row = object_of(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
            tuplestore_putvalues(result->setResult, result->setDesc, &row, &is_null);
            MemoryContextSwitchTo(around);
            MemoryContextReset(scratch);
        }
        SPI_freetuptable(SPI_tuptable);
    } while (SPI_processed > 0);
    SPI_cursor_close(portal);
    MemoryContextDelete(scratch);
    become_again(before);
    SPI_finish();
    PG_RETURN_NULL();
}
