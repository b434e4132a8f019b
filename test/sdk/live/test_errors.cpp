#include "support/database.hpp"

namespace {

using namespace tenancy_test;
using tenancy::connection;
using tenancy::transaction;

class server_errors : public live {};

TEST_F(server_errors, come_with_hint_and_as_their_type) {
    connection c{db().app()};
    try {
        c.translating([&] {
            pqxx::nontransaction tx{c.native()};
            tx.exec("SELECT * FROM documents");
        });
        FAIL() << "a protected table was read without a tenant";
    } catch (const tenancy::no_tenant& e) {
        EXPECT_EQ(e.info().sqlstate, "TN001");
        EXPECT_EQ(e.message(), "no tenant is set");
        EXPECT_FALSE(e.hint().empty());
        EXPECT_EQ(std::string{e.query()}, "SELECT * FROM documents");
    }
}

// Whoever catches by type must not depend on a language or a wording.
TEST_F(server_errors, are_told_by_their_code_not_by_their_text) {
    connection c{db().app()};
    const auto raise = [&](const std::string& code, const std::string& message) {
        c.translating([&] {
            pqxx::nontransaction tx{c.native()};
            tx.exec("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '" + code + "', MESSAGE = '" + message +
                    "', DETAIL = 'D.', HINT = 'H.'; END $$");
        });
    };
    EXPECT_THROW(raise("TN001", "kein Mandant"), tenancy::no_tenant);
    EXPECT_THROW(raise("TN002", "x"), tenancy::tenant_unavailable);
    EXPECT_THROW(raise("TN003", "x"), tenancy::context_sealed);
    EXPECT_THROW(raise("TN004", "x"), tenancy::role_denied);
    EXPECT_THROW(raise("TN005", "x"), tenancy::quota_exceeded);
    EXPECT_THROW(raise("TN006", "x"), tenancy::rate_limited);
    EXPECT_THROW(raise("TN007", "x"), tenancy::invalid_credential);
    EXPECT_THROW(raise("TN008", "x"), tenancy::invalid_invitation);
    EXPECT_THROW(raise("TN009", "x"), tenancy::protection_failed);
    EXPECT_THROW(raise("TN010", "x"), tenancy::corpus_mismatch);
    EXPECT_THROW(raise("TN099", "x"), tenancy::error);
    EXPECT_THROW(raise("23505", "no tenant is set"), pqxx::unique_violation);
    try {
        raise("TN005", "of 10 units, 10 are used");
    } catch (const tenancy::quota_exceeded& e) {
        EXPECT_EQ(e.message(), "of 10 units, 10 are used");
        EXPECT_EQ(e.detail(), "D.");
        EXPECT_EQ(e.hint(), "H.");
    }
}

TEST_F(server_errors, inside_a_transaction_and_at_its_commit) {
    db().run("CREATE TABLE late (id int)");
    db().run("GRANT INSERT ON late TO PUBLIC");
    db().run("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'TN005', MESSAGE = 'too late'; END $$");
    db().run("CREATE CONSTRAINT TRIGGER late_check AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED "
             "FOR EACH ROW EXECUTE FUNCTION refuse()");
    connection c{db().app()};
    {
        transaction tx{c, db().acme()};
        tx.exec("INSERT INTO late VALUES (1)");
        EXPECT_THROW(tx.commit(), tenancy::quota_exceeded);
    }
    EXPECT_TRUE(c.is_clean());
}

} // namespace
