// The trigger behind tenancy.audit(): statement-level, with transition tables.
//
// The rows are turned into JSON as whoever changed them: a column's type may bring a cast of its owner's, which must not run
// with more rights. Only what is then plain jsonb is written as the extension's owner. The two transition tables hold the
// rows of an UPDATE in the same order, which is how an old row finds its new one even where its key changed.

#include "context/caller.hpp"
#include "pg/guard.hpp"
#include "pg/json.hpp"
#include "restore/restoring.hpp"

namespace {

using namespace tenancy;

constexpr long rows_at_once = 500;

/// The rows of a transition table as JSON: the columns that jsonb can hold for certain together in one jsonb, each other one
/// as json behind it. Their names are the application's, so what they say never stands alone in the statement: a column
/// that is called like an alias is not taken for the row.
struct row_query {
    StringInfoData text;
    int json_columns = 0;
    const char** names = nullptr; ///< of the columns that come as json
};

/// Whether the JSON of a type may be something that jsonb cannot hold, such as \u0000: json itself and what may be made of it,
/// or have a cast to it.
bool may_not_fit(Oid type) { return type == JSONOID || type == JSONARRAYOID || type >= FirstNormalObjectId; }

row_query query_of(TupleDesc columns, const char* transition_table) {
    row_query query;
    transition_table = quote_identifier(transition_table);
    query.names = static_cast<const char**>(palloc(sizeof(char*) * (columns->natts + 1)));
    StringInfoData certain, others;
    initStringInfo(&certain);
    initStringInfo(&others);
    for (int i = 0; i < columns->natts; ++i) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped) continue;
        const char* name = quote_identifier(NameStr(column->attname));
        if (may_not_fit(column->atttypid)) {
            query.names[query.json_columns++] = pstrdup(NameStr(column->attname));
            appendStringInfo(&others, ", pg_catalog.to_json(r.%s)", name);
        } else {
            appendStringInfo(&certain, "%sr.%s", certain.len > 0 ? ", " : "", name);
        }
    }
    initStringInfo(&query.text);
    if (query.json_columns == 0)
        appendStringInfo(&query.text, "SELECT pg_catalog.to_jsonb(r.*) FROM %s AS r", transition_table);
    else
        appendStringInfo(&query.text, "SELECT pg_catalog.to_jsonb(x.*)%s FROM %s AS r CROSS JOIN LATERAL (SELECT %s) AS x",
                         others.data, transition_table, certain.data);
    return query;
}

/// A json as jsonb, or where jsonb cannot hold it, its text as a string.
void to_jsonb_or_text(Datum json, JsonbValue& into) {
    char* written = TextDatumGetCString(json);
    Datum converted;
    if (pg::to_jsonb(written, converted)) {
        JsonbToJsonbValue(DatumGetJsonbP(converted), &into);
    } else {
        into.type = jbvString;
        into.val.string.val = written;
        into.val.string.len = static_cast<int>(std::strlen(written));
    }
}

Datum row_of(const row_query& query, HeapTuple tuple, TupleDesc descriptor) {
    bool is_null;
    Datum certain = SPI_getbinval(tuple, descriptor, 1, &is_null);
    if (is_null || SPI_gettypeid(descriptor, 1) != JSONBOID) elog(ERROR, "a row of a transition table is not jsonb");
    if (query.json_columns == 0) return certain;

    JsonbParseState* state = nullptr;
    pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
    for (int i = 0; i < query.json_columns; ++i) {
        JsonbValue name{};
        name.type = jbvString;
        name.val.string.val = const_cast<char*>(query.names[i]);
        name.val.string.len = static_cast<int>(std::strlen(query.names[i]));
        pushJsonbValue(&state, WJB_KEY, &name);
        JsonbValue value{};
        value.type = jbvNull;
        Datum json = SPI_getbinval(tuple, descriptor, i + 2, &is_null);
        if (!is_null) to_jsonb_or_text(json, value);
        pushJsonbValue(&state, WJB_VALUE, &value);
    }
    JsonbValue* others = pushJsonbValue(&state, WJB_END_OBJECT, nullptr);
    return DirectFunctionCall2(jsonb_concat, certain, JsonbPGetDatum(JsonbValueToJsonb(others)));
}

/// Some rows of a transition table as a jsonb[], in the caller's memory; null where there is no such table.
struct row_source {
    Portal portal;
    Datum* rows;
    int count;
    row_query query;
};

row_source open_source(Relation relation, const char* transition_table) {
    row_source source{};
    if (!transition_table) return source;
    source.query = query_of(RelationGetDescr(relation), transition_table);
    SPIPlanPtr plan = SPI_prepare(source.query.text.data, 0, nullptr);
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
    for (int i = 0; i < source.count; ++i)
        source.rows[i] = row_of(source.query, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
}

Datum to_array(const row_source& source) {
    return PointerGetDatum(construct_array(source.rows, source.count, JSONBOID, -1, false, TYPALIGN_INT));
}

void write_events(Oid relation, const char* action, const char* omitted, const row_source& before, const row_source& after) {
    Oid types[] = {REGCLASSOID, TEXTOID, TEXTOID, JSONBARRAYOID, JSONBARRAYOID};
    Datum values[] = {ObjectIdGetDatum(relation), CStringGetTextDatum(action), CStringGetTextDatum(omitted),
                      before.portal ? to_array(before) : Datum{0}, after.portal ? to_array(after) : Datum{0}};
    const char nulls[] = {' ', ' ', ' ', before.portal ? ' ' : 'n', after.portal ? ' ' : 'n', '\0'};

    static SPIPlanPtr plan = nullptr;
    if (!plan) {
        SPIPlanPtr prepared = SPI_prepare("SELECT tenancy.write_row_events($1, $2, $3::pg_catalog.text[], $4, $5)", 5, types);
        if (!prepared) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
        SPI_keepplan(prepared);
        plan = prepared;
    }
    int result = SPI_execute_plan(plan, values, nulls, false, 0);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute_plan returned %d", result);
}

/// Write as the extension's owner; the actor is whoever made the change.
void write(Oid relation, const char* action, const char* omitted, const row_source& before, const row_source& after) {
    tenancy::context::for_caller(BOOTSTRAP_SUPERUSERID, [&] {
        Oid writer;
        int security_context;
        GetUserIdAndSecContext(&writer, &security_context);
        SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security_context | SECURITY_LOCAL_USERID_CHANGE);
        write_events(relation, action, omitted, before, after);
        SetUserIdAndSecContext(writer, security_context);
    });
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
    // A dump holds the events of its rows.
    if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && tenancy::restore::is_restoring()) return PointerGetDatum(nullptr);

    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    if (SPI_register_trigger_data(trigger) < 0) elog(ERROR, "SPI_register_trigger_data failed");
    Oid relation = RelationGetRelid(trigger->tg_relation);
    const char* action = action_of(trigger->tg_event);
    const char* omitted = trigger->tg_trigger->tgargs[0];

    row_source before = open_source(trigger->tg_relation, trigger->tg_trigger->tgoldtable);
    row_source after = open_source(trigger->tg_relation, trigger->tg_trigger->tgnewtable);
    if (!before.portal && !after.portal) {
        write(relation, action, omitted, before, after);
    } else {
        for (;;) {
            CHECK_FOR_INTERRUPTS();
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
