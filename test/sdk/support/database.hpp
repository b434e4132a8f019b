#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tenancy/tenancy.hpp"

namespace tenancy_test {

/// The superuser's connection string from TENANCY_TEST_URL, or null.
const char* test_url();

/// A connection string like @a base with other values, such as {"dbname", "x"}.
std::string with_settings(const std::string& base,
                          const std::vector<std::pair<std::string, std::string>>& settings);

/// A database of one test with the extension, an application role, two tenants and a corpus; dropped at the
/// end.
class database {
public:
    static constexpr int dimensions = 16;

    database();
    ~database();
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    [[nodiscard]] const std::string& superuser() const { return superuser_; }
    [[nodiscard]] const std::string& app() const { return app_; }
    [[nodiscard]] static std::string app_role();
    [[nodiscard]] const std::string& name() const { return name_; }

    [[nodiscard]] tenancy::tenant_id acme() const { return *acme_; }
    [[nodiscard]] tenancy::tenant_id globex() const { return *globex_; }

    /// Runs SQL as the superuser and returns the first field of the result as text, or "".
    std::string run(const std::string& sql) const;

private:
    std::string name_, superuser_, app_;
    std::optional<tenancy::tenant_id> acme_, globex_;
};

/// Base of the tests that need a server.
class live : public ::testing::Test {
protected:
    void SetUp() override {
        if (!test_url())
            GTEST_SKIP()
                << "TENANCY_TEST_URL is not set: it names a superuser's connection, such as the output of "
                   "`scripts/cluster url NAME`";
        db_ = std::make_unique<database>();
    }
    void TearDown() override { db_.reset(); }

    [[nodiscard]] database& db() const { return *db_; }

private:
    std::unique_ptr<database> db_;
};

} // namespace tenancy_test
