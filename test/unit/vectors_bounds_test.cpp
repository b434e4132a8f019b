#include "vectors/pure/rounding.hpp"
#include "vectors_made_up.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using namespace vectors_test;

void expect_bounds(metric by, const std::vector<float>& asked, const std::vector<std::vector<float>>& rows) {
    block_builder builder{by, asked.size()};
    for (std::size_t i = 0; i < rows.size(); ++i)
        builder.add(numbered(i), rows[i].data());
    std::vector<std::uint8_t> bytes = builder.pack();
    block_view block{bytes.data(), bytes.size()};
    query prepared{by, asked.data(), asked.size()};
    std::vector<float> approximate(rows.size()), upper(rows.size());
    compare(prepared, block, 0, rows.size(), approximate.data(), upper.data());
    std::vector<std::int32_t> products(rows.size());
    std::vector<float> coarse(rows.size());
    multiply(prepared.uses(), prepared.coarse_planes(), block.codes(), rows.size(), block.readable(), products.data());
    ASSERT_TRUE(prepared.coarse_keys(products.data(), block.facts(), rows.size(), coarse.data()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        float refined = prepared.refined(approximate[i], upper[i], block.facts().at(i));
        ASSERT_LE(refined, upper[i]);
        for (std::size_t lanes : {1, 4, 8, 16}) {
            double score = exact(by, rows[i], asked, lanes);
            ASSERT_GE(prepared.score_of(refined), score)
                << asked.size() << " dimensions, metric " << static_cast<int>(by);
            ASSERT_GE(prepared.score_of(coarse[i]), score);
            ASSERT_GE(std::min(refined, coarse[i]), prepared.key_of(score));
        }
    }
}

TEST(vectors_bounds, are_rounded_up_as_nextafter_has_it) {
    constexpr float infinite = std::numeric_limits<float>::infinity();
    made_up some{9};
    std::vector<double> numbers = {0.0, -0.0, 1e-300, -1e-300, 1.0, -1.0, 1e300, -1e300, 0x1p-149, -0x1p-149, 0x1p-126, -0x1p-126, 0x1.fffffep127,
                                   0x1.fffffe1p127, -0x1.fffffe1p127, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    for (float value : some.gaussian(1000)) {
        numbers.push_back(value);
        numbers.push_back(value * (1 + 0x1p-40));
        numbers.push_back(value * (1 - 0x1p-40) * 1e-42);
    }
    for (double number : numbers) {
        float expected = static_cast<float>(number);
        if (static_cast<double>(expected) < number) expected = std::nextafter(expected, infinite);
        EXPECT_EQ(round_up(number), expected) << number;
        EXPECT_GE(static_cast<double>(round_up(number)), number);
    }
    EXPECT_TRUE(std::isnan(round_up(std::nan(""))));
}

TEST(vectors_bounds, hold_for_gaussian_vectors) {
    made_up some{1};
    for (std::size_t dims : {1, 2, 3, 7, 16, 100, 129, 384, 1000, 4000})
        for (metric by : all_metrics)
            for (int round = 0; round < 20; ++round) {
                std::vector<float> asked = some.gaussian(dims);
                std::vector<std::vector<float>> rows;
                for (std::size_t i = 0; i < 2000 / dims + 20; ++i) {
                    rows.push_back(some.gaussian(dims, std::ldexp(1, static_cast<int>(i % 20) - 10)));
                    // Near, nearer, equal, opposite.
                    rows.push_back(asked);
                    for (float& value : rows.back())
                        value += static_cast<float>(some.normal() * std::ldexp(1, -static_cast<int>(some.below(25))));
                    rows.push_back(asked);
                    for (float& value : rows.back())
                        value *= i % 2 ? 1.0f : -2.0f;
                }
                expect_bounds(by, asked, rows);
                if (HasFatalFailure()) return;
            }
}

TEST(vectors_bounds, hold_for_adversarial_vectors) {
    made_up some{2};
    for (std::size_t dims : {1, 2, 3, 5, 64, 100, 385})
        for (metric by : all_metrics)
            for (int round = 0; round < 300; ++round) {
                std::vector<std::vector<float>> rows;
                for (int i = 0; i < 60; ++i)
                    rows.push_back(some.adversarial(dims));
                std::vector<float> asked = round % 4 ? some.adversarial(dims) : rows[some.below(rows.size())];
                expect_bounds(by, asked, rows);
                if (HasFatalFailure()) return;
            }
}

} // namespace
