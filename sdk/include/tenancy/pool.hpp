#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "tenancy/connection.hpp"
#include "tenancy/detail/export.hpp"

namespace tenancy {

/// How a pool behaves.
struct pool_options {
    /// The most connections that are open at a time; at least 1.
    std::size_t max_size = 8;
    /// How long @ref pool::acquire waits for a connection to become free; zero means not at all.
    std::chrono::milliseconds wait_timeout{5000};
};

/// What a pool has done and holds; numbers of connections.
struct pool_stats {
    /// Open connections that nobody uses.
    std::size_t idle = 0;
    /// Connections that are leased or being opened.
    std::size_t in_use = 0;
    /// Connections opened since the pool was made.
    std::size_t opened = 0;
    /// Connections thrown away because they were dead, inside a transaction, or had a tenant.
    std::size_t discarded = 0;
};

class pool;

namespace detail {
struct pool_state;
}

/// A connection borrowed from a pool; it goes back when this object is destroyed.
/**
 * It goes back only if it is open, idle, and its session has no tenant. Otherwise it is closed, and the pool
 * opens a new one when needed. Session settings, temporary tables and prepared statements that were made on
 * it stay on it.
 */
class TENANCY_EXPORT lease {
public:
    lease(lease&&) noexcept;
    lease& operator=(lease&&) noexcept;
    ~lease();

    [[nodiscard]] connection& operator*() const noexcept { return *connection_; }
    [[nodiscard]] connection* operator->() const noexcept { return connection_.get(); }

private:
    friend class pool;
    lease(std::shared_ptr<detail::pool_state> state, std::unique_ptr<connection> c) noexcept;
    void give_back() noexcept;

    std::shared_ptr<detail::pool_state> state_;
    std::unique_ptr<connection> connection_;
};

/// A bounded set of connections, for any number of threads.
/**
 * Connections are opened when needed. One that died while nobody used it is noticed when it is next taken,
 * without a round trip, and replaced. Leases may outlive the pool object.
 */
class TENANCY_EXPORT pool {
public:
    /// Makes an empty pool; connects to nothing yet.
    /**
     * @param conninfo a libpq connection string or URI
     * @param options bounds
     * @throws std::invalid_argument if `options.max_size` is 0 or `options.wait_timeout` is negative
     */
    explicit pool(std::string conninfo, pool_options options = {});
    ~pool();
    pool(const pool&) = delete;
    pool& operator=(const pool&) = delete;

    /// Takes a connection, opens one, or waits for one.
    /**
     * @throws pool_timeout if all `max_size` connections stay in use for `wait_timeout`
     * @throws pqxx::broken_connection if a connection cannot be opened
     */
    [[nodiscard]] lease acquire();

    /// The same with another time to wait.
    [[nodiscard]] lease acquire(std::chrono::milliseconds wait_timeout);

    /// Numbers of connections now and so far.
    [[nodiscard]] pool_stats stats() const;

private:
    std::shared_ptr<detail::pool_state> state_;
};

} // namespace tenancy
