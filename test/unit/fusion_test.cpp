#include "search/pure/fusion.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace {

using namespace tenancy;
using namespace tenancy::search;

uuid key(unsigned number) {
    uuid result{};
    result.bytes[14] = static_cast<std::uint8_t>(number >> 8);
    result.bytes[15] = static_cast<std::uint8_t>(number);
    return result;
}

unsigned number(const uuid& key) { return key.bytes[14] * 256u + key.bytes[15]; }

fused both(unsigned number, double vector, double text) { return {key(number), true, vector, text, -1}; }

std::vector<unsigned> order(const std::vector<fused>& candidates) {
    std::vector<unsigned> numbers;
    for (const auto& candidate : candidates)
        numbers.push_back(number(candidate.key));
    return numbers;
}

using numbers = std::vector<unsigned>;

TEST(fusion, names) {
    fusion parsed;
    EXPECT_TRUE(parse_fusion("auto", parsed));
    EXPECT_EQ(parsed, fusion::automatic);
    EXPECT_TRUE(parse_fusion("rrf", parsed));
    EXPECT_EQ(parsed, fusion::rrf);
    EXPECT_TRUE(parse_fusion("convex", parsed));
    EXPECT_EQ(parsed, fusion::convex);
    for (const char* bad : {"", "AUTO", "rrf ", "sum"})
        EXPECT_FALSE(parse_fusion(bad, parsed)) << bad;
}

TEST(fusion, rrf_sums_reciprocal_ranks_of_the_lanes_that_rank) {
    std::vector<fused> candidates{both(1, 0.9, 0), both(2, 0.8, 5), both(3, 0.7, 7)};
    fuse(candidates, 10, {fusion::rrf, 0, 60});
    EXPECT_EQ(order(candidates), (numbers{3, 2, 1}));
    EXPECT_DOUBLE_EQ(candidates[0].combined, 1.0 / 61 + 1.0 / 63);
    EXPECT_DOUBLE_EQ(candidates[1].combined, 1.0 / 62 + 1.0 / 62);
    EXPECT_DOUBLE_EQ(candidates[2].combined, 1.0 / 61);
}

TEST(fusion, auto_does_not_let_embeddings_that_know_nothing_drag) {
    std::mt19937 random{5};
    std::normal_distribution<double> noise;
    std::vector<fused> unknowing, knowing;
    for (unsigned i = 1; i <= 400; ++i) {
        double text = 30.0 / i;
        unknowing.push_back(both(i, noise(random), text));
        knowing.push_back(both(i, noise(random) + 100.0 / (i + 10), text));
    }
    fuse(unknowing, 400, {});
    std::vector<unsigned> first = order(unknowing);
    unsigned among_ten = 0;
    for (unsigned place = 0; place < 10; ++place)
        among_ten += first[place] <= 10;
    EXPECT_GE(among_ten, 9u);
    fuse(knowing, 400, {});
    EXPECT_GT(knowing[0].combined, unknowing[0].combined);
}

TEST(fusion, rrf_counts_no_place_below_the_depth) {
    std::vector<fused> candidates{both(1, 0.9, 1), both(2, 0.8, 2), both(3, 0.7, 3)};
    fuse(candidates, 1, {fusion::rrf, 0, 60});
    EXPECT_EQ(order(candidates), (numbers{1, 3, 2}));
    EXPECT_EQ(candidates[2].combined, 0);
}

TEST(fusion, convex_weighs_scaled_scores) {
    std::vector<fused> candidates{both(1, 0.5, 0), both(2, 0.3, 10), both(3, 0.1, 5)};
    fuse(candidates, 10, {fusion::convex, 0.4, 60});
    EXPECT_EQ(order(candidates), (numbers{2, 1, 3}));
    EXPECT_DOUBLE_EQ(candidates[0].combined, 0.4 * 1 + 0.6 * 0.5);
    EXPECT_DOUBLE_EQ(candidates[1].combined, 0.6 * 1);
    EXPECT_DOUBLE_EQ(candidates[2].combined, 0.4 * 0.5);
}

TEST(fusion, the_ends_of_the_weight_are_the_lanes_alone) {
    std::vector<fused> candidates{both(1, 0.5, 1), both(2, 0.3, 10), both(3, 0.1, 5)};
    fuse(candidates, 10, {fusion::convex, 0, 60});
    EXPECT_EQ(order(candidates), (numbers{1, 2, 3}));
    fuse(candidates, 10, {fusion::convex, 1, 60});
    EXPECT_EQ(order(candidates), (numbers{2, 3, 1}));
}

TEST(fusion, ties_go_by_key) {
    for (fusion how : {fusion::automatic, fusion::rrf, fusion::convex}) {
        std::vector<fused> candidates{both(3, 0.5, 0), both(1, 0.5, 0), both(2, 0.5, 0)};
        fuse(candidates, 10, {how, 0.3, 60});
        EXPECT_EQ(order(candidates), (numbers{1, 2, 3}));
    }
}

TEST(fusion, a_chunk_without_embedding_ranks_by_its_words) {
    for (fusion how : {fusion::automatic, fusion::rrf, fusion::convex}) {
        std::vector<fused> candidates{both(1, 0.9, 0), both(2, 0.8, 0), both(3, 0.1, 0), {key(4), false, 0, 9, 0}};
        fuse(candidates, 10, {how, 0.5, 60});
        EXPECT_NE(number(candidates.back().key), 4u);
    }
}

TEST(fusion, nothing_and_one) {
    for (fusion how : {fusion::automatic, fusion::rrf, fusion::convex}) {
        std::vector<fused> none;
        fuse(none, 10, {how, 0.3, 60});
        EXPECT_TRUE(none.empty());
        std::vector<fused> one{both(7, 0.2, 3)};
        fuse(one, 10, {how, 0.3, 60});
        EXPECT_EQ(order(one), (numbers{7}));
        EXPECT_TRUE(std::isfinite(one[0].combined));
    }
}

// A lane of noise beside one that lifts ten chunks out of two hundred: what the good one found must stay in front.
TEST(fusion, auto_follows_the_lane_that_tells_apart) {
    std::mt19937 random{7};
    std::uniform_real_distribution<double> noise{0.4, 0.6};
    for (bool words_know : {true, false}) {
        std::vector<fused> candidates;
        for (unsigned i = 0; i < 200; ++i) {
            double knows = i < 10 ? 8 + noise(random) : noise(random), guesses = noise(random);
            candidates.push_back(words_know ? both(i, guesses, knows) : both(i, knows, guesses));
        }
        fuse(candidates, 200, {});
        for (unsigned i = 0; i < 10; ++i)
            EXPECT_LT(number(candidates[i].key), 10u);
    }
}

TEST(fusion, depth_is_enough_for_small_and_large_counts) {
    EXPECT_EQ(lane_depth(1), 200);
    EXPECT_EQ(lane_depth(100), 1000);
    EXPECT_EQ(lane_depth(2147483647), 21474836470);
}

TEST(best_of, keeps_the_best_in_order) {
    std::mt19937 random{3};
    std::vector<ranked> all;
    for (unsigned i = 0; i < 1000; ++i)
        all.push_back({key(static_cast<unsigned>(random() % 500)), static_cast<double>(random() % 50)});
    best_of best{100};
    for (const auto& one : all)
        best.offer(one);
    auto kept = best.take();
    std::sort(all.begin(), all.end(), ranks_before);
    ASSERT_EQ(kept.size(), 100u);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        EXPECT_EQ(kept[i].score, all[i].score);
        EXPECT_EQ(kept[i].key, all[i].key);
    }
}

TEST(best_of, a_huge_limit_costs_nothing) {
    best_of best{21474836470};
    best.offer({key(1), 1});
    EXPECT_EQ(best.take().size(), 1u);
    best_of none{0};
    none.offer({key(1), 1});
    EXPECT_TRUE(none.take().empty());
}

} // namespace
