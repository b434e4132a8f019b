// What a tenant transaction of the SDK costs against a bare libpqxx transaction with the same query.
// TENANCY_TEST_URL="$(scripts/cluster url NAME)" build/cmake/bench/sdk/bench_transaction

#include <cstdio>
#include <functional>

#include "common.hpp"

namespace {

constexpr int rounds = 30;
constexpr int transactions_per_round = 400;

double round_of(const std::function<void()>& transaction) {
    const auto started = std::chrono::steady_clock::now();
    for (int i = 0; i < transactions_per_round; ++i)
        transaction();
    return bench::seconds(started) / transactions_per_round * 1e6;
}

// A B A B: the two take turns, so that a machine that speeds up or slows down does so for both.
void compare(const char* name, const std::function<void()>& bare, const std::function<void()>& tenant) {
    (void)round_of(bare);
    (void)round_of(tenant);
    std::vector<double> a, b, ratios;
    for (int i = 0; i < rounds; ++i) {
        a.push_back(round_of(bare));
        b.push_back(round_of(tenant));
        ratios.push_back(b.back() / a.back());
    }
    std::printf("%-34s %9.1f us %9.1f us   %.3f\n", name, bench::median(a), bench::median(b),
                bench::median(ratios));
}

} // namespace

int main() try {
    const bench::scratch_database db{bench::url_or_exit()};
    const auto run = [&](const std::string& sql) {
        return bench::scratch_database::execute(db.superuser(), sql);
    };
    const tenancy::tenant_id acme{run("SELECT tenancy.create_tenant('acme')")};
    run("SELECT tenancy.grant_app('tenancy_bench_app')");
    // The same rows in a table without protection: what the bare transaction reads with a condition written
    // by hand.
    run("CREATE TABLE plain (tenant_id uuid NOT NULL, id int NOT NULL, body text NOT NULL, PRIMARY KEY "
        "(tenant_id, id))");
    run("INSERT INTO plain SELECT '" + acme.to_string() +
        "', i, repeat('x', 100) FROM generate_series(1, 10000) i");
    run("GRANT SELECT, UPDATE ON plain TO tenancy_bench_app");
    run("VACUUM ANALYZE plain");

    pqxx::connection native{db.app()};
    tenancy::connection wrapped{db.app()};
    std::printf("%s\n", bench::machine(native).c_str());
    std::printf("%d x %d transactions each, in turns; medians\n\n", rounds, transactions_per_round);
    std::printf("%-34s %12s %12s   %s\n", "the query", "bare", "tenant", "ratio");

    struct query {
        const char* name;
        std::string sql;
    };
    const std::string key = "tenant_id = '" + acme.to_string() + "'";
    const std::vector<query> queries{
        {"SELECT 1", "SELECT 1"},
        {"one row by key", "SELECT body FROM plain WHERE " + key + " AND id = 4711"},
        {"a range of 1,000 rows", "SELECT body FROM plain WHERE " + key + " AND id BETWEEN 4000 AND 4999"},
        {"sum over 10,000 rows", "SELECT sum(length(body)) FROM plain WHERE " + key},
        {"update of one row", "UPDATE plain SET body = body WHERE " + key + " AND id = 4711"},
    };
    for (const auto& q : queries) {
        compare(
            q.name,
            [&] {
                pqxx::work tx{native};
                tx.exec(q.sql);
                tx.commit();
            },
            [&] {
                tenancy::transaction tx{wrapped, acme};
                tx.exec(q.sql);
                tx.commit();
            });
    }
    return 0;
} catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
}
