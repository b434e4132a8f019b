// The trigger behind tenancy.audit(): statement-level, with transition tables.
//
// The rows are turned into JSON as whoever changed them: a column's type may bring a cast of its owner's, which must not run
// with more rights. Only what is then plain jsonb is written as the extension's owner. The two transition tables hold the
// rows of an UPDATE in the same order, which is how an old row finds its new one even where its key changed.

#include "pg/guard.hpp"

namespace {

constexpr long rows_at_once = 500;

/// Some rows of a transition table as a jsonb[], in the caller's memory; null where there is no such table.
struct row_source {
    Portal portal;
    Datum* rows;
    int count;
};

row_source open_source(bool exists, const char* query) {
    row_source source{nullptr, nullptr, 0};
    if (!exists) return source;
    SPIPlanPtr plan = SPI_prepare(query, 0, nullptr);
    if (!plan) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    source.portal = SPI_cursor_open(nullptr, plan, nullptr, nullptr, true);
    return source;
}

void fetch(row_source& source) {
    source.count = 0;
    if (!source.portal) return;
    SPI_cursor_fetch(source.portal, true, rows_at_once);
    source.count = static_cast<int>(SPI_processed);
    source.rows = static_cast<Datum*>(palloc(sizeof(Datum) * (SPI_processed + 1)));
    for (int i = 0; i < source.count; ++i) {
        bool is_null;
        source.rows[i] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &is_null);
    }
}

Datum to_array(const row_source& source) {
    return PointerGetDatum(construct_array(source.rows, source.count, JSONBOID, -1, false, TYPALIGN_INT));
}

void write(Oid relation, const char* action, const char* omitted, const row_source& before, const row_source& after) {
    Oid types[] = {REGCLASSOID, TEXTOID, TEXTOID, JSONBARRAYOID, JSONBARRAYOID};
    Datum values[] = {ObjectIdGetDatum(relation), CStringGetTextDatum(action), CStringGetTextDatum(omitted),
                      before.portal ? to_array(before) : Datum{0}, after.portal ? to_array(after) : Datum{0}};
    const char nulls[] = {' ', ' ', ' ', before.portal ? ' ' : 'n', after.portal ? ' ' : 'n', '\0'};

    Oid caller;
    int security_context;
    GetUserIdAndSecContext(&caller, &security_context);
    SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security_context | SECURITY_LOCAL_USERID_CHANGE);
    static SPIPlanPtr plan = nullptr;
    if (!plan) {
        SPIPlanPtr prepared = SPI_prepare("SELECT tenancy.write_row_events($1, $2, $3::pg_catalog.text[], $4, $5)", 5, types);
        if (!prepared) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
        SPI_keepplan(prepared);
        plan = prepared;
    }
    int result = SPI_execute_plan(plan, values, nulls, false, 0);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute_plan returned %d", result);
    SetUserIdAndSecContext(caller, security_context);
}

const char* action_of(TriggerEvent event) {
    if (TRIGGER_FIRED_BY_INSERT(event)) return "insert";
    if (TRIGGER_FIRED_BY_UPDATE(event)) return "update";
    if (TRIGGER_FIRED_BY_DELETE(event)) return "delete";
    return "truncate";
}

} // namespace

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_audit_rows);

PGDLLEXPORT Datum tenancy_audit_rows(PG_FUNCTION_ARGS) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("tenancy.audit_rows() can only be called as a trigger")));
    auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
        trigger->tg_trigger->tgnargs != 1)
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("tenancy.audit_rows() is installed by tenancy.audit() only")));

    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    if (SPI_register_trigger_data(trigger) < 0) elog(ERROR, "SPI_register_trigger_data failed");
    Oid relation = RelationGetRelid(trigger->tg_relation);
    const char* action = action_of(trigger->tg_event);
    const char* omitted = trigger->tg_trigger->tgargs[0];

    row_source before = open_source(trigger->tg_trigger->tgoldtable, "SELECT pg_catalog.to_jsonb(r) FROM old_rows r");
    row_source after = open_source(trigger->tg_trigger->tgnewtable, "SELECT pg_catalog.to_jsonb(r) FROM new_rows r");
    if (!before.portal && !after.portal) {
        write(relation, action, omitted, before, after);
    } else {
        for (;;) {
            fetch(before);
            fetch(after);
            if (before.count == 0 && after.count == 0) break;
            write(relation, action, omitted, before, after);
        }
    }
    SPI_finish();
    return PointerGetDatum(nullptr);
}
}
