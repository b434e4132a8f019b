#include "vectors_made_up.hpp"

#include "pure/error.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using namespace vectors_test;

std::vector<std::uint8_t> some_block(metric by, std::size_t dims, std::size_t count, made_up& some) {
    block_builder builder{by, dims};
    for (std::size_t i = 0; i < count; ++i)
        builder.add(numbered(i), some.gaussian(dims).data());
    EXPECT_EQ(builder.size(), block_size(by, dims, count));
    return builder.pack();
}

std::string opened(const std::vector<std::uint8_t>& bytes) {
    // Without a byte to spare behind it.
    std::unique_ptr<std::uint8_t[]> tight{new std::uint8_t[bytes.size()]};
    std::copy(bytes.begin(), bytes.end(), tight.get());
    try {
        block_view block{tight.get(), bytes.size()};
        std::vector<float> asked(block.dimensions(), 1.0f);
        query prepared{block.by(), asked.data(), asked.size()};
        collector found{prepared, 3};
        scan(prepared, block, 7, found);
        found.end_scan();
        return block.verify() ? "good" : "false";
    } catch (const error& e) {
        EXPECT_FALSE(e.detail().empty());
        return e.sqlstate();
    }
}

TEST(vectors_block, keeps_what_it_was_given) {
    made_up some{5};
    for (metric by : all_metrics)
        for (std::size_t dims : {1, 3, 100, 384}) {
            std::vector<std::uint8_t> bytes = some_block(by, dims, 37, some);
            block_view block{bytes.data(), bytes.size()};
            EXPECT_EQ(block.by(), by);
            EXPECT_EQ(block.dimensions(), dims);
            ASSERT_EQ(block.count(), 37u);
            EXPECT_TRUE(block.verify());
            block_builder again{by, dims};
            for (std::size_t i = 0; i < 37; ++i) {
                EXPECT_EQ(block.id(i), numbered(i));
                again.add(block, i);
            }
            EXPECT_EQ(again.pack(), bytes);
            EXPECT_TRUE(again.is_empty());
            EXPECT_EQ(block_view(again.pack().data(), block_format::header).count(), 0u);
        }
}

TEST(vectors_block, refuses_damage) {
    made_up some{6};
    for (metric by : all_metrics) {
        std::vector<std::uint8_t> bytes = some_block(by, 5, 9, some);
        EXPECT_EQ(opened(bytes), "good");
        EXPECT_EQ(opened({}), "XX001");
        for (std::size_t size = 0; size < bytes.size(); ++size)
            EXPECT_EQ(opened({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}), "XX001");
        std::vector<std::uint8_t> longer = bytes;
        longer.push_back(0);
        EXPECT_EQ(opened(longer), "XX001");
        for (std::size_t at = 0; at < bytes.size(); ++at)
            for (int bit = 0; bit < 8; ++bit) {
                std::vector<std::uint8_t> flipped = bytes;
                flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1 << bit));
                EXPECT_NE(opened(flipped), "good") << at;
            }
    }
}

TEST(vectors_block, refuses_another_corpus) {
    made_up some{7};
    std::vector<std::uint8_t> bytes = some_block(metric::cosine, 5, 9, some);
    block_view block{bytes.data(), bytes.size()};
    std::vector<float> asked(6, 1.0f);
    for (metric by : all_metrics)
        for (std::size_t dims : {5, 6}) {
            if (by == metric::cosine && dims == 5) continue;
            query prepared{by, asked.data(), dims};
            collector found{prepared, 3};
            EXPECT_THROW(scan(prepared, block, 0, found), error);
            block_builder builder{by, dims};
            EXPECT_THROW(builder.add(block, 0), error);
        }
}

TEST(vectors_block, codes_are_near) {
    made_up some{8};
    for (metric by : all_metrics)
        for (std::size_t dims : {100, 384, 1536}) {
            std::vector<float> values = some.gaussian(dims, 3);
            std::vector<std::uint8_t> codes(dims);
            quantiser quantise{by, dims};
            code_facts facts = quantise.quantise(values.data(), codes.data());
            double norm = by == metric::cosine ? 1 : quantise.norm();
            EXPECT_LT(facts.residual, 0.01 * norm);
            EXPECT_GT(facts.residual, 0.004 * norm);
        }
}

} // namespace
