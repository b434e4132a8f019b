#include "tenancy/transaction.hpp"

#include <memory>

namespace tenancy {

namespace detail {

std::string begin_sql(transaction_options options) {
    std::string sql = "BEGIN";
    switch (options.level) {
    case isolation::server_default:
        break;
    case isolation::read_committed:
        sql += " ISOLATION LEVEL READ COMMITTED";
        break;
    case isolation::repeatable_read:
        sql += " ISOLATION LEVEL REPEATABLE READ";
        break;
    case isolation::serializable:
        sql += " ISOLATION LEVEL SERIALIZABLE";
        break;
    }
    if (options.access == access::read_only)
        sql += " READ ONLY";
    else if (options.access == access::read_write)
        sql += " READ WRITE";
    return sql;
}

std::string set_context_sql(const pqxx::connection& c, const caller& who, bool local) {
    std::string sql;
    if (who.user()) {
        sql = "SELECT tenancy.enter('" + std::get<tenant_id>(who.tenant()).to_string() + "'::uuid, '" +
              who.user()->to_string() + "'::uuid";
    } else if (const auto* id = std::get_if<tenant_id>(&who.tenant())) {
        sql = "SELECT tenancy.set_tenant('" + id->to_string() + "'::uuid";
    } else {
        sql = "SELECT tenancy.set_tenant(" + c.quote(std::get<tenant_slug>(who.tenant()).str()) + "::text";
    }
    sql += local ? ")" : ", false)";
    return sql;
}

} // namespace detail

transaction::transaction(connection& c, const caller& who, transaction_options options)
    : pqxx::dbtransaction{c.native()}, connection_{c} {
    register_transaction();
    try {
        c.translating([&] {
            if (const auto what = detail::credential_of(who)) {
                tenant_.emplace(detail::begin_with_credential(c, detail::begin_sql(options), *what));
                return;
            }
            // One message: the server runs both statements before it answers.
            const auto result =
                direct_exec(detail::begin_sql(options) + "; " +
                            detail::set_context_sql(c.native(), who, true) TENANCY_PQXX_LOCATION_HERE);
            tenant_.emplace(result[0][0].c_str());
        });
    } catch (...) {
        abort(); // BEGIN may have succeeded; leave the connection as it was
        throw;
    }
}

transaction::transaction(connection& c, const tenant_id& tenant, transaction_options options, bool)
    : pqxx::dbtransaction{c.native()}, connection_{c}, tenant_{tenant} {
    register_transaction();
    try {
        c.translating([&] { direct_exec(detail::begin_sql(options) TENANCY_PQXX_LOCATION_HERE); });
    } catch (...) {
        abort();
        throw;
    }
}

transaction::~transaction() noexcept {
    close();
}

pqxx::result transaction::exec(const std::string& query) {
    return connection_.translating([&] { return pqxx::dbtransaction::exec(query); });
}

pqxx::result transaction::exec(const std::string& query, const pqxx::params& parameters) {
    return connection_.translating([&] { return detail::exec_params(*this, query, parameters); });
}

void transaction::commit() {
    connection_.translating([&] { pqxx::dbtransaction::commit(); });
}

void transaction::do_commit(TENANCY_PQXX_LOCATION_PARAMETER) {
    if (connection_.in_failed_transaction()) {
        direct_exec("ROLLBACK" TENANCY_PQXX_LOCATION_ARGUMENT);
        throw pqxx::failure{"cannot commit: a statement of this transaction failed, so it was rolled back"};
    }
    static const auto command = std::make_shared<std::string>("COMMIT");
    const auto in_doubt = [](const char* why) {
        return pqxx::in_doubt_error{
            std::string{"the connection was lost during COMMIT, so it is unknown whether the "
                        "transaction was committed: "} +
            why};
    };
    try {
        direct_exec(command TENANCY_PQXX_LOCATION_ARGUMENT);
    } catch (const pqxx::statement_completion_unknown& e) {
        throw in_doubt(e.what());
    } catch (const std::exception& e) {
        // An answer that says no is certain; a lost connection is not. FATAL errors come before the
        // connection is seen to be gone.
        const std::string& state = connection_.last_error().sqlstate;
        if (!connection_.is_open() || state.compare(0, 3, "57P") == 0 || state.compare(0, 2, "08") == 0)
            throw in_doubt(e.what());
        throw;
    }
}

} // namespace tenancy
