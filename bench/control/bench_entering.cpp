// What entering costs: enter() and enter_with_key() against a bare SELECT by primary key, statement by statement in turn over
// one connection, with 10 tenants and keys and then with 100,000 tenants and a million keys.

#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr int rounds = 20000;

struct closing {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using connection = std::unique_ptr<PGconn, closing>;
using answer = std::unique_ptr<PGresult, closing>;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "bench_entering: %s\n", what);
    std::exit(1);
}

connection connect(const std::string& where) {
    connection made{PQconnectdb(where.c_str())};
    if (PQstatus(made.get()) != CONNECTION_OK) fail(PQerrorMessage(made.get()));
    return made;
}

answer checked(PGconn* on, PGresult* given) {
    answer result{given};
    ExecStatusType status = PQresultStatus(given);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(PQerrorMessage(on));
    return result;
}

answer run(PGconn* on, const std::string& statement) { return checked(on, PQexec(on, statement.c_str())); }

/// Seconds that a prepared statement takes, for a client.
double timed(PGconn* on, const char* name, std::vector<const char*> values) {
    auto begin = std::chrono::steady_clock::now();
    checked(on, PQexecPrepared(on, name, static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct member {
    std::string tenant, user, key;
};

/// Tenants of which we know a member and a key.
std::vector<member> sample(PGconn* operator_connection, int how_many) {
    answer rows = run(operator_connection,
                      "SELECT t.id, m.user_id, (tenancy.create_api_key(t.id, 'sample')).api_key FROM (SELECT id FROM "
                      "tenancy.tenants WHERE slug LIKE 'bench-%' ORDER BY random() LIMIT " +
                          std::to_string(how_many) + ") t JOIN tenancy.memberships m ON m.tenant_id = t.id");
    std::vector<member> members;
    for (int i = 0; i < PQntuples(rows.get()); ++i)
        members.push_back({PQgetvalue(rows.get(), i, 0), PQgetvalue(rows.get(), i, 1), PQgetvalue(rows.get(), i, 2)});
    return members;
}

/// Tenants numbered from..to with a user each, and so many keys of each that nobody knows.
void fill(PGconn* on, int from, int to, int keys) {
    std::string range = std::to_string(from) + ", " + std::to_string(to);
    run(on, "INSERT INTO tenancy.tenants (organization_id, slug, name) SELECT '00000000-0000-0000-0000-000000000001', "
            "'bench-' || g, 'Tenant ' || g FROM generate_series(" + range + ") g");
    run(on, "INSERT INTO tenancy.users (email) SELECT 'bench-' || g || '@bench.example' FROM generate_series(" + range + ") g");
    run(on, "INSERT INTO tenancy.memberships (tenant_id, user_id, role) SELECT t.id, u.id, 'editor' FROM generate_series(" +
                range + ") g JOIN tenancy.tenants t ON t.slug = 'bench-' || g "
                        "JOIN tenancy.users u ON lower(u.email) = 'bench-' || g || '@bench.example'");
    run(on, "WITH made AS (INSERT INTO tenancy.api_keys (tenant_id, short_id, role, secret_mac, pepper_id, name, environment) "
            "SELECT t.id, translate(substr(md5(g || ' ' || k), 1, 12), '0', 'z'), 'editor', tenancy.random_secret(), 1, "
            "'key', 'live' FROM generate_series(" + range + ") g JOIN tenancy.tenants t ON t.slug = 'bench-' || g, "
            "generate_series(1, " + std::to_string(keys) + ") k RETURNING id) "
            "INSERT INTO tenancy.api_key_uses (api_key_id) SELECT id FROM made");
    run(on, "INSERT INTO bench_rows SELECT id, name FROM tenancy.tenants ON CONFLICT DO NOTHING");
    run(on, "VACUUM ANALYZE");
    run(on, "CHECKPOINT");
}

struct times {
    std::vector<double> bare, enter, enter_with_key;
};

double median(std::vector<double>& values) {
    auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

times measure(PGconn* on, const std::vector<member>& members) {
    times result;
    std::mt19937 random{1};
    for (int i = 0; i < rounds + rounds / 10; ++i) {
        const member& one = members[random() % members.size()];
        std::vector<double> measured;
        for (int statement : {0, 1, 2}) {
            run(on, "BEGIN");
            if (statement == 0) measured.push_back(timed(on, "bare", {one.tenant.c_str()}));
            if (statement == 1) measured.push_back(timed(on, "enter", {one.tenant.c_str(), one.user.c_str()}));
            if (statement == 2) measured.push_back(timed(on, "enter_with_key", {one.key.c_str()}));
            run(on, "COMMIT");
        }
        // The first ones warm up what there is to warm up.
        if (i < rounds / 10) continue;
        result.bare.push_back(measured[0]);
        result.enter.push_back(measured[1]);
        result.enter_with_key.push_back(measured[2]);
    }
    return result;
}

struct medians {
    double bare, enter, enter_with_key;
};

medians report(const char* what, times result) {
    medians m{median(result.bare), median(result.enter), median(result.enter_with_key)};
    std::printf("%-38s bare SELECT %5.1f us   enter %5.1f us (%.2f x)   enter_with_key %5.1f us (%.2f x)\n", what,
                m.bare * 1e6, m.enter * 1e6, m.enter / m.bare, m.enter_with_key * 1e6, m.enter_with_key / m.bare);
    return m;
}

} // namespace

int main() {
    const char* url = std::getenv("TENANCY_TEST_URL");
    if (url == nullptr) fail("TENANCY_TEST_URL must name a server where databases may be made");
    connection admin = connect(url);
    PQsetNoticeProcessor(admin.get(), [](void*, const char*) {}, nullptr);
    run(admin.get(), "DROP DATABASE IF EXISTS bench_entering");
    run(admin.get(), "CREATE DATABASE bench_entering");
    run(admin.get(), "DROP ROLE IF EXISTS bench_entering");
    run(admin.get(), "CREATE ROLE bench_entering LOGIN");
    connection owner = connect(std::string{url} + " dbname=bench_entering");
    PQsetNoticeProcessor(owner.get(), [](void*, const char*) {}, nullptr);
    run(owner.get(), "CREATE EXTENSION tenancy CASCADE");
    run(owner.get(), "SELECT tenancy.grant_app('bench_entering')");
    run(owner.get(), "CREATE TABLE bench_rows (id uuid PRIMARY KEY, name text); GRANT SELECT ON bench_rows TO bench_entering");

    auto application = [&] {
        connection made = connect(std::string{url} + " dbname=bench_entering user=bench_entering");
        for (const char* statement : {"PREPARE bare (uuid) AS SELECT name FROM bench_rows WHERE id = $1",
                                      "PREPARE enter (uuid, uuid) AS SELECT tenancy.enter($1, $2)",
                                      "PREPARE enter_with_key (text) AS SELECT tenancy.enter_with_key($1)"})
            run(made.get(), statement);
        return made;
    };

    std::printf("median of %d each, taken in turn\n", rounds);
    fill(owner.get(), 1, 10, 0);
    std::vector<member> few = sample(owner.get(), 10);
    medians small = report("10 tenants, 10 keys", measure(application().get(), few));
    fill(owner.get(), 11, 100000, 10);
    std::vector<member> some = sample(owner.get(), 1000);
    medians large = report("100,000 tenants, 1,000,000 keys", measure(application().get(), some));
    medians again = report("the same, only the 10 from before", measure(application().get(), few));
    std::printf("100,000 tenants against 10: bare SELECT %.2f x, enter %.2f x, enter_with_key %.2f x "
                "(of the same 10: %.2f x, %.2f x, %.2f x)\n",
                large.bare / small.bare, large.enter / small.enter, large.enter_with_key / small.enter_with_key,
                again.bare / small.bare, again.enter / small.enter, again.enter_with_key / small.enter_with_key);
    owner.reset();
    run(admin.get(), "DROP DATABASE bench_entering WITH (FORCE)");
    run(admin.get(), "DROP ROLE bench_entering");
}
