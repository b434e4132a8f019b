#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "support/proxy.hpp"
#include "tenancy/tenancy.hpp"

namespace bench {

/// The superuser's connection string; says what is missing and ends the program otherwise.
inline std::string url_or_exit() {
    const char* url = std::getenv("TENANCY_TEST_URL");
    if (!url || !*url) {
        std::cerr << "set TENANCY_TEST_URL to a superuser's connection string (scripts/cluster url NAME)\n";
        std::exit(2);
    }
    return url;
}

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

inline double seconds(const std::chrono::steady_clock::time_point& since) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

/// Processor time in seconds that this program and a server process on this machine have used so far.
inline double processor_time(int backend) {
    rusage mine{};
    getrusage(RUSAGE_SELF, &mine);
    double sum = static_cast<double>(mine.ru_utime.tv_sec + mine.ru_stime.tv_sec) +
                 1e-6 * static_cast<double>(mine.ru_utime.tv_usec + mine.ru_stime.tv_usec);
    std::ifstream in{"/proc/" + std::to_string(backend) + "/stat"};
    std::string line;
    std::getline(in, line);
    // After the name, which may hold blanks, come ten fields before the two that count.
    std::istringstream fields{line.substr(line.rfind(')') + 1)};
    std::string skipped;
    for (int i = 0; i < 11; ++i)
        fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return sum + (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Which processor, how many of them, which server: what a number means without.
inline std::string machine(pqxx::connection& c) {
    std::string cpu = "unknown processor";
    std::ifstream in{"/proc/cpuinfo"};
    for (std::string line; std::getline(in, line);) {
        if (line.rfind("model name", 0) == 0) {
            cpu = line.substr(line.find(':') + 2);
            break;
        }
    }
    pqxx::nontransaction tx{c};
    const auto rows = tx.exec("SELECT current_setting('server_version')");
    return cpu + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads, PostgreSQL " +
           rows[0][0].c_str() + ", libpqxx " + PQXX_VERSION + ", unix socket";
}

/// A database of its own, dropped at the end.
class scratch_database {
public:
    explicit scratch_database(std::string url) : url_{std::move(url)} {
        execute(url_, "DROP DATABASE IF EXISTS tenancy_bench WITH (FORCE)");
        execute(url_, "DROP ROLE IF EXISTS tenancy_bench_app");
        execute(url_, "CREATE DATABASE tenancy_bench TEMPLATE template0");
        execute(url_, "CREATE ROLE tenancy_bench_app LOGIN");
        execute(superuser(), "CREATE EXTENSION tenancy CASCADE");
    }
    ~scratch_database() {
        try {
            execute(url_, "DROP DATABASE IF EXISTS tenancy_bench WITH (FORCE)");
            execute(url_, "DROP ROLE IF EXISTS tenancy_bench_app");
        } catch (const std::exception& e) {
            std::cerr << e.what() << "\n";
        }
    }
    scratch_database(const scratch_database&) = delete;
    scratch_database& operator=(const scratch_database&) = delete;

    [[nodiscard]] std::string superuser() const { return url_ + " dbname=tenancy_bench"; }
    [[nodiscard]] std::string app() const { return superuser() + " user=tenancy_bench_app"; }

    /// The same through another socket, such as a proxy's.
    [[nodiscard]] std::string app_through(const std::string& host) const { return app() + " host=" + host; }

    /// Runs SQL and returns its first field.
    static std::string execute(const std::string& conninfo, const std::string& sql) {
        pqxx::connection c{conninfo};
        pqxx::nontransaction tx{c};
        tx.exec("SET client_min_messages = warning");
        const auto rows = tx.exec(sql);
        return rows.empty() || rows[0].size() == 0 || rows[0][0].is_null() ? "" : rows[0][0].c_str();
    }

private:
    std::string url_;
};

} // namespace bench
