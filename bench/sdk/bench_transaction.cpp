// What a tenant transaction of the SDK costs against a bare libpqxx transaction with the same query.
// TENANCY_TEST_URL="$(scripts/cluster url NAME)" build/cmake/bench/sdk/bench_transaction

#include <cstdio>
#include <functional>

#include "common.hpp"

namespace {

constexpr int rounds = 25;
constexpr auto line_delay = std::chrono::microseconds{500};

using action = std::function<void()>;

double round_of(const action& transaction, int count) {
    const auto started = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i)
        transaction();
    return bench::seconds(started) / count * 1e6;
}

// A B C A B C: they take turns, so that a machine that speeds up or slows down does so for all.
void compare(const std::string& name, int count, const action& bare, const action& tenant,
             const action& by_hand) {
    (void)round_of(bare, count);
    (void)round_of(tenant, count);
    (void)round_of(by_hand, count);
    std::vector<double> a, b, c, sdk_ratios, hand_ratios;
    for (int i = 0; i < rounds; ++i) {
        a.push_back(round_of(bare, count));
        b.push_back(round_of(tenant, count));
        c.push_back(round_of(by_hand, count));
        sdk_ratios.push_back(b.back() / a.back());
        hand_ratios.push_back(c.back() / a.back());
    }
    std::printf("%-28s %9.1f us %9.1f us %7.3f %12.1f us %7.3f\n", name.c_str(), bench::median(a),
                bench::median(b), bench::median(sdk_ratios), bench::median(c), bench::median(hand_ratios));
}

// The same query in a bare transaction, in one of the SDK, and in a bare one that sets the tenant with a
// statement of its own.
void compare_query(const std::string& name, int count, const std::string& conninfo,
                   const tenancy::tenant_id& tenant, const std::string& sql) {
    pqxx::connection native{conninfo};
    tenancy::connection wrapped{conninfo};
    const std::string set = "SELECT tenancy.set_tenant('" + tenant.to_string() + "'::uuid)";
    compare(
        name, count,
        [&] {
            pqxx::work tx{native};
            tx.exec(sql);
            tx.commit();
        },
        [&] {
            tenancy::transaction tx{wrapped, tenant};
            tx.exec(sql);
            tx.commit();
        },
        [&] {
            pqxx::work tx{native};
            tx.exec(set);
            tx.exec(sql);
            tx.commit();
        });
}

} // namespace

int main() try {
    const bench::scratch_database db{bench::url_or_exit()};
    const auto run = [&](const std::string& sql) {
        return bench::scratch_database::execute(db.superuser(), sql);
    };
    const tenancy::tenant_id acme{run("SELECT tenancy.create_tenant('acme')")};
    run("SELECT tenancy.grant_app('tenancy_bench_app')");
    // A table without protection and with the condition written by hand, so that the queries differ in
    // nothing.
    run("CREATE TABLE plain (tenant_id uuid NOT NULL, id int NOT NULL, body text NOT NULL, PRIMARY KEY "
        "(tenant_id, id))");
    run("INSERT INTO plain SELECT '" + acme.to_string() +
        "', i, repeat('x', 100) FROM generate_series(1, 10000) i");
    run("GRANT SELECT, UPDATE ON plain TO tenancy_bench_app");
    run("VACUUM ANALYZE plain");
    {
        pqxx::connection c{db.app()};
        std::printf("%s\n", bench::machine(c).c_str());
    }
    std::printf("%d rounds in turns; medians of the times and of the ratios to the bare transaction\n\n",
                rounds);
    std::printf("%-28s %12s %12s %7s %15s %7s\n", "the query", "bare", "tenant", "ratio", "tenant by hand",
                "ratio");

    const std::string key = "tenant_id = '" + acme.to_string() + "'";
    const std::string by_key = "SELECT body FROM plain WHERE " + key + " AND id = 4711";
    const std::string range = "SELECT body FROM plain WHERE " + key + " AND id BETWEEN 4000 AND 4999";
    const std::string update = "UPDATE plain SET body = body WHERE " + key + " AND id = 4711";
    compare_query("SELECT 1", 300, db.app(), acme, "SELECT 1");
    compare_query("one row by key", 300, db.app(), acme, by_key);
    compare_query("update of one row", 300, db.app(), acme, update);
    compare_query("1,000 rows", 100, db.app(), acme, range);
    compare_query("sum over 10,000 rows", 30, db.app(), acme,
                  "SELECT sum(length(body)) FROM plain WHERE " + key);

    std::printf("\nover a line whose round trip takes %lld us:\n",
                static_cast<long long>(line_delay.count()));
    tenancy_test::proxy line{tenancy_test::server_socket(db.superuser()), line_delay};
    compare_query("SELECT 1", 20, db.app_through(line.host()), acme, "SELECT 1");
    compare_query("one row by key", 20, db.app_through(line.host()), acme, by_key);
    compare_query("update of one row", 20, db.app_through(line.host()), acme, update);
    return 0;
} catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
}
