// Changing a row that tables of others refer to.
//
// PostgreSQL carries out what a foreign key says, such as ON DELETE CASCADE, as the owner of the table that refers. The AFTER triggers that
// this sets off wait for the end of the statement, though, and run as whoever that is. In a statement with the rights of the
// extension's owner an owner's trigger would have them too, and so would a deferred one with those of who commits.

#include "pg/arguments.hpp"
#include "pg/prelude.hpp"

extern "C" {
#include "utils/plancache.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_change_referred);

/// Run a statement with two parameters, a uuid and a text. What its foreign keys and triggers do runs as another role, in a
/// security-restricted operation, in which no trigger can be put off.
PGDLLEXPORT Datum tenancy_change_referred(PG_FUNCTION_ARGS) {
    constexpr int parameters = 2;
    tenancy::pg::refuse_null(fcinfo, 0, "statement");
    tenancy::pg::refuse_null(fcinfo, 3, "triggers_as");
    tenancy::pg::refuse_null(fcinfo, 4, "search_path");
    const char* statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
    Oid types[parameters] = {UUIDOID, TEXTOID};
    ParamListInfo values = makeParamList(parameters);
    for (int i = 0; i < parameters; ++i)
        values->params[i] = {PG_GETARG_DATUM(i + 1), PG_ARGISNULL(i + 1), PARAM_FLAG_CONST, types[i]};
    Oid triggers_as = PG_GETARG_OID(3);
    const char* search_path = text_to_cstring(PG_GETARG_TEXT_PP(4));

    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    SPIPlanPtr plan = SPI_prepare(statement, parameters, types);
    if (plan == nullptr) elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    CachedPlan* planned = SPI_plan_get_cached_plan(plan);
    if (planned == nullptr || linitial_node(PlannedStmt, planned->stmt_list)->commandType == CMD_UTILITY)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not one statement that changes rows: %s", statement)));
    (void)GetUserNameFromId(triggers_as, false); // raises for a role that does not exist
    PushActiveSnapshot(GetTransactionSnapshot());
    QueryDesc* query = CreateQueryDesc(linitial_node(PlannedStmt, planned->stmt_list), statement, GetActiveSnapshot(), InvalidSnapshot,
                                       None_Receiver, values, nullptr, 0);
    ExecutorStart(query, 0);
    tenancy::pg::run_to_end(query);

    Oid user;
    int security_context;
    GetUserIdAndSecContext(&user, &security_context);
    SetUserIdAndSecContext(triggers_as, security_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    int nest_level = NewGUCNestLevel();
    set_config_option("search_path", search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    ExecutorFinish(query);
    AtEOXact_GUC(false, nest_level);
    SetUserIdAndSecContext(user, security_context);

    ExecutorEnd(query);
    FreeQueryDesc(query);
    PopActiveSnapshot();
    ReleaseCachedPlan(planned, nullptr);
    SPI_finish();
    PG_RETURN_VOID();
}
}
