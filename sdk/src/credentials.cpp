#include <memory>
#include <stdexcept>

#include <libpq-fe.h>

#include "tenancy/transaction.hpp"

namespace tenancy::detail {

namespace {

using result = std::unique_ptr<PGresult, decltype(&PQclear)>;

[[noreturn]] void throw_broken(PGconn* raw) {
    throw pqxx::broken_connection{PQerrorMessage(raw)};
}

bool send(PGconn* raw, const std::string& sql, const char* parameter) {
    return PQsendQueryParams(raw, sql.c_str(), parameter ? 1 : 0, nullptr, &parameter, nullptr, nullptr, 0) ==
           1;
}

[[noreturn]] void throw_error(const std::string& what, const std::string& sql, const diagnostics& info) {
    throw_if_tenancy_error(what, sql, info);
    if (info.sqlstate == "42501")
        throw pqxx::insufficient_privilege{what, sql, info.sqlstate.c_str()};
    throw pqxx::sql_error{what, sql, info.sqlstate.c_str()};
}

} // namespace

std::optional<credential> credential_of(const caller& who) {
    if (const auto* key = std::get_if<api_key_credential>(&who.tenant()))
        return credential{"enter_with_key", key->text};
    if (const auto* token = std::get_if<token_credential>(&who.tenant()))
        return credential{"enter_with_token", token->text};
    return std::nullopt;
}

std::string begin_with_credential(connection& c, const std::string& begin, const credential& what) {
    if (what.text.find('\0') != std::string::npos)
        throw std::invalid_argument{"a credential must not hold a zero byte"};
    PGconn* raw = c.raw_;
    if (!raw || PQstatus(raw) != CONNECTION_OK)
        throw pqxx::broken_connection{"the connection is closed"};
    // A pipeline: a simple message could hold both statements, but no parameter.
    const std::string sql = std::string{"SELECT tenancy."} + what.function + "($1)";
    if (!PQenterPipelineMode(raw))
        throw pqxx::failure{PQerrorMessage(raw)};
    if (!send(raw, begin, nullptr) || !send(raw, sql, what.text.c_str()) || !PQpipelineSync(raw))
        throw_broken(raw);

    std::string tenant, failure;
    diagnostics info;
    for (bool synchronized = false; !synchronized;) {
        const result answer{PQgetResult(raw), &PQclear};
        if (PQstatus(raw) != CONNECTION_OK)
            throw_broken(raw);
        if (!answer)
            continue; // the end of one statement's results
        switch (PQresultStatus(answer.get())) {
        case PGRES_PIPELINE_SYNC:
            synchronized = true;
            break;
        case PGRES_TUPLES_OK:
            if (PQntuples(answer.get()) == 1)
                tenant = PQgetvalue(answer.get(), 0, 0);
            break;
        case PGRES_FATAL_ERROR:
            failure = PQresultErrorMessage(answer.get());
            info = c.last_error();
            break;
        default:
            break; // BEGIN, and what follows an error
        }
    }
    PQexitPipelineMode(raw);
    if (!failure.empty())
        throw_error(failure, sql, info);
    return tenant;
}

} // namespace tenancy::detail
