#include <atomic>
#include <thread>

#include "support/database.hpp"

namespace {

using namespace std::chrono_literals;
using namespace tenancy_test;
using tenancy::lease;
using tenancy::pool;
using tenancy::transaction;

class pools : public live {
protected:
    static int backend(lease& l) { return l->native().backendpid(); }

    void terminate(int backend) {
        db().run("SELECT pg_terminate_backend(" + std::to_string(backend) + ", 5000)");
    }
};

TEST_F(pools, uses_a_connection_again) {
    pool p{db().app()};
    EXPECT_EQ(p.stats().opened, 0u) << "nothing before it is needed";
    int first;
    {
        auto l = p.acquire();
        first = backend(l);
        EXPECT_EQ(p.stats().in_use, 1u);
    }
    EXPECT_EQ(p.stats().idle, 1u);
    auto l = p.acquire();
    EXPECT_EQ(backend(l), first);
    EXPECT_EQ(p.stats().opened, 1u);
}

TEST_F(pools, gives_no_more_than_its_bound_and_says_so_in_time) {
    pool p{db().app(), {2, 200ms}};
    auto a = p.acquire();
    auto b = p.acquire();
    const auto started = std::chrono::steady_clock::now();
    try {
        (void)p.acquire();
        FAIL();
    } catch (const tenancy::pool_timeout& e) {
        EXPECT_NE(std::string{e.what()}.find("200 ms"), std::string::npos) << e.what();
    }
    const auto waited = std::chrono::steady_clock::now() - started;
    EXPECT_GE(waited, 200ms);
    EXPECT_LT(waited, 3s);
    EXPECT_THROW((void)p.acquire(0ms), tenancy::pool_timeout);
    EXPECT_EQ(p.stats().in_use, 2u);
}

TEST_F(pools, a_waiting_thread_gets_what_another_gives_back) {
    pool p{db().app(), {1, 10s}};
    auto held = std::make_unique<lease>(p.acquire());
    std::atomic<bool> got{false};
    std::thread waiter{[&] {
        auto l = p.acquire();
        got = true;
    }};
    std::this_thread::sleep_for(50ms);
    EXPECT_FALSE(got);
    held.reset();
    waiter.join();
    EXPECT_TRUE(got);
    EXPECT_EQ(p.stats().opened, 1u);
}

TEST_F(pools, threads_share_it_and_no_context_leaks_between_them) {
    pool p{db().app(), {3, 30s}};
    std::atomic<int> most{0}, in_use{0}, wrong{0}, done{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            const auto mine = t % 2 ? db().acme() : db().globex();
            try {
                for (int i = 0; i < 25; ++i) {
                    auto l = p.acquire();
                    int seen = most, now = ++in_use;
                    while (now > seen && !most.compare_exchange_weak(seen, now)) {
                    }
                    {
                        pqxx::nontransaction before{l->native()};
                        if (before.exec("SELECT tenancy.has_context()")[0][0].as<bool>())
                            ++wrong;
                    }
                    transaction tx{*l, mine};
                    if (tx.exec("SELECT tenancy.current_tenant_id()")[0][0].c_str() != mine.to_string())
                        ++wrong;
                    if (i % 3)
                        tx.commit(); // else rolled back
                    --in_use;
                    ++done;
                }
            } catch (const std::exception& e) {
                ADD_FAILURE() << e.what();
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(done, 200);
    EXPECT_EQ(wrong, 0);
    EXPECT_LE(most, 3);
    EXPECT_LE(p.stats().opened, 3u);
    EXPECT_EQ(p.stats().in_use, 0u);
    EXPECT_EQ(
        db().run("SELECT count(*) <= 3 FROM pg_stat_activity WHERE usename = '" + db().app_role() + "'"),
        "t");
}

TEST_F(pools, replaces_connections_that_died_while_idle) {
    pool p{db().app(), {3, 1s}};
    std::vector<int> dead;
    {
        auto a = p.acquire(), b = p.acquire(), c = p.acquire();
        dead = {backend(a), backend(b), backend(c)};
    }
    for (const int pid : dead)
        terminate(pid);
    auto l = p.acquire();
    transaction tx{*l, db().acme()};
    EXPECT_NO_THROW(tx.exec("SELECT 1"));
    EXPECT_EQ(p.stats().discarded, 3u);
    EXPECT_EQ(p.stats().opened, 4u);
}

TEST_F(pools, throws_away_what_died_in_use) {
    pool p{db().app(), {1, 1s}};
    {
        auto l = p.acquire();
        terminate(backend(l));
        pqxx::nontransaction tx{l->native()};
        EXPECT_ANY_THROW(tx.exec("SELECT 1"));
    }
    EXPECT_EQ(p.stats().idle, 0u);
    EXPECT_NO_THROW((void)p.acquire());
}

TEST_F(pools, takes_back_only_what_is_idle_and_has_no_tenant) {
    pool p{db().app(), {1, 1s}};
    {
        auto l = p.acquire();
        pqxx::nontransaction tx{l->native()};
        tx.exec("BEGIN");
    }
    EXPECT_EQ(p.stats().discarded, 1u) << "inside a transaction";
    {
        auto l = p.acquire();
        pqxx::nontransaction tx{l->native()};
        tx.exec("SELECT tenancy.set_tenant('acme', false)");
    }
    EXPECT_EQ(p.stats().discarded, 2u) << "with a tenant for its session";
    auto l = p.acquire();
    pqxx::nontransaction tx{l->native()};
    EXPECT_FALSE(tx.exec("SELECT tenancy.has_context()")[0][0].as<bool>());
}

TEST_F(pools, a_place_is_free_again_after_a_failed_connect) {
    pool p{with_settings(db().app(), {{"dbname", "no_such_database"}}), {1, 100ms}};
    EXPECT_THROW((void)p.acquire(), pqxx::broken_connection);
    EXPECT_THROW((void)p.acquire(), pqxx::broken_connection) << "not a timeout";
    EXPECT_EQ(p.stats().in_use, 0u);
}

TEST_F(pools, leases_move_and_outlive_the_pool) {
    auto p = std::make_unique<pool>(db().app(), tenancy::pool_options{2, 1s});
    auto a = p->acquire();
    auto b = p->acquire();
    const int pid = backend(b);
    a = std::move(b);
    EXPECT_EQ(p->stats().in_use, 1u);
    EXPECT_EQ(backend(a), pid);
    p.reset();
    pqxx::nontransaction tx{a->native()};
    EXPECT_NO_THROW(tx.exec("SELECT 1"));
}

} // namespace
