#include "search/pure/bm25.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace {

using namespace tenancy::search;

// Three chunks of 2, 4 and 6 words; the first term stands in one of them, the second in all.
bm25_statistics three_chunks() {
    bm25_statistics statistics{2};
    for (unsigned length : {2u, 4u, 6u})
        statistics.add_chunk(length);
    statistics.add_holder(0);
    for (int i = 0; i < 3; ++i)
        statistics.add_holder(1);
    return statistics;
}

TEST(bm25, is_the_formula) {
    bm25_scorer scorer{three_chunks(), {1, 1}};
    std::uint32_t frequencies[] = {2, 1};
    double rare = std::log(1 + (3 - 1 + 0.5) / (1 + 0.5)) * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 6 / 4.0));
    double common = std::log(1 + (3 - 3 + 0.5) / (3 + 0.5)) * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 6 / 4.0));
    EXPECT_DOUBLE_EQ(scorer.score(6, frequencies), rare + common);
}

TEST(bm25, a_word_that_is_everywhere_still_counts_a_little) {
    bm25_scorer scorer{three_chunks(), {1, 1}};
    std::uint32_t frequencies[] = {0, 1};
    EXPECT_GT(scorer.score(4, frequencies), 0);
}

TEST(bm25, shorter_rarer_and_more_often_is_better) {
    bm25_scorer scorer{three_chunks(), {1, 1}};
    std::uint32_t rare[] = {1, 0}, common[] = {0, 1}, twice[] = {2, 0};
    EXPECT_GT(scorer.score(4, rare), scorer.score(4, common));
    EXPECT_GT(scorer.score(2, rare), scorer.score(4, rare));
    EXPECT_GT(scorer.score(4, twice), scorer.score(4, rare));
}

TEST(bm25, no_term_scores_nothing) {
    bm25_scorer scorer{three_chunks(), {1, 1}};
    std::uint32_t frequencies[] = {0, 0};
    EXPECT_EQ(scorer.score(4, frequencies), 0);
}

TEST(bm25, a_word_asked_twice_counts_twice) {
    bm25_scorer once{three_chunks(), {1, 1}}, twice{three_chunks(), {2, 2}};
    std::uint32_t frequencies[] = {1, 3};
    EXPECT_DOUBLE_EQ(twice.score(5, frequencies), 2 * once.score(5, frequencies));
}

TEST(bm25, empty_statistics_do_no_harm) {
    bm25_statistics none{1};
    EXPECT_EQ(none.average_length(), 0);
    bm25_scorer scorer{none, {1}};
    std::uint32_t frequencies[] = {0};
    EXPECT_EQ(scorer.score(0, frequencies), 0);

    bm25_statistics empty_chunks{1};
    empty_chunks.add_chunk(0);
    std::uint32_t one[] = {1};
    EXPECT_TRUE(std::isfinite(bm25_scorer(empty_chunks, {1}).score(0, one)));
}

} // namespace
