#include "vectors_made_up.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace {

using namespace vectors_test;

/// Rows as a table has them, and codes as a store may have them: of rows, of rows that are gone, of former versions.
struct world {
    metric by;
    std::size_t dims;
    std::map<std::uint64_t, std::vector<float>> rows;
    std::vector<std::vector<std::uint8_t>> blocks;
};

world make_world(made_up& some, metric by, std::size_t dims, std::size_t count) {
    world made{by, dims, {}, {}};
    block_builder builder{by, dims};
    bool has_ties = some.below(2);
    std::vector<float> centre = some.gaussian(dims);
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<float> values = some.gaussian(dims);
        switch (some.below(has_ties ? 8 : 5)) {
        case 0:
            values = some.adversarial(dims);
            break;
        case 1:
            for (std::size_t j = 0; j < dims; ++j)
                values[j] = centre[j] + values[j] * 0.001f;
            break;
        case 5:
        case 6:
            values = centre;
            break;
        case 7:
            values.assign(dims, 0.0f);
            break;
        }
        std::uint64_t key = some.random();
        builder.add(numbered(key), values.data());
        if (some.below(10) == 0) {
            // Updated: a later code of the same id.
            values = some.gaussian(dims);
            builder.add(numbered(key), values.data());
        }
        if (some.below(20) != 0) made.rows[key] = values;
        if (some.below(100) == 0) made.blocks.push_back(builder.pack());
    }
    made.blocks.push_back(builder.pack());
    return made;
}

std::uint64_t key_of(const uuid& id) {
    std::uint64_t key = 0;
    for (int i = 8; i < 16; ++i)
        key = key << 8 | id.bytes[i];
    return key;
}

std::vector<ranked> brute_force(const world& of, const std::vector<float>& asked, std::size_t count,
                                std::uint64_t visible_of, double threshold) {
    std::vector<ranked> all;
    for (const auto& [key, values] : of.rows) {
        ranked row{numbered(key), exact(of.by, values, asked, 8)};
        if (key % visible_of == 0 && row.score >= threshold) all.push_back(row);
    }
    std::sort(all.begin(), all.end(), search::ranks_before);
    all.resize(std::min(all.size(), count));
    return all;
}

TEST(vectors_collector, equals_brute_force) {
    made_up some{9};
    std::uint64_t scored = 0, scans = 0, searches = 0;
    for (int round = 0; round < 300; ++round) {
        metric by = all_metrics[some.below(3)];
        std::size_t dims = 1 + some.below(40);
        world of = make_world(some, by, dims, some.below(1500));
        for (int turn = 0; turn < 6; ++turn) {
            std::vector<float> asked = some.gaussian(dims);
            if (turn == 1) asked = some.adversarial(dims);
            if (turn == 2 && !of.rows.empty()) asked = of.rows.begin()->second;
            if (turn == 3) asked.assign(dims, 0.0f);
            std::size_t count = turn == 4 ? 5000 : 1 + some.below(30);
            std::uint64_t visible_of = 1 + some.below(2) * some.below(50);
            double threshold = some.below(3) ? -std::numeric_limits<double>::infinity() : some.normal() / 2;

            query prepared{by, asked.data(), dims};
            std::size_t capacity = some.below(2) ? collector::default_capacity : 5 + some.below(100);
            collector found{prepared, static_cast<std::int64_t>(count), prepared.key_of(threshold), capacity};
            do {
                std::uint64_t source = 0;
                for (const auto& bytes : of.blocks)
                    scan(prepared, block_view{bytes.data(), bytes.size()}, source++, found);
                found.end_scan();
                candidate batch[8];
                while (std::size_t taken = found.take(batch, 1 + some.below(8)))
                    for (std::size_t i = 0; i < taken; ++i) {
                        block_view block{of.blocks[batch[i].source].data(), of.blocks[batch[i].source].size()};
                        ASSERT_EQ(block.id(batch[i].place), batch[i].id);
                        auto row = of.rows.find(key_of(batch[i].id));
                        if (row == of.rows.end() || row->first % visible_of != 0) continue;
                        double score = exact(by, row->second, asked, 8);
                        if (score >= threshold) found.score(batch[i], score);
                    }
            } while (!found.is_complete());
            scans += found.statistics().scans;
            scored += found.statistics().scored;
            ++searches;
            std::vector<ranked> answer = found.result();
            std::vector<ranked> expected = brute_force(of, asked, count, visible_of, threshold);
            ASSERT_EQ(answer.size(), expected.size()) << "round " << round << ", turn " << turn;
            for (std::size_t i = 0; i < answer.size(); ++i) {
                ASSERT_EQ(answer[i].key, expected[i].key) << "round " << round << ", turn " << turn << ", place " << i;
                ASSERT_EQ(answer[i].score, expected[i].score);
            }
        }
    }
    RecordProperty("rows scored a search", static_cast<int>(scored / searches));
    EXPECT_GT(scans, searches);
}

/// Few rows are fetched beyond those that are answered.
TEST(vectors_collector, fetches_few_rows) {
    made_up some{10};
    for (std::size_t dims : {100, 384}) {
        std::vector<std::vector<float>> rows;
        block_builder builder{metric::cosine, dims};
        for (std::size_t i = 0; i < 5000; ++i) {
            rows.push_back(some.gaussian(dims));
            builder.add(numbered(i), rows.back().data());
        }
        std::vector<std::uint8_t> bytes = builder.pack();
        std::uint64_t taken = 0;
        for (int turn = 0; turn < 20; ++turn) {
            std::vector<float> asked = some.gaussian(dims);
            query prepared{metric::cosine, asked.data(), dims};
            collector found{prepared, 10};
            scan(prepared, block_view{bytes.data(), bytes.size()}, 0, found);
            found.end_scan();
            candidate one;
            while (found.take(&one, 1))
                found.score(one, exact(metric::cosine, rows[key_of(one.id)], asked, 8));
            EXPECT_TRUE(found.is_complete());
            taken += found.statistics().taken;
        }
        EXPECT_LT(taken, 20u * 20) << dims;
    }
}

TEST(vectors_collector, a_zero_query_needs_no_more_rows_than_it_answers) {
    made_up some{11};
    block_builder builder{metric::cosine, 8};
    for (std::size_t i = 0; i < 1000; ++i)
        builder.add(numbered(some.random()), some.gaussian(8).data());
    std::vector<std::uint8_t> bytes = builder.pack();
    std::vector<float> asked(8, 0.0f);
    query prepared{metric::cosine, asked.data(), 8};
    collector found{prepared, 10};
    scan(prepared, block_view{bytes.data(), bytes.size()}, 0, found);
    found.end_scan();
    candidate batch[10];
    ASSERT_EQ(found.take(batch, 10), 10u);
    for (const candidate& each : batch)
        found.score(each, 0);
    EXPECT_EQ(found.take(batch, 10), 0u);
    EXPECT_TRUE(found.is_complete());
}

/// One fetch is nearly always enough, and brings little that it need not.
TEST(vectors_collector, knows_how_many_rows_it_will_take) {
    made_up some{12};
    constexpr std::size_t dims = 128;
    for (metric by : {metric::cosine, metric::inner_product, metric::l2}) {
        std::vector<std::vector<float>> rows;
        block_builder builder{by, dims};
        for (std::size_t i = 0; i < 3000; ++i) {
            rows.push_back(some.gaussian(dims));
            builder.add(numbered(i), rows.back().data());
        }
        std::vector<std::uint8_t> bytes = builder.pack();
        int more = 0;
        std::size_t likely = 0, taken = 0;
        for (int turn = 0; turn < 40; ++turn) {
            std::vector<float> asked = some.gaussian(dims);
            query prepared{by, asked.data(), dims};
            collector found{prepared, 10};
            scan(prepared, block_view{bytes.data(), bytes.size()}, 0, found);
            found.end_scan();
            std::vector<candidate> batch(found.likely_to_be_taken());
            ASSERT_EQ(found.take(batch.data(), batch.size()), batch.size());
            likely += batch.size();
            for (const candidate& each : batch)
                found.score(each, exact(by, rows[key_of(each.id)], asked, 8));
            candidate one;
            int turns = 0;
            for (; found.take(&one, 1) == 1; ++turns)
                found.score(one, exact(by, rows[key_of(one.id)], asked, 8));
            more += turns > 0;
            taken += found.statistics().taken;
            EXPECT_TRUE(found.is_complete());
        }
        EXPECT_LE(more, 8);
        EXPECT_LE(likely, taken);
        EXPECT_LT(taken, 40u * 20);
    }
}

TEST(vectors_collector, of_nothing) {
    std::vector<float> asked(8, 1.0f);
    query prepared{metric::cosine, asked.data(), 8};
    collector found{prepared, 10};
    found.end_scan();
    candidate one;
    EXPECT_EQ(found.take(&one, 1), 0u);
    EXPECT_TRUE(found.is_complete());
    EXPECT_TRUE(found.result().empty());
}

} // namespace
