#include "vectors_made_up.hpp"

#include "pure/error.hpp"
#include "vectors/pure/clusters.hpp"
#include "vectors/pure/rehearsal.hpp"
#include "vectors/pure/scan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace {

using namespace vectors_test;

struct tenant {
    metric by;
    std::size_t dims;
    std::vector<std::vector<float>> subjects, rows;
    std::vector<std::uint8_t> packed;

    /// @param off how far rows are from their subjects; no subjects at all when it is 0
    tenant(made_up& some, metric of, std::size_t wide, std::size_t count, std::size_t subject_count, double off)
        : by{of}, dims{wide} {
        for (std::size_t i = 0; i < subject_count; ++i)
            subjects.push_back(some.gaussian(dims));
        block_builder builder{by, dims};
        for (std::size_t i = 0; i < count; ++i) {
            // Some subjects are far more common than others.
            std::size_t subject = some.below(subject_count);
            rows.push_back(off > 0 ? subjects[some.below(subject + 1)] : some.gaussian(dims));
            for (float& value : rows.back())
                value += static_cast<float>(some.normal() * off);
            builder.add(numbered(i), rows.back().data());
        }
        packed = builder.pack();
    }

    block_view block() const { return {packed.data(), packed.size()}; }

    std::vector<std::uint8_t> centres_of(const clusters& made) const {
        block_builder builder{by, dims};
        for (std::size_t i = 0; i < made.count(); ++i)
            builder.add(id_of_cluster(static_cast<std::uint32_t>(i)), made.centre(i));
        return builder.pack();
    }
};

TEST(vectors_clusters, are_the_same_each_time_and_even) {
    made_up some{30};
    for (metric by : all_metrics) {
        tenant of{some, by, 24, 3000, 80, 0.6};
        std::size_t called = 0;
        clusters made{of.block(), 50, [&] { ++called; }};
        clusters again{of.block(), 50};
        ASSERT_LE(made.count(), 50u);
        ASSERT_GT(made.count(), 40u);
        EXPECT_GT(called, 10u);
        auto first = made.assign(of.block()), second = again.assign(of.block());
        EXPECT_EQ(first, second);
        std::vector<std::size_t> members(made.count());
        for (std::uint32_t number : first)
            ++members[number];
        EXPECT_LT(*std::max_element(members.begin(), members.end()), 8u * 60) << static_cast<int>(by);
        // As they are stored they are the same clusters, but for vectors on the border of two.
        std::vector<std::uint8_t> bytes = of.centres_of(made);
        block_view centres{bytes.data(), bytes.size()};
        std::vector<float> stored(made.count() * of.dims);
        for (std::size_t i = 0; i < made.count(); ++i)
            values_of(centres, i, stored.data() + i * of.dims);
        std::size_t equal = 0;
        auto restored = clusters{by, of.dims, stored}.assign(of.block());
        for (std::size_t i = 0; i < first.size(); ++i)
            equal += first[i] == restored[i];
        EXPECT_GT(equal, 2900u) << static_cast<int>(by);
    }
}

TEST(vectors_clusters, put_vectors_to_the_nearest_centre) {
    made_up some{33};
    for (metric by : all_metrics) {
        tenant of{some, by, 40, 500, 20, 0.4};
        clusters made{of.block(), 20};
        std::vector<std::uint32_t> found = made.assign(of.block());
        for (std::size_t i = 0; i < of.rows.size(); ++i) {
            auto away = [&](std::size_t number) {
                double squares = 0, length = 0, centre_length = 0;
                for (std::size_t j = 0; j < of.dims; ++j) {
                    length += of.rows[i][j] * of.rows[i][j];
                    centre_length += made.centre(number)[j] * made.centre(number)[j];
                }
                bool on_sphere = by == metric::cosine;
                for (std::size_t j = 0; j < of.dims; ++j) {
                    double off = of.rows[i][j] / (on_sphere ? std::sqrt(length) : 1) -
                                 made.centre(number)[j] / (on_sphere ? std::sqrt(centre_length) : 1);
                    squares += off * off;
                }
                return std::sqrt(squares);
            };
            double best = away(found[i]);
            for (std::size_t number = 0; number < made.count(); ++number)
                ASSERT_LE(best, away(number) * 1.02 + 0.02) << static_cast<int>(by);
        }
    }
}

/// A subject without a centre, of its own or of two, would have its rows in all sorts of clusters.
TEST(vectors_clusters, have_a_centre_for_each_subject) {
    made_up some{35};
    for (metric by : all_metrics) {
        constexpr std::size_t dims = 256, subject_count = 400, of_each = 12;
        tenant of{some, by, dims, 0, subject_count, 0.8};
        block_builder builder{by, dims};
        for (std::size_t i = 0; i < subject_count * of_each; ++i) {
            std::vector<float> row = of.subjects[some.below(subject_count)];
            for (float& value : row)
                value += static_cast<float>(some.normal() * 0.8);
            builder.add(numbered(i), row.data());
        }
        std::vector<std::uint8_t> bytes = builder.pack();
        clusters made{{bytes.data(), bytes.size()}, subject_count * 5 / 4};
        std::size_t without = 0;
        for (const std::vector<float>& subject : of.subjects) {
            double best = -1;
            for (std::size_t i = 0; i < made.count(); ++i)
                best = std::max(best, exact(metric::cosine, subject, {made.centre(i), made.centre(i) + dims}));
            without += best < 0.6;
        }
        EXPECT_EQ(without, 0u) << static_cast<int>(by);
    }
}

TEST(vectors_clusters, of_little) {
    EXPECT_EQ(clusters::usual_count(0), 1u);
    EXPECT_EQ(clusters::usual_count(10000), 800u);
    EXPECT_EQ(clusters::usual_count(std::uint64_t{1} << 40), clusters::most);
    EXPECT_LE(clusters::usual_sample(clusters::most), most_in_block);
    block_builder builder{metric::l2, 3};
    std::vector<std::uint8_t> none = builder.pack();
    EXPECT_EQ((clusters{block_view{none.data(), none.size()}, 5}.count()), 0u);
    for (int i = 0; i < 3; ++i)
        builder.add(numbered(1), std::vector<float>(3, 1.0f).data());
    std::vector<std::uint8_t> bytes = builder.pack();
    block_view block{bytes.data(), bytes.size()};
    clusters made{block, 9};
    EXPECT_GE(made.count(), 1u);
    EXPECT_LE(made.count(), 3u);
    EXPECT_EQ(made.assign(block)[2], made.assign(block)[0]);
}

/// What a rehearsal promises, real searches find.
TEST(vectors_rehearsal, keeps_what_it_promises) {
    made_up some{31};
    for (metric by : {metric::cosine, metric::l2}) {
        tenant of{some, by, 40, 6000, 60, 0.35};
        clusters made{of.block(), 200};
        std::vector<std::uint8_t> bytes = of.centres_of(made);
        block_view centres{bytes.data(), bytes.size()};
        rehearsal learner{by, of.dims};
        for (std::size_t i = 0; i < 400; ++i)
            learner.add(of.block(), i * 15);
        std::vector<std::uint32_t> homes = made.assign(of.block());
        learner.look_at(of.block(), homes);
        // Where a page has many, nearly all pages have some of what is near.
        ASSERT_EQ(learner.learned(centres, 1000).clusters, 0u);
        promise learned = learner.learned(centres, 20);
        ASSERT_EQ(learned.vectors, 6000u);
        ASSERT_EQ(learned.clusters, made.count());
        ASSERT_EQ(learned.kind_for(10), 0u);
        std::uint32_t probes = learned.probes[0];
        ASSERT_LE(probes, made.count() / 3);
        ASSERT_GE(learned.recall[0], 0.99f);
        EXPECT_LE(probes, learned.probes[2]);

        std::size_t hits = 0, turns = 100, standing_out = 0;
        for (std::size_t turn = 0; turn < turns; ++turn) {
            std::vector<float> asked = of.subjects[some.below(60)];
            for (float& value : asked)
                value += static_cast<float>(some.normal() * 0.5);
            query prepared{by, asked.data(), of.dims};
            std::vector<float> near(made.count()), upper(made.count());
            compare(prepared, centres, 0, made.count(), near.data(), upper.data());
            std::vector<std::uint32_t> order(made.count());
            for (std::uint32_t i = 0; i < order.size(); ++i)
                order[i] = i;
            std::sort(order.begin(), order.end(), [&](auto a, auto b) { return near[a] > near[b]; });
            std::set<std::uint32_t> read(order.begin(), order.begin() + probes);
            std::vector<ranked> all;
            for (std::size_t i = 0; i < of.rows.size(); ++i)
                all.push_back({numbered(homes[i]), exact(by, of.rows[i], asked, 8)});
            std::partial_sort(all.begin(), all.begin() + 10, all.end(), search::ranks_before);
            auto key_of = [&](double score) { return prepared.key_of(score); };
            standing_out += stands_out(prepared, key_of(all[9].score), near[order[probes]]) >= learned.stands_out[0];
            for (std::size_t i = 0; i < 10; ++i)
                for (std::uint32_t number : read)
                    hits += all[i].key == numbered(number);
        }
        EXPECT_GE(static_cast<double>(hits) / static_cast<double>(10 * turns), 0.99) << static_cast<int>(by);
        EXPECT_GE(standing_out, 90u) << static_cast<int>(by);
        // What is like nothing of it does not stand out.
        for (int turn = 0; turn < 20; ++turn) {
            std::vector<float> asked = some.gaussian(of.dims, by == metric::l2 ? 4 : 1);
            query prepared{by, asked.data(), of.dims};
            std::vector<float> near(6000), upper(6000);
            compare(prepared, centres, 0, made.count(), near.data(), upper.data());
            std::sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(made.count()), std::greater<>{});
            float centre = near[probes];
            compare(prepared, of.block(), 0, 6000, near.data(), upper.data());
            std::sort(near.begin(), near.end(), std::greater<>{});
            EXPECT_LT(stands_out(prepared, near[9], centre), learned.stands_out[0]) << static_cast<int>(by);
        }
    }
}

TEST(vectors_rehearsal, sees_where_there_are_no_clusters) {
    made_up some{34};
    tenant of{some, metric::cosine, 64, 4000, 1, 0};
    clusters made{of.block(), 200};
    std::vector<std::uint8_t> bytes = of.centres_of(made);
    rehearsal learner{metric::cosine, 64};
    for (std::size_t i = 0; i < 200; ++i)
        learner.add(of.block(), i);
    learner.look_at(of.block(), made.assign(of.block()));
    promise learned = learner.learned({bytes.data(), bytes.size()}, 20);
    EXPECT_EQ(learned.clusters, 0u);
    EXPECT_EQ(learned.kind_for(1), promise::kinds);
}

TEST(vectors_rehearsal, few_samples_promise_little) {
    EXPECT_EQ(share_at_least(0, 0), 0);
    EXPECT_LT(share_at_least(1, 1), 0.5);
    EXPECT_NEAR(share_at_least(9900, 10000), 0.988, 0.002);
    EXPECT_LT(share_at_least(4000, 4000), 1);
    EXPECT_GT(share_at_least(4000, 4000), 0.998);
}

TEST(vectors_directory, comes_back_from_bytes) {
    std::vector<member> members{{0, 5}, {0, 7}, {3, std::uint64_t{1} << 47}, {9, 7}};
    std::vector<std::uint8_t> bytes = pack_members(members.data(), members.size(), 41);
    ASSERT_EQ(part_of(bytes.data(), bytes.size()), directory_part::members);
    members_view back{bytes.data(), bytes.size()};
    EXPECT_EQ(back.vectors(), 41u);
    ASSERT_EQ(back.count(), 4u);
    EXPECT_EQ(back[2].cluster, 3u);
    EXPECT_EQ(back[2].source, std::uint64_t{1} << 47);
    auto found = [&](const std::vector<std::uint32_t>& clusters) {
        std::vector<std::uint64_t> sources;
        back.find(clusters, sources);
        return sources;
    };
    using list = std::vector<std::uint64_t>;
    EXPECT_EQ(found({}), list{});
    EXPECT_EQ(found({0}), (list{5, 7}));
    EXPECT_EQ(found({1, 2, 4, 8}), list{});
    EXPECT_EQ(found({0, 2, 3, 9}), (list{5, 7, std::uint64_t{1} << 47, 7}));
    EXPECT_EQ(found({3, 9, 10}), (list{std::uint64_t{1} << 47, 7}));
    EXPECT_EQ(found({10, 4000}), list{});
    std::vector<std::uint8_t> empty = pack_members(nullptr, 0, 0);
    std::vector<std::uint64_t> none;
    members_view{empty.data(), empty.size()}.find({0, 1}, none);
    EXPECT_TRUE(none.empty());

    promise learned;
    learned.vectors = 123456789012;
    learned.clusters = 100;
    learned.probes[0] = 7;
    learned.probes[1] = 30;
    learned.probes[2] = 100;
    learned.recall[0] = 0.999f;
    learned.recall[1] = 0.99f;
    learned.recall[2] = 1;
    learned.stands_out[1] = -0.25f;
    std::vector<std::uint8_t> packed = pack_promise(learned);
    ASSERT_EQ(part_of(packed.data(), packed.size()), directory_part::promise);
    promise again = unpack_promise(packed.data(), packed.size());
    EXPECT_EQ(again.vectors, learned.vectors);
    for (std::size_t kind = 0; kind < promise::kinds; ++kind) {
        EXPECT_EQ(again.probes[kind], learned.probes[kind]);
        EXPECT_EQ(again.recall[kind], learned.recall[kind]);
        EXPECT_EQ(again.stands_out[kind], learned.stands_out[kind]);
    }
    EXPECT_EQ(again.kind_for(1), 0u);
    EXPECT_EQ(again.kind_for(10), 0u);
    EXPECT_EQ(again.kind_for(11), 1u);
    EXPECT_EQ(again.kind_for(51), promise::kinds);
    EXPECT_EQ(again.kind_for(1000), promise::kinds);
    EXPECT_EQ(cluster_of(id_of_cluster(4095)), 4095u);
}

TEST(vectors_directory, refuses_damage) {
    member one{1, 2};
    std::vector<std::uint8_t> members = pack_members(&one, 1, 9), learned = pack_promise({});
    EXPECT_NO_THROW(unpack_promise(learned.data(), learned.size()));
    EXPECT_NO_THROW((members_view{members.data(), members.size()}));
    for (std::size_t size = 0; size < learned.size(); ++size)
        EXPECT_THROW(unpack_promise(learned.data(), size), error) << size;
    for (std::size_t size = 0; size < members.size(); ++size)
        EXPECT_TRUE(size == members_format::header || !verify_directory(members.data(), size)) << size;
    for (std::size_t size = 0; size < members_format::header; ++size)
        EXPECT_THROW((members_view{members.data(), size}), error) << size;
    EXPECT_THROW((members_view{members.data(), members.size() - 1}), error);
    for (std::vector<std::uint8_t> bad : {members, learned}) {
        EXPECT_TRUE(verify_directory(bad.data(), bad.size()));
        for (std::size_t at = 0; at < bad.size(); ++at) {
            bad[at] ^= 0x10;
            EXPECT_FALSE(verify_directory(bad.data(), bad.size())) << at;
            if (bad.size() == learned.size()) {
                EXPECT_THROW(unpack_promise(bad.data(), bad.size()), error) << at;
            }
            bad[at] ^= 0x10;
        }
    }
}

/// In the order of the exact keys, but for centres that are equally near.
TEST(vectors_directory, compares_centres_nearly_as_exactly) {
    made_up some{36};
    for (metric by : all_metrics) {
        constexpr std::size_t dims = 200, count = 300;
        block_builder builder{by, dims};
        for (std::size_t i = 0; i < count; ++i)
            builder.add(id_of_cluster(static_cast<std::uint32_t>(i)), some.gaussian(dims).data());
        std::vector<std::uint8_t> bytes = builder.pack();
        block_view centres{bytes.data(), bytes.size()};
        query asked{by, some.gaussian(dims).data(), dims};
        std::vector<float> keys(count), near(count), upper(count);
        compare_centres(asked, centres, keys.data());
        compare(asked, centres, 0, count, near.data(), upper.data());
        float size = by == metric::cosine ? 1 : by == metric::l2 ? 20 : 200;
        for (std::size_t i = 0; i < count; ++i)
            ASSERT_NEAR(keys[i], near[i], 0.004f * size) << static_cast<int>(by);

        query other{by, some.gaussian(dims - 1).data(), dims - 1};
        EXPECT_THROW(compare_centres(other, centres, keys.data()), error);
        std::size_t scales_at = block_format::header + count * dims;
        store<float>(bytes.data() + scales_at + 8, std::numeric_limits<float>::quiet_NaN());
        EXPECT_THROW(compare_centres(asked, centres, keys.data()), error);
    }
}

} // namespace
