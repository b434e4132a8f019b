#include <type_traits>

#include "support/database.hpp"
#include "support/proxy.hpp"

namespace {

using namespace tenancy_test;
using tenancy::caller;
using tenancy::connection;
using tenancy::tenant_slug;
using tenancy::transaction;

// There is no transaction without a tenant.
static_assert(!std::is_constructible_v<transaction, connection&>);
static_assert(!std::is_default_constructible_v<caller>);
static_assert(!std::is_constructible_v<caller, std::string>);
static_assert(!std::is_constructible_v<caller, const char*>);
static_assert(!std::is_constructible_v<caller, tenancy::user_id>);
static_assert(!std::is_copy_constructible_v<transaction>);

class transactions : public live {
protected:
    std::string current(transaction& tx) {
        return tx.exec("SELECT tenancy.current_tenant_id()")[0][0].c_str();
    }
};

TEST_F(transactions, has_its_tenant_from_the_first_statement_to_the_end) {
    connection c{db().app()};
    {
        transaction tx{c, db().acme()};
        EXPECT_EQ(tx.tenant(), db().acme());
        EXPECT_EQ(current(tx), db().acme().to_string());
        EXPECT_EQ(&tx.tenant_connection(), &c);
        tx.commit();
    }
    EXPECT_TRUE(c.is_clean());
    {
        pqxx::work bare{c.native()};
        EXPECT_EQ(std::string{bare.exec("SELECT tenancy.has_context()")[0][0].c_str()}, "f")
            << "nothing is left";
    }
    transaction other{c, db().globex()};
    EXPECT_EQ(current(other), db().globex().to_string());
}

TEST_F(transactions, a_slug_is_resolved) {
    connection c{db().app()};
    transaction tx{c, tenant_slug{"globex"}};
    EXPECT_EQ(tx.tenant(), db().globex());
}

TEST_F(transactions, a_slug_is_only_text) {
    connection c{db().app()};
    for (const char* slug :
         {"'", "acme'); SELECT tenancy.set_tenant('globex", "\\", "$$", "acme\n; COMMIT; --"}) {
        EXPECT_THROW((transaction{c, tenant_slug{slug}}), tenancy::tenant_unavailable) << slug;
        EXPECT_TRUE(c.is_clean()) << slug;
    }
}

TEST_F(transactions, a_user_has_the_role_of_the_membership) {
    const auto user = tenancy::user_id::generate();
    db().run("INSERT INTO tenancy.users (id, email) VALUES ('" + user.to_string() + "', 'v@example.com')");
    db().run("INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES ('" +
             db().acme().to_string() + "', '" + user.to_string() + "', 'viewer')");
    connection c{db().app()};
    {
        transaction tx{c, {db().acme(), user}};
        EXPECT_EQ(tx.tenant(), db().acme());
        EXPECT_EQ(std::string{tx.exec("SELECT tenancy.current_user_id()")[0][0].c_str()}, user.to_string());
        EXPECT_EQ(std::string{tx.exec("SELECT tenancy.current_role_name()")[0][0].c_str()}, "viewer");
        EXPECT_THROW(tx.exec("INSERT INTO documents (title) VALUES ('x')"), tenancy::role_denied);
    }
    EXPECT_THROW((transaction{c, {db().globex(), user}}), tenancy::tenant_unavailable);
    EXPECT_THROW((transaction{c, {db().acme(), tenancy::user_id::generate()}}), tenancy::tenant_unavailable);
    EXPECT_TRUE(c.is_clean());
}

TEST_F(transactions, without_commit_it_never_was) {
    connection c{db().app()};
    { transaction{c, db().acme()}.exec("INSERT INTO documents (title) VALUES ('lost')"); }
    EXPECT_TRUE(c.is_clean());
    transaction tx{c, db().acme()};
    tx.exec("INSERT INTO documents (title) VALUES ('kept')");
    tx.commit();
    EXPECT_EQ(db().run("SELECT string_agg(title, ',') FROM documents"), "kept");
}

TEST_F(transactions, one_tenant_per_transaction) {
    connection c{db().app()};
    transaction tx{c, db().acme()};
    EXPECT_THROW(tx.exec("SELECT tenancy.set_tenant('globex')"), tenancy::context_sealed);
}

TEST_F(transactions, does_not_see_the_other_tenant) {
    connection c{db().app()};
    {
        transaction tx{c, db().acme()};
        tx.exec("INSERT INTO documents (title) VALUES ('secret')");
        tx.commit();
    }
    {
        transaction tx{c, db().globex()};
        EXPECT_TRUE(tx.exec("SELECT FROM documents").empty());
    }
    transaction tx{c, db().acme()};
    EXPECT_EQ(tx.exec("SELECT FROM documents").size(), 1);
}

TEST_F(transactions, isolation_and_access) {
    connection c{db().app()};
    const auto setting = [&](tenancy::transaction_options options, const char* name) {
        transaction tx{c, db().acme(), options};
        return std::string{tx.exec(std::string{"SHOW "} + name)[0][0].c_str()};
    };
    EXPECT_EQ(setting({}, "transaction_isolation"), "read committed");
    EXPECT_EQ(setting({tenancy::isolation::repeatable_read}, "transaction_isolation"), "repeatable read");
    EXPECT_EQ(setting({tenancy::isolation::serializable}, "transaction_isolation"), "serializable");
    EXPECT_EQ(setting({}, "transaction_read_only"), "off");
    tenancy::transaction_options read_only;
    read_only.access = tenancy::access::read_only;
    EXPECT_EQ(setting(read_only, "transaction_read_only"), "on");
    {
        pqxx::nontransaction tx{c.native()};
        tx.exec("SET default_transaction_isolation = 'serializable'");
        tx.exec("SET default_transaction_read_only = on");
    }
    EXPECT_EQ(setting({}, "transaction_isolation"), "serializable");
    EXPECT_EQ(setting({tenancy::isolation::read_committed}, "transaction_isolation"), "read committed");
    EXPECT_EQ(setting({}, "transaction_read_only"), "on");
    tenancy::transaction_options read_write;
    read_write.access = tenancy::access::read_write;
    EXPECT_EQ(setting(read_write, "transaction_read_only"), "off");
}

TEST_F(transactions, everything_of_libpqxx_works_on_it) {
    connection c{db().app()};
    transaction tx{c, db().acme()};
    pqxx::params parameters;
    parameters.append(20);
    parameters.append(std::string{"22"});
    EXPECT_EQ(tx.exec("SELECT $1::int + $2::int", parameters)[0][0].as<int>(), 42);
    int sum = 0;
    for (const auto& [i] : tx.query<int>("SELECT i FROM generate_series(1, 3) i"))
        sum += i;
    EXPECT_EQ(sum, 6);
    pqxx::subtransaction inner{tx};
    inner.exec("SELECT tenancy.current_tenant_id()");
    inner.commit();
    tx.commit();
}

TEST_F(transactions, a_failed_one_does_not_pretend_to_commit) {
    connection c{db().app()};
    {
        transaction tx{c, db().acme()};
        tx.exec("INSERT INTO documents (title) VALUES ('x')");
        EXPECT_THROW(tx.exec("SELECT 1/0"), pqxx::data_exception);
        EXPECT_THROW(tx.commit(), pqxx::failure);
    }
    EXPECT_TRUE(c.is_clean());
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "0");
}

TEST_F(transactions, errors_at_the_beginning_leave_the_connection_clean) {
    connection c{db().app()};
    EXPECT_THROW((transaction{c, tenancy::tenant_id::generate()}), tenancy::tenant_unavailable);
    EXPECT_TRUE(c.is_clean());
    db().run("SELECT tenancy.revoke_app('" + db().app_role() + "')");
    EXPECT_THROW((transaction{c, db().acme()}), pqxx::insufficient_privilege);
    EXPECT_TRUE(c.is_clean());
}

TEST_F(transactions, of_a_closed_connection) {
    connection c{db().app()};
    c.close();
    EXPECT_THROW((transaction{c, db().acme()}), pqxx::broken_connection);
}

// The claim of the SDK: setting the tenant costs no round trip.
TEST_F(transactions, takes_no_more_round_trips_than_a_bare_one) {
    proxy line{server_socket(test_url())};
    connection c{with_settings(db().app(), {{"host", line.host()}})};
    const auto counted = [&](auto&& f) {
        const int before = line.round_trips();
        f();
        return line.round_trips() - before;
    };
    const int bare = counted([&] {
        pqxx::work tx{c.native()};
        tx.exec("SELECT 1");
        tx.commit();
    });
    const int by_id = counted([&] {
        transaction tx{c, db().acme()};
        tx.exec("SELECT tenancy.current_tenant_id()");
        tx.commit();
    });
    const int by_slug = counted([&] {
        transaction tx{c, tenant_slug{"acme"}, {tenancy::isolation::serializable}};
        tx.exec("SELECT tenancy.current_tenant_id()");
        tx.commit();
    });
    EXPECT_EQ(bare, 3) << "BEGIN, the query, COMMIT";
    EXPECT_EQ(by_id, bare);
    EXPECT_EQ(by_slug, bare);
}

TEST_F(transactions, a_line_cut_at_commit_is_in_doubt) {
    proxy line{server_socket(test_url())};
    connection c{with_settings(db().app(), {{"host", line.host()}})};
    transaction tx{c, db().acme()};
    tx.exec("INSERT INTO documents (title) VALUES ('stored or not?')");
    line.cut_after("COMMIT");
    EXPECT_THROW(tx.commit(), pqxx::in_doubt_error);
    EXPECT_FALSE(c.is_open());
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "1")
        << "here it was stored, which the client could not know";
}

} // namespace
