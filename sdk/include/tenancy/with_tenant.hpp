#pragma once

#include <chrono>
#include <optional>
#include <type_traits>
#include <utility>

#include "tenancy/detail/compat.hpp"
#include "tenancy/detail/export.hpp"
#include "tenancy/pool.hpp"
#include "tenancy/transaction.hpp"

namespace tenancy {

/// How often and how soon @ref with_tenant tries again.
struct retry_options {
    /// Attempts in all, the first included; at least 1.
    int max_attempts = 5;
    /// The longest wait before the second attempt; each further one may be twice as long.
    std::chrono::milliseconds base_delay{5};
    /// No wait is longer.
    std::chrono::milliseconds max_delay{1000};
};

/// What @ref with_tenant takes beside the work.
struct with_tenant_options {
    transaction_options transaction;
    retry_options retry;
};

namespace detail {

/// Throws std::invalid_argument for options that make no sense.
TENANCY_EXPORT void check_retry_options(const retry_options& options);

/// Whether the server rolled back for a reason that goes away by trying again: 40001 and 40P01.
TENANCY_EXPORT bool is_retryable(const pqxx::sql_error& e) noexcept;

/// How long to wait after a failed attempt: a random share of a bound that doubles ("full jitter").
/**
 * @param failed_attempts attempts that have failed so far, from 1
 * @param share random, in [0, 1)
 */
TENANCY_EXPORT std::chrono::microseconds backoff_delay(int failed_attempts, const retry_options& options,
                                                       double share) noexcept;

/// Waits as long as backoff_delay says, with a share of its own choice.
TENANCY_EXPORT void wait_before_retry(int failed_attempts, const retry_options& options);

} // namespace detail

/// Runs a function in a transaction of a tenant, commits, and tries again where that is safe.
/**
 * The whole function runs again after a serialization failure (40001) or a deadlock (40P01), on the server's
 * word that nothing of the attempt remains, and when the connection turned out to be dead at BEGIN, before
 * the function ran. Everything else ends it; above all a commit in doubt (`pqxx::in_doubt_error`) is never
 * repeated. So @a f must not do what cannot be done twice, such as sending mail; do that with what
 * with_tenant returns.
 *
 * @param p where the connection comes from; it is given back between attempts
 * @param who the tenant, by id or slug, or a user in a tenant
 * @param f called with a `tenancy::transaction&`; it need not commit
 * @param options isolation level, number of attempts
 * @return what @a f returned, once committed
 * @throws pqxx::in_doubt_error if it is unknown whether the commit happened
 * @throws pool_timeout if no connection became free
 * @throws the types of errors.hpp, and whatever @a f or libpqxx throws; the last attempt's error if all
 * attempts failed
 */
template <class F>
auto with_tenant(pool& p, const caller& who, F&& f, const with_tenant_options& options = {})
    -> std::invoke_result_t<F&, transaction&> {
    using result_type = std::invoke_result_t<F&, transaction&>;
    detail::check_retry_options(options.retry);
    for (int attempt = 1;; ++attempt) {
        const bool last = attempt >= options.retry.max_attempts;
        {
            lease l = p.acquire();
            bool begun = false;
            try {
                return l->translating([&]() -> result_type {
                    transaction tx{*l, who, options.transaction};
                    begun = true;
                    if constexpr (std::is_void_v<result_type>) {
                        f(tx);
                        tx.commit();
                    } else {
                        result_type result = f(tx);
                        tx.commit();
                        return result;
                    }
                });
            } catch (const pqxx::in_doubt_error&) {
                throw;
            } catch (const pqxx::sql_error& e) {
                const bool dead_at_begin = !begun && !l->is_open();
                if (last || !(detail::is_retryable(e) || dead_at_begin))
                    throw;
            } catch (const pqxx::broken_connection&) {
                if (last || begun)
                    throw;
            }
        }
        detail::wait_before_retry(attempt, options.retry);
    }
}

} // namespace tenancy
