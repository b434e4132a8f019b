#include "tenancy/with_tenant.hpp"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using tenancy::detail::backoff_delay;
using tenancy::detail::is_retryable;

TEST(retry, only_serialization_failures_and_deadlocks) {
    EXPECT_TRUE(is_retryable(pqxx::serialization_failure{"", "", "40001"}));
    EXPECT_TRUE(is_retryable(pqxx::deadlock_detected{"", "", "40P01"}));
    EXPECT_FALSE(is_retryable(pqxx::statement_completion_unknown{"", "", "40003"}));
    EXPECT_FALSE(is_retryable(pqxx::sql_error{"could not serialize access", "", "XX000"}));
    EXPECT_FALSE(is_retryable(pqxx::sql_error{"", "", "TN006"}));
    EXPECT_FALSE(is_retryable(pqxx::sql_error{"", "", ""}));
}

TEST(retry, the_wait_doubles_up_to_its_bound) {
    tenancy::retry_options options;
    options.base_delay = 10ms;
    options.max_delay = 50ms;
    EXPECT_EQ(backoff_delay(1, options, 1.0), 10ms);
    EXPECT_EQ(backoff_delay(2, options, 1.0), 20ms);
    EXPECT_EQ(backoff_delay(3, options, 1.0), 40ms);
    EXPECT_EQ(backoff_delay(4, options, 1.0), 50ms);
    EXPECT_EQ(backoff_delay(1000, options, 1.0), 50ms);
    EXPECT_EQ(backoff_delay(3, options, 0.0), 0ms);
    EXPECT_EQ(backoff_delay(3, options, 0.5), 20ms);
    EXPECT_EQ(backoff_delay(-5, options, 1.0), 10ms);
}

TEST(retry, senseless_options_are_refused) {
    tenancy::retry_options options;
    EXPECT_NO_THROW(tenancy::detail::check_retry_options(options));
    options.max_attempts = 0;
    EXPECT_THROW(tenancy::detail::check_retry_options(options), std::invalid_argument);
    options = {};
    options.base_delay = -1ms;
    EXPECT_THROW(tenancy::detail::check_retry_options(options), std::invalid_argument);
    options = {};
    options.max_delay = -1ms;
    EXPECT_THROW(tenancy::detail::check_retry_options(options), std::invalid_argument);
}

TEST(pool, senseless_options_are_refused) {
    EXPECT_THROW((tenancy::pool{"", {0, 1s}}), std::invalid_argument);
    EXPECT_THROW((tenancy::pool{"", {1, -1ms}}), std::invalid_argument);
    EXPECT_THROW((tenancy::pool{"", {1'000'000, 1s}}), std::invalid_argument);
}

} // namespace
