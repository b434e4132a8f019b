#include "support/database.hpp"

#include <atomic>
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

database::database() {
    static std::atomic<int> counter{0};
    const std::string suffix = std::to_string(getpid()) + "_" + std::to_string(++counter);
    name_ = "tenancy_sdk_" + suffix;
    role_ = "tenancy_sdk_app_" + suffix;
    superuser_ = with_settings(test_url(), {{"dbname", name_}});
    app_ = with_settings(test_url(), {{"dbname", name_}, {"user", role_}});
    {
        pqxx::connection admin{test_url()};
        pqxx::nontransaction tx{admin};
        tx.exec("CREATE DATABASE " + name_ + " TEMPLATE template0");
        tx.exec("CREATE ROLE " + role_ + " LOGIN");
    }
    pqxx::connection owner{superuser_};
    pqxx::nontransaction tx{owner};
    tx.exec("SET client_min_messages = warning");
    tx.exec("CREATE EXTENSION tenancy CASCADE");
    tx.exec("SELECT tenancy.create_corpus(dimensions => " + std::to_string(dimensions) + ")");
    tx.exec("SELECT tenancy.grant_app('" + role_ + "')");
    acme_.emplace(tx.exec("SELECT tenancy.create_tenant('acme')")[0][0].c_str());
    globex_.emplace(tx.exec("SELECT tenancy.create_tenant('globex')")[0][0].c_str());
}

database::~database() {
    try {
        pqxx::connection admin{test_url()};
        pqxx::nontransaction tx{admin};
        tx.exec("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
        tx.exec("DROP ROLE IF EXISTS " + role_);
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
