#include "support/database.hpp"

namespace {

using namespace tenancy_test;
using tenancy::connection;

class connections : public live {};

// What a pooler that tracks parameters lives on: the server tells the client whenever the tenant changes, also where a
// transaction's end or a rollback changes it back.
TEST_F(connections, the_server_reports_the_tenant) {
    connection c{db().app()};
    EXPECT_EQ(c.reported_tenant(), "");
    pqxx::nontransaction tx{c.native()};
    const auto told_after = [&](const std::string& sql) {
        tx.exec(sql);
        return c.reported_tenant();
    };
    const auto acme = db().acme().to_string();
    EXPECT_EQ(told_after("BEGIN"), "");
    EXPECT_EQ(told_after("SAVEPOINT before"), "");
    EXPECT_EQ(told_after("SELECT tenancy.set_tenant('acme')"), acme);
    EXPECT_EQ(told_after("ROLLBACK TO before"), "");
    EXPECT_EQ(told_after("SELECT tenancy.set_tenant('acme')"), acme);
    EXPECT_EQ(told_after("COMMIT"), "") << "a local tenant ends with its transaction";
    EXPECT_EQ(told_after("SELECT tenancy.set_tenant('globex', false)"), db().globex().to_string());
    EXPECT_EQ(told_after("RESET ALL"), "");
    EXPECT_EQ(told_after("SELECT tenancy.set_tenant('acme', false)"), acme);
    EXPECT_EQ(told_after("DISCARD ALL"), "");
}

TEST_F(connections, knows_its_state_without_asking) {
    connection c{db().app()};
    EXPECT_TRUE(c.is_open());
    EXPECT_TRUE(c.is_alive());
    EXPECT_TRUE(c.is_clean());
    {
        pqxx::nontransaction tx{c.native()};
        tx.exec("BEGIN");
        EXPECT_FALSE(c.is_clean());
        EXPECT_FALSE(c.in_failed_transaction());
        EXPECT_THROW(tx.exec("SELECT 1/0"), pqxx::sql_error);
        EXPECT_TRUE(c.in_failed_transaction());
        tx.exec("ROLLBACK");
    }
    EXPECT_TRUE(c.is_clean());
    {
        pqxx::nontransaction tx{c.native()};
        tx.exec("SELECT tenancy.set_tenant('acme', false)");
    }
    EXPECT_FALSE(c.is_clean()) << "a session with a tenant must not go back to a pool";
    EXPECT_EQ(c.reported_tenant(), db().acme().to_string());
    {
        pqxx::nontransaction tx{c.native()};
        tx.exec("SELECT tenancy.leave()");
    }
    EXPECT_TRUE(c.is_clean());
    EXPECT_EQ(c.reported_tenant(), "");
    c.close();
    EXPECT_FALSE(c.is_open());
    EXPECT_FALSE(c.is_alive());
    EXPECT_FALSE(c.is_clean());
    EXPECT_EQ(c.reported_tenant(), "");
    c.close();
}

TEST_F(connections, notices_that_the_server_hung_up) {
    connection c{db().app()};
    db().run("SELECT pg_terminate_backend(" + std::to_string(c.native().backendpid()) + ", 5000)");
    EXPECT_FALSE(c.is_alive());
    EXPECT_FALSE(c.is_clean());
}

TEST_F(connections, keeps_the_fields_of_the_last_error) {
    connection c{db().app()};
    EXPECT_EQ(c.last_error().sqlstate, "");
    pqxx::nontransaction tx{c.native()};
    EXPECT_THROW(tx.exec("SET tenancy.tenant_id = 'x'"), pqxx::insufficient_privilege);
    EXPECT_EQ(c.last_error().sqlstate, "42501") << "libpqxx 7.10.0 leaves it out";
    EXPECT_NE(c.last_error().message.find("permission denied"), std::string::npos);
    EXPECT_THROW(tx.exec("DO $$ BEGIN RAISE EXCEPTION 'm' USING DETAIL = 'd', HINT = 'h'; END $$"),
                 pqxx::sql_error);
    EXPECT_EQ(c.last_error().message, "m");
    EXPECT_EQ(c.last_error().detail, "d");
    EXPECT_EQ(c.last_error().hint, "h");
    tx.exec("SELECT 1");
    EXPECT_EQ(c.last_error().message, "m") << "what went well changes nothing";
}

TEST_F(connections, cannot_be_made_to_nowhere) {
    EXPECT_THROW(connection{with_settings(db().app(), {{"dbname", "no_such_database"}})},
                 pqxx::broken_connection);
    EXPECT_THROW(connection{"host=/nonexistent"}, pqxx::broken_connection);
    EXPECT_THROW(connection{"nonsense"}, pqxx::broken_connection);
    EXPECT_THROW(connection{std::string("host=x\0y", 8)}, std::invalid_argument);
}

} // namespace
