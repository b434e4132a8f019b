#include "tenancy/with_tenant.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

namespace tenancy::detail {

void check_retry_options(const retry_options& options) {
    if (options.max_attempts < 1)
        throw std::invalid_argument{"max_attempts must be at least 1, not " +
                                    std::to_string(options.max_attempts)};
    if (options.base_delay.count() < 0 || options.max_delay.count() < 0)
        throw std::invalid_argument{"the delays between attempts must not be negative"};
}

bool is_retryable(const pqxx::sql_error& e) noexcept {
    return e.sqlstate() == "40001" || e.sqlstate() == "40P01";
}

std::chrono::microseconds backoff_delay(int failed_attempts, const retry_options& options,
                                        double share) noexcept {
    const int doublings = std::clamp(failed_attempts - 1, 0, 30);
    const double bound = std::min(std::chrono::duration<double, std::micro>(options.base_delay).count() *
                                      static_cast<double>(1u << doublings),
                                  std::chrono::duration<double, std::micro>(options.max_delay).count());
    return std::chrono::microseconds{static_cast<std::int64_t>(bound * std::clamp(share, 0.0, 1.0))};
}

void wait_before_retry(int failed_attempts, const retry_options& options) {
    thread_local std::minstd_rand engine{std::random_device{}()};
    std::uniform_real_distribution<double> share{0.0, 1.0};
    std::this_thread::sleep_for(backoff_delay(failed_attempts, options, share(engine)));
}

} // namespace tenancy::detail
