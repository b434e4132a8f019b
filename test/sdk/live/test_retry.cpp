#include <atomic>
#include <thread>

#include "support/database.hpp"
#include "support/proxy.hpp"

namespace {

using namespace std::chrono_literals;
using namespace tenancy_test;
using tenancy::pool;
using tenancy::transaction;
using tenancy::with_tenant;

class retries : public live {
protected:
    void SetUp() override {
        live::SetUp();
        if (IsSkipped())
            return;
        db().run("CREATE TABLE counter (id int PRIMARY KEY, n int NOT NULL)");
        db().run("INSERT INTO counter VALUES (1, 0), (2, 0)");
        db().run("GRANT SELECT, UPDATE ON counter TO " + db().app_role());
    }

    static tenancy::with_tenant_options serializable() {
        tenancy::with_tenant_options options;
        options.transaction.level = tenancy::isolation::serializable;
        options.retry.base_delay = 1ms;
        return options;
    }

    // Another session changes a row behind the transaction's back.
    void interfere() { db().run("UPDATE counter SET n = n + 100 WHERE id = 1"); }
};

TEST_F(retries, gives_back_what_the_function_returns_and_commits) {
    pool p{db().app()};
    EXPECT_EQ(with_tenant(p, db().acme(), [](transaction&) { return 42; }), 42);
    with_tenant(p, db().acme(), [](transaction& tx) { tx.exec("UPDATE counter SET n = 7 WHERE id = 1"); });
    EXPECT_EQ(db().run("SELECT n FROM counter WHERE id = 1"), "7");
    EXPECT_EQ(p.stats().in_use, 0u);
}

TEST_F(retries, an_exception_rolls_back_and_comes_out) {
    pool p{db().app()};
    int calls = 0;
    EXPECT_THROW(with_tenant(p, db().acme(),
                             [&](transaction& tx) {
                                 ++calls;
                                 tx.exec("UPDATE counter SET n = 7 WHERE id = 1");
                                 throw std::logic_error{"no"};
                             }),
                 std::logic_error);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(db().run("SELECT n FROM counter WHERE id = 1"), "0");
    EXPECT_EQ(p.stats().idle, 1u);
}

TEST_F(retries, a_serialization_failure_is_tried_again) {
    pool p{db().app()};
    int calls = 0;
    const int seen = with_tenant(
        p, db().acme(),
        [&](transaction& tx) {
            const int n = tx.exec("SELECT n FROM counter WHERE id = 1")[0][0].as<int>();
            if (++calls == 1)
                interfere();
            tx.exec("UPDATE counter SET n = " + std::to_string(n + 1) + " WHERE id = 1");
            return n;
        },
        serializable());
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(seen, 100);
    EXPECT_EQ(db().run("SELECT n FROM counter WHERE id = 1"), "101") << "no update is lost";
}

TEST_F(retries, a_failure_at_commit_is_tried_again) {
    pool p{db().app()};
    int calls = 0;
    // Two transactions that each read what the other writes: the second to commit fails, at COMMIT or at its
    // last statement.
    with_tenant(
        p, db().acme(),
        [&](transaction& tx) {
            tx.exec("SELECT sum(n) FROM counter");
            tx.exec("UPDATE counter SET n = n + 1 WHERE id = 2");
            if (++calls == 1) {
                with_tenant(
                    p, db().globex(),
                    [](transaction& other) {
                        other.exec("SELECT sum(n) FROM counter");
                        other.exec("UPDATE counter SET n = n + 1 WHERE id = 1");
                    },
                    serializable());
            }
        },
        serializable());
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(db().run("SELECT string_agg(n::text, ',' ORDER BY id) FROM counter"), "1,1");
}

TEST_F(retries, deadlocks_are_tried_again) {
    pool p{db().app(), {2, 10s}};
    std::atomic<int> holding{0};
    const auto work = [&](int first, int second) {
        bool tried = false;
        with_tenant(p, db().acme(), [&](transaction& tx) {
            tx.exec("UPDATE counter SET n = n + 1 WHERE id = " + std::to_string(first));
            if (!tried) {
                tried = true;
                ++holding;
                while (holding < 2)
                    std::this_thread::sleep_for(1ms);
            }
            tx.exec("UPDATE counter SET n = n + 1 WHERE id = " + std::to_string(second));
        });
    };
    std::thread a{[&] { work(1, 2); }};
    std::thread b{[&] { work(2, 1); }};
    a.join();
    b.join();
    EXPECT_EQ(db().run("SELECT string_agg(n::text, ',' ORDER BY id) FROM counter"), "2,2");
}

TEST_F(retries, ends_after_the_last_attempt) {
    pool p{db().app()};
    int calls = 0;
    auto options = serializable();
    options.retry.max_attempts = 3;
    EXPECT_THROW(with_tenant(
                     p, db().acme(),
                     [&](transaction& tx) {
                         ++calls;
                         tx.exec("SELECT n FROM counter WHERE id = 1");
                         interfere();
                         tx.exec("UPDATE counter SET n = n + 1 WHERE id = 1");
                     },
                     options),
                 pqxx::serialization_failure);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(p.stats().in_use, 0u);
}

TEST_F(retries, other_errors_are_not_tried_again) {
    pool p{db().app()};
    int calls = 0;
    EXPECT_THROW(with_tenant(p, db().acme(),
                             [&](transaction& tx) {
                                 ++calls;
                                 tx.exec("SELECT 1/0");
                             }),
                 pqxx::data_exception);
    EXPECT_THROW(with_tenant(p, db().acme(),
                             [&](transaction& tx) {
                                 ++calls;
                                 pqxx::transaction_base& as_libpqxx =
                                     tx; // untranslated there, translated on the way out
                                 as_libpqxx.exec("SELECT tenancy.set_tenant('globex')");
                             }),
                 tenancy::context_sealed);
    EXPECT_THROW(with_tenant(p, tenancy::tenant_slug{"nobody"}, [&](transaction&) { ++calls; }),
                 tenancy::tenant_unavailable);
    EXPECT_EQ(calls, 2);
}

TEST_F(retries, a_commit_in_doubt_is_never_repeated) {
    proxy line{server_socket(test_url())};
    pool p{with_settings(db().app(), {{"host", line.host()}})};
    int calls = 0;
    EXPECT_THROW(with_tenant(p, db().acme(),
                             [&](transaction& tx) {
                                 ++calls;
                                 tx.exec("UPDATE counter SET n = n + 1 WHERE id = 1");
                                 line.cut_after("COMMIT");
                             }),
                 pqxx::in_doubt_error);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(db().run("SELECT n FROM counter WHERE id = 1"), "1") << "once, and not once more";
}

TEST_F(retries, a_backend_killed_while_it_commits_is_in_doubt) {
    // A deferred trigger holds COMMIT up until somebody shoots.
    db().run("CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); "
             "RETURN NULL; END $$");
    db().run("CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON counter DEFERRABLE INITIALLY DEFERRED "
             "FOR EACH ROW EXECUTE FUNCTION linger()");
    pool p{db().app()};
    int calls = 0;
    std::atomic<int> pid{0};
    std::thread killer{[&] {
        while (pid == 0)
            std::this_thread::sleep_for(1ms);
        const std::string waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = " +
            std::to_string(pid);
        while (db().run(waiting) != "1")
            std::this_thread::sleep_for(5ms);
        db().run("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
    }};
    EXPECT_THROW(with_tenant(p, db().acme(),
                             [&](transaction& tx) {
                                 ++calls;
                                 tx.exec("UPDATE counter SET n = n + 1 WHERE id = 1");
                                 pid = tx.tenant_connection().native().backendpid();
                             }),
                 pqxx::in_doubt_error);
    killer.join();
    EXPECT_EQ(calls, 1);
}

TEST_F(retries, a_backend_killed_in_the_middle_ends_it_and_the_pool_goes_on) {
    pool p{db().app(), {1, 1s}};
    int calls = 0;
    const auto killed = [&](transaction& tx) {
        ++calls;
        db().run("SELECT pg_terminate_backend(" +
                 std::to_string(tx.tenant_connection().native().backendpid()) + ", 5000)");
        tx.exec("UPDATE counter SET n = n + 1 WHERE id = 1");
    };
    EXPECT_ANY_THROW(with_tenant(p, db().acme(), killed));
    EXPECT_EQ(calls, 1) << "the function had begun, so it is not for us to run it again";
    EXPECT_EQ(with_tenant(p, db().acme(), [](transaction&) { return 1; }), 1);
    EXPECT_EQ(p.stats().opened, 2u);
}

TEST_F(retries, a_connection_dead_at_begin_is_replaced_unseen) {
    proxy line{server_socket(test_url())};
    pool p{with_settings(db().app(), {{"host", line.host()}}), {1, 1s}};
    EXPECT_EQ(with_tenant(p, db().acme(), [](transaction&) { return 1; }), 1);
    line.cut_after("BEGIN"); // the pool cannot see this coming
    int calls = 0;
    EXPECT_EQ(with_tenant(p, db().acme(), [&](transaction&) { return ++calls; }), 1);
    EXPECT_EQ(p.stats().opened, 2u);
}

TEST_F(retries, senseless_options_are_refused_before_anything_is_done) {
    pool p{db().app()};
    tenancy::with_tenant_options options;
    options.retry.max_attempts = 0;
    EXPECT_THROW(with_tenant(
                     p, db().acme(), [](transaction&) {}, options),
                 std::invalid_argument);
    EXPECT_EQ(p.stats().opened, 0u);
}

} // namespace
