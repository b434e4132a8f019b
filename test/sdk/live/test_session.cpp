#include "support/database.hpp"
#include "support/proxy.hpp"

namespace {

using namespace tenancy_test;
using tenancy::pool;
using tenancy::session;

class sessions : public live {};

TEST_F(sessions, keeps_the_tenant_from_transaction_to_transaction) {
    pool p{db().app()};
    {
        session s{p.acquire(), db().acme()};
        EXPECT_EQ(s.tenant(), db().acme());
        for (int i = 0; i < 2; ++i) {
            auto tx = s.begin();
            EXPECT_EQ(tx.tenant(), db().acme());
            EXPECT_EQ(std::string{tx.exec("SELECT tenancy.current_tenant_id()")[0][0].c_str()},
                      db().acme().to_string());
            tx.exec("INSERT INTO documents (title) VALUES ('x')");
            tx.commit();
        }
        pqxx::work plain{s->native()};
        EXPECT_EQ(plain.exec("SELECT FROM documents").size(), 2);
    }
    EXPECT_EQ(p.stats().idle, 1u) << "the tenant was taken off, so the connection is good";
    auto lease = p.acquire();
    pqxx::nontransaction tx{lease->native()};
    EXPECT_EQ(std::string{tx.exec("SELECT tenancy.has_context()")[0][0].c_str()}, "f");
}

TEST_F(sessions, by_slug_and_never_for_two_tenants_at_once) {
    pool p{db().app()};
    session s{p.acquire(), tenancy::tenant_slug{"globex"}};
    EXPECT_EQ(s.tenant(), db().globex());
    EXPECT_THROW((tenancy::transaction{*s, db().acme()}), tenancy::context_sealed);
    EXPECT_NO_THROW((tenancy::transaction{*s, db().globex()}));
}

TEST_F(sessions, refuses_what_is_not_available) {
    pool p{db().app()};
    EXPECT_THROW((session{p.acquire(), tenancy::tenant_id::generate()}), tenancy::tenant_unavailable);
    EXPECT_EQ(p.stats().idle, 1u);
}

TEST_F(sessions, a_connection_that_cannot_be_cleaned_is_closed) {
    pool p{db().app()};
    {
        session s{p.acquire(), db().acme()};
        db().run("SELECT pg_terminate_backend(" + std::to_string(s->native().backendpid()) + ", 5000)");
    }
    EXPECT_EQ(p.stats().idle, 0u);
    EXPECT_EQ(p.stats().discarded, 1u);
}

TEST_F(sessions, a_transaction_left_open_does_not_keep_the_tenant_on_a_pooled_connection) {
    pool p{db().app()};
    {
        session s{p.acquire(), db().acme()};
        pqxx::nontransaction tx{s->native()};
        tx.exec("BEGIN");
    }
    EXPECT_EQ(p.stats().idle, 0u);
}

TEST_F(sessions, a_suspended_tenant_ends_it) {
    pool p{db().app()};
    session s{p.acquire(), db().acme()};
    db().run("UPDATE tenancy.tenants SET status = 'suspended' WHERE slug = 'acme'");
    auto tx = s.begin();
    EXPECT_THROW(tx.exec("SELECT * FROM documents"), tenancy::tenant_unavailable);
}

} // namespace
