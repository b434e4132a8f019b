#include "pg/guard.hpp"

// DDL that the extension itself runs on tables of applications. Its event triggers tell it from the application's by a flag
// in this process, which no statement's text can raise.

namespace {

int running = 0;

/// The flag stands for one statement, however that ends.
struct own_statement {
    own_statement() noexcept { ++running; }
    ~own_statement() { --running; }
};

void execute(const char* statement) {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    int code = SPI_execute(statement, false, 0);
    if (code != SPI_OK_UTILITY)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("statement must be DDL"), errdetail("It is: %s", statement)));
    SPI_finish();
}

} // namespace

/// Run one DDL statement as the caller, as DDL of the extension.
TENANCY_FUNCTION(tenancy_run_own_ddl) {
    const char* statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
    own_statement raised;
    tenancy::pg::guarded([&] { execute(statement); });
    PG_RETURN_VOID();
}

/// Whether the statement under way is one of tenancy_run_own_ddl().
TENANCY_FUNCTION(tenancy_is_own_ddl) { PG_RETURN_BOOL(running > 0); }
