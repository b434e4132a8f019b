#include "pure/uuid.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using tenancy::uuid;

constexpr char sample[] = "0123abcd-4567-89ef-8123-456789abcdef";

std::string text_of(const uuid& value) {
    char text[uuid::text_length + 1];
    tenancy::format_canonical(value, text);
    return text;
}

TEST(uuid, a_canonical_text_comes_back_as_it_was) {
    uuid parsed{};
    ASSERT_TRUE(tenancy::parse_canonical(sample, parsed));
    EXPECT_EQ(parsed.bytes[0], 0x01);
    EXPECT_EQ(parsed.bytes[15], 0xef);
    EXPECT_EQ(text_of(parsed), sample);
}

TEST(uuid, other_spellings_are_refused_and_write_nothing) {
    const std::string good{sample};
    std::string with_zero = good;
    with_zero[7] = '\0';
    for (const std::string& bad :
         {std::string{}, good.substr(1), good + "0", "{" + good + "}", std::string{"0123ABCD-4567-89EF-8123-456789ABCDEF"},
          std::string{"0123abcd4567-89ef-8123-456789abcdef0-"}, std::string{"0123abcd-4567-89ef-8123-456789abcdeg"},
          std::string{" 123abcd-4567-89ef-8123-456789abcdef"}, std::string(36, '-'), std::string(1 << 20, 'a'), with_zero}) {
        uuid untouched{{7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}};
        EXPECT_FALSE(tenancy::parse_canonical(bad, untouched)) << bad.substr(0, 50);
        EXPECT_EQ(untouched.bytes[0], 7);
    }
}

TEST(uuid, version_7_holds_time_version_variant_and_randomness) {
    const std::uint8_t ones[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const std::uint8_t zeros[8] = {};
    // 2022-02-22 19:22:22 UTC, the example of RFC 9562, appendix A.6.
    const std::uint64_t microseconds = 1645557742000ULL * 1000;
    EXPECT_EQ(text_of(tenancy::make_uuid_v7(microseconds, zeros)), "017f22e2-79b0-7000-8000-000000000000");
    EXPECT_EQ(text_of(tenancy::make_uuid_v7(microseconds + 999, ones)), "017f22e2-79b0-7ffb-bfff-ffffffffffff");
}

TEST(uuid, later_microseconds_sort_later_whatever_the_random_part_is) {
    const std::uint8_t ones[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const std::uint8_t zeros[8] = {};
    for (std::uint64_t now = 1700000000000000ULL; now < 1700000000000000ULL + 3000; ++now)
        ASSERT_LT(text_of(tenancy::make_uuid_v7(now, ones)), text_of(tenancy::make_uuid_v7(now + 1, zeros))) << now;
}

} // namespace
