#include "store/pure/recent.hpp"

#include <gtest/gtest.h>

namespace {

struct noted {
    std::uint64_t number;
    int value;
};

template <std::size_t Sets>
const noted* find(const tenancy::store::recent<noted, Sets>& in, std::uint64_t number) {
    return in.find(number, [=](const noted& one) { return one.number == number && one.value != 0; });
}

template <std::size_t Sets>
void keep(tenancy::store::recent<noted, Sets>& in, std::uint64_t number, int value) {
    in.keep(number, {number, value}, [=](const noted& one) { return one.number == number; });
}

TEST(recent, finds_what_was_kept_and_nothing_else) {
    tenancy::store::recent<noted, 64> some;
    EXPECT_EQ(find(some, 1), nullptr);
    keep(some, 1, 10);
    keep(some, 2, 20);
    ASSERT_NE(find(some, 1), nullptr);
    EXPECT_EQ(find(some, 1)->value, 10);
    EXPECT_EQ(find(some, 2)->value, 20);
    EXPECT_EQ(find(some, 3), nullptr);
    keep(some, 1, 11);
    EXPECT_EQ(find(some, 1)->value, 11) << "the latest is found";
}

TEST(recent, keeps_the_latest) {
    tenancy::store::recent<noted, 2> few;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        keep(few, i, 1);
        ASSERT_NE(find(few, i), nullptr);
    }
    int left = 0;
    for (std::uint64_t i = 1; i <= 1000; ++i)
        left += find(few, i) != nullptr;
    EXPECT_EQ(left, 8) << "as many as there is room for";
    EXPECT_NE(find(few, 999), nullptr);
}

TEST(recent, keeping_one_again_drives_no_other_out) {
    tenancy::store::recent<noted, 2> few;
    for (std::uint64_t i = 1; i <= 2; ++i)
        keep(few, i, 1);
    for (int i = 1; i <= 100; ++i)
        keep(few, 1, i);
    EXPECT_NE(find(few, 2), nullptr);
}

/// Ids that are counted up differ in a few bits, wherever those are.
TEST(recent, spreads_numbers_that_differ_in_a_few_bits) {
    for (int shift : {0, 8, 16, 24, 32, 40, 48, 54}) {
        tenancy::store::recent<noted, 256> some;
        for (std::uint64_t i = 0; i < 512; ++i)
            keep(some, i << shift, 1);
        int left = 0;
        for (std::uint64_t i = 0; i < 512; ++i)
            left += find(some, i << shift) != nullptr;
        EXPECT_GT(left, 460) << "of 512 in 1,024 places, counted from bit " << shift;
    }
}

} // namespace
