#include "pg/worker_session.hpp"

#include "pg/prelude.hpp"

namespace tenancy::pg {

namespace {

struct setting {
    const char* name;
    const char* value;
};

constexpr setting pinned[] = {
    {"search_path", "pg_catalog, pg_temp"},
    {"row_security", "on"},
    {"session_replication_role", "origin"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"default_transaction_deferrable", "off"},
    {"statement_timeout", "0"},
    {"lock_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
    {"idle_session_timeout", "0"},
#if PG_VERSION_NUM >= 170000
    {"transaction_timeout", "0"},
#endif
    {"check_function_bodies", "on"},
    {"standard_conforming_strings", "on"},
    {"transform_null_equals", "off"},
    {"array_nulls", "on"},
    {"quote_all_identifiers", "off"},
    {"DateStyle", "ISO, MDY"},
    {"IntervalStyle", "postgres"},
    {"bytea_output", "hex"},
    {"xmloption", "content"},
};

bool says_who(const char* name) {
    return std::strcmp(name, "session_authorization") == 0 || std::strcmp(name, "role") == 0;
}

bool comes_from_database(const config_generic& one) {
    return one.source >= PGC_S_GLOBAL && one.source <= PGC_S_DATABASE_USER;
}

/// Those of the start of a session (PGC_BACKEND and before) have had their effect, and only a superuser may give them.
bool may_change(const config_generic& one) { return one.context == PGC_SUSET || one.context == PGC_USERSET; }

/// The value that the server has for a setting when nobody configures it, as SET takes it.
const char* built_in_value(config_generic* one) {
    switch (one->vartype) {
    case PGC_BOOL:
        return reinterpret_cast<config_bool*>(one)->boot_val ? "on" : "off";
    case PGC_INT:
        return psprintf("%d", reinterpret_cast<config_int*>(one)->boot_val);
    case PGC_REAL:
        return psprintf("%.17g", reinterpret_cast<config_real*>(one)->boot_val);
    case PGC_ENUM: {
        auto* choice = reinterpret_cast<config_enum*>(one);
        return config_enum_lookup_by_value(choice, choice->boot_val);
    }
    case PGC_STRING:
        break;
    }
    // A setting of a library that is not loaded yet is a string without one; what it means is said when the library comes.
    const char* text = reinterpret_cast<config_string*>(one)->boot_val;
    return text ? text : "";
}

void assign(const char* name, const char* value, int level) {
    set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET, true, level, false);
}

} // namespace

void pin_worker_session() {
    StartTransactionCommand();
    // Who it is comes first: the others are for a superuser to set.
    assign("role", "none", ERROR);
    assign("session_authorization", GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false), ERROR);
    CommitTransactionCommand();

    StartTransactionCommand();
#if PG_VERSION_NUM >= 160000
    int count = 0;
    config_generic** all = get_guc_variables(&count);
#else
    int count = GetNumConfigOptions();
    config_generic** all = get_guc_variables();
#endif
    for (int i = 0; i < count; ++i)
        if (comes_from_database(*all[i]) && may_change(*all[i]) && !says_who(all[i]->name))
            assign(all[i]->name, built_in_value(all[i]), WARNING);
    for (const setting& one : pinned) assign(one.name, one.value, ERROR);
    CommitTransactionCommand();
}

} // namespace tenancy::pg
