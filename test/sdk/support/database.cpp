#include "support/database.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include <libpq-fe.h>
#include <unistd.h>

namespace tenancy_test {

const char* test_url() {
    const char* url = std::getenv("TENANCY_TEST_URL");
    return url && *url ? url : nullptr;
}

std::string with_settings(const std::string& base,
                          const std::vector<std::pair<std::string, std::string>>& settings) {
    char* problem = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options{
        PQconninfoParse(base.c_str(), &problem), &PQconninfoFree};
    if (!options) {
        const std::string text = problem ? problem : "out of memory";
        PQfreemem(problem);
        throw std::runtime_error{"TENANCY_TEST_URL: " + text};
    }
    const auto quoted = [](const std::string& value) {
        std::string text = "'";
        for (const char c : value) {
            if (c == '\'' || c == '\\')
                text += '\\';
            text += c;
        }
        return text + "'";
    };
    std::string result;
    for (const auto* option = options.get(); option->keyword; ++option) {
        bool replaced = false;
        for (const auto& setting : settings)
            replaced = replaced || setting.first == option->keyword;
        if (option->val && !replaced)
            result += std::string{option->keyword} + "=" + quoted(option->val) + " ";
    }
    for (const auto& [keyword, value] : settings)
        result += keyword + "=" + quoted(value) + " ";
    return result;
}

namespace {

void execute(const std::string& conninfo, const std::vector<std::string>& statements) {
    pqxx::connection c{conninfo};
    pqxx::nontransaction tx{c};
    tx.exec("SET client_min_messages = warning");
    for (const auto& statement : statements)
        tx.exec(statement);
}

std::string unique_name(const std::string& what) {
    return "tenancy_sdk_" + what + "_" + std::to_string(getpid());
}

// What all databases of this run are copied from, and the role they share; gone when the program ends.
class original {
public:
    original() {
        const std::string role = database::app_role();
        execute(test_url(),
                {"CREATE DATABASE " + name() + " TEMPLATE template0", "CREATE ROLE " + role + " LOGIN"});
        execute(with_settings(test_url(), {{"dbname", name()}}),
                {"CREATE EXTENSION tenancy CASCADE",
                 "SELECT tenancy.create_corpus(dimensions => " + std::to_string(database::dimensions) + ")",
                 "SELECT tenancy.grant_app('" + role + "')", "SELECT tenancy.create_tenant('acme')",
                 "SELECT tenancy.create_tenant('globex')"});
    }
    ~original() {
        try {
            execute(test_url(), {"DROP DATABASE IF EXISTS " + name() + " WITH (FORCE)",
                                 "DROP ROLE IF EXISTS " + database::app_role()});
        } catch (const std::exception& e) {
            std::fprintf(stderr, "cannot drop %s: %s\n", name().c_str(), e.what());
        }
    }
    original(const original&) = delete;
    original& operator=(const original&) = delete;

    static std::string name() { return unique_name("original"); }
};

} // namespace

std::string database::app_role() {
    return unique_name("app");
}

database::database() {
    static const original made;
    static std::atomic<int> counter{0};
    name_ = unique_name(std::to_string(++counter));
    superuser_ = with_settings(test_url(), {{"dbname", name_}});
    app_ = with_settings(test_url(), {{"dbname", name_}, {"user", app_role()}});
    execute(test_url(), {"CREATE DATABASE " + name_ + " TEMPLATE " + original::name()});
    acme_.emplace(run("SELECT id FROM tenancy.tenants WHERE slug = 'acme'"));
    globex_.emplace(run("SELECT id FROM tenancy.tenants WHERE slug = 'globex'"));
}

database::~database() {
    try {
        execute(test_url(), {"DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)"});
    } catch (const std::exception& e) {
        ADD_FAILURE() << "cannot drop database " << name_ << ": " << e.what();
    }
}

std::string database::run(const std::string& sql) const {
    pqxx::connection owner{superuser_};
    pqxx::nontransaction tx{owner};
    const auto result = tx.exec(sql);
    return result.empty() || result[0].size() == 0 || result[0][0].is_null() ? "" : result[0][0].c_str();
}

} // namespace tenancy_test
