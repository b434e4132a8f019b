#include "vectors_made_up.hpp"

#include "vectors/pure/clusters.hpp"
#include "vectors/pure/scan.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace vectors_test;

struct tenant {
    metric by;
    std::size_t dims;
    std::vector<std::vector<float>> rows;
    std::vector<std::vector<std::uint8_t>> packed;

    tenant(made_up& some, metric of, std::size_t wide, std::size_t count) : by{of}, dims{wide} {
        std::vector<std::vector<float>> subjects;
        for (int i = 0; i < 80; ++i)
            subjects.push_back(some.gaussian(dims));
        block_builder builder{by, dims};
        for (std::size_t i = 0; i < count; ++i) {
            // Some subjects are far more common than others.
            std::size_t subject = some.below(80);
            rows.push_back(subjects[some.below(subject + 1)]);
            for (float& value : rows.back())
                value += static_cast<float>(some.normal() * 0.6);
            builder.add(numbered(i), rows.back().data());
            if (builder.count() == 50 || i + 1 == count) packed.push_back(builder.pack());
        }
    }

    std::vector<block_view> blocks() const {
        std::vector<block_view> views;
        for (const auto& bytes : packed)
            views.push_back({bytes.data(), bytes.size()});
        return views;
    }
};

TEST(vectors_clusters, are_the_same_each_time_and_even) {
    made_up some{30};
    for (metric by : all_metrics) {
        tenant of{some, by, 24, 3000};
        std::size_t called = 0;
        clusters made{by, 24, of.blocks(), 50, [&] { ++called; }};
        clusters again{by, 24, of.blocks(), 50};
        ASSERT_EQ(made.count(), 50u);
        EXPECT_GT(called, 50u);
        std::vector<std::size_t> members(50);
        for (const block_view& block : of.blocks()) {
            auto first = made.assign(block), second = again.assign(block);
            for (std::size_t i = 0; i < block.count(); ++i) {
                ASSERT_EQ(first[i].number, second[i].number);
                ASSERT_EQ(first[i].distance, second[i].distance);
                ++members[first[i].number];
            }
        }
        EXPECT_LT(*std::max_element(members.begin(), members.end()), 6u * 60) << static_cast<int>(by);
    }
}

/// No member has a better key than its cluster's bound, and a few of the nearest clusters hold most of the answer.
TEST(vectors_clusters, bound_their_members) {
    made_up some{31};
    for (metric by : all_metrics)
        for (std::size_t dims : {3, 40}) {
            tenant of{some, by, dims, 2000};
            clusters made{by, dims, of.blocks(), 40};
            std::vector<float> radii(made.count());
            std::vector<std::size_t> homes;
            for (const block_view& block : of.blocks())
                for (const auto& each : made.assign(block)) {
                    homes.push_back(each.number);
                    radii[each.number] = std::max(radii[each.number], each.distance);
                }
            block_builder centres{by, dims};
            for (std::size_t i = 0; i < made.count(); ++i)
                centres.add(pack_cluster({static_cast<std::uint32_t>(i), radii[i], 1}), made.centre(i));
            std::vector<std::uint8_t> bytes = centres.pack();
            block_view block{bytes.data(), bytes.size()};

            probe_table learned;
            for (int turn = 0; turn < 40; ++turn) {
                std::vector<float> asked = turn % 2 ? some.gaussian(dims) : of.rows[some.below(of.rows.size())];
                query prepared{by, asked.data(), dims};
                std::vector<float> near(made.count()), upper(made.count());
                compare(prepared, block, 0, made.count(), near.data(), upper.data());
                std::vector<std::size_t> order(made.count());
                for (std::size_t i = 0; i < order.size(); ++i)
                    order[i] = i;
                std::sort(order.begin(), order.end(), [&](auto a, auto b) { return near[a] > near[b]; });
                std::vector<ranked> all;
                for (std::size_t i = 0; i < of.rows.size(); ++i) {
                    cluster home = unpack_cluster(block.id(homes[i]));
                    ASSERT_EQ(home.number, homes[i]);
                    float bound =
                        bound_of_members(prepared, upper[homes[i]], home.radius, block.facts().at(homes[i]).norm);
                    double score = exact(by, of.rows[i], asked, 8);
                    ASSERT_GE(prepared.score_of(bound), score) << dims << " dimensions, " << static_cast<int>(by);
                    all.push_back({numbered(homes[i]), score});
                }
                std::sort(all.begin(), all.end(), search::ranks_before);
                for (std::size_t i = 0; i < 10 && turn % 2 == 0; ++i)
                    for (std::uint32_t rank = 0; rank < order.size(); ++rank)
                        if (numbered(order[rank]) == all[i].key) learned.add(rank);
            }
            EXPECT_EQ(learned.samples(), 200u);
            if (by != metric::inner_product) {
                EXPECT_LT(learned.probes_for(0.9, 40), 20u);
            }
            EXPECT_LE(learned.probes_for(0.9, 40), learned.probes_for(0.95, 40));
            EXPECT_EQ(learned.probes_for(0.9999, 40), 40u);
        }
}

TEST(vectors_clusters, few_samples_promise_little) {
    probe_table none, one, many;
    EXPECT_EQ(none.probes_for(0.9, 7), 7u);
    EXPECT_EQ(none.expected_recall(7), 0);
    one.add(0);
    EXPECT_LT(one.expected_recall(1), 0.5);
    for (int i = 0; i < 10000; ++i)
        many.add(i % 100 == 0 ? 5 : 0);
    EXPECT_NEAR(many.expected_recall(1), 0.988, 0.002);
    EXPECT_EQ(many.probes_for(0.98, 100), 1u);
    EXPECT_EQ(many.probes_for(0.995, 100), 6u);
}

TEST(vectors_clusters, of_little) {
    EXPECT_EQ(clusters::usual_count(0), 1u);
    EXPECT_EQ(clusters::usual_count(1000000), 1000u);
    EXPECT_EQ((clusters{metric::l2, 3, {}, 5}.count()), 0u);
    made_up some{32};
    block_builder builder{metric::l2, 3};
    for (int i = 0; i < 3; ++i)
        builder.add(numbered(1), std::vector<float>(3, 1.0f).data());
    std::vector<std::uint8_t> bytes = builder.pack();
    block_view block{bytes.data(), bytes.size()};
    clusters made{metric::l2, 3, {block}, 9};
    EXPECT_EQ(made.count(), 3u);
    EXPECT_EQ(made.assign(block)[2].number, made.assign(block)[0].number);
}

} // namespace
