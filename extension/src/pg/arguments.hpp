#pragma once

#include "pg/prelude.hpp"
#include "pure/uuid.hpp"

/// Arguments and results of SQL-callable functions.
namespace tenancy::pg {

/// For functions that are not STRICT, because a null is a mistake that should be said.
inline void refuse_null(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (!PG_ARGISNULL(argument)) return;
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
}

/// For trigger functions that look at no row: before or after a statement, where what they return is ignored. Before a row, a
/// null would keep it from being written.
inline void require_statement_trigger(FunctionCallInfo fcinfo, const char* name) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("%s can only be called as a trigger", name)));
    if (!TRIGGER_FIRED_FOR_STATEMENT(reinterpret_cast<TriggerData*>(fcinfo->context)->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("%s can only be fired for statements", name)));
}

inline uuid uuid_argument(FunctionCallInfo fcinfo, int argument) {
    uuid value;
    std::memcpy(value.bytes, PG_GETARG_UUID_P(argument)->data, sizeof value.bytes);
    return value;
}

/// The bytes of a text that PG_GETARG_TEXT_PP() gave.
inline std::string_view text_view(const text* value) {
    return {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
}

/// A uuid in the current memory context, as a function's result.
inline Datum uuid_copy(const uuid& value) {
    auto* copy = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
    std::memcpy(copy->data, value.bytes, sizeof value.bytes);
    return UUIDPGetDatum(copy);
}

} // namespace tenancy::pg
