#include "vectors_made_up.hpp"

#include "pure/error.hpp"
#include "vectors/pure/sketch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace {

using namespace vectors_test;

/// Blocks of some vectors, and sketches of the blocks.
struct store {
    metric by;
    std::size_t dims;
    std::vector<std::vector<float>> rows;
    std::vector<std::vector<std::uint8_t>> blocks, sketches;

    store(metric of, std::size_t wide, std::vector<std::vector<float>> given)
        : by{of}, dims{wide}, rows{std::move(given)} {
        block_builder builder{by, dims};
        sketch_builder sketcher{by, dims};
        for (std::size_t i = 0; i < rows.size(); ++i) {
            builder.add(numbered(i), rows[i].data());
            if (builder.count() == 19 || i + 1 == rows.size()) {
                blocks.push_back(builder.pack());
                sketcher.add(block(blocks.size() - 1), blocks.size() - 1);
            }
            if (sketcher.count() > 300 || i + 1 == rows.size()) {
                std::size_t size = sketcher.size();
                sketches.push_back(sketcher.pack());
                EXPECT_EQ(sketches.back().size(), size);
            }
        }
    }

    block_view block(std::size_t number) const { return {blocks[number].data(), blocks[number].size()}; }

    std::vector<ranked> search(const std::vector<float>& asked, std::size_t count, std::size_t& opened,
                               std::uint64_t visible_of = 1) const {
        query prepared{by, asked.data(), dims};
        collector found{prepared, static_cast<std::int64_t>(count)};
        shortlist near{static_cast<std::int64_t>(count)};
        for (const auto& bytes : sketches)
            scan(prepared, sketch_view{bytes.data(), bytes.size()}, near);
        near.end_scan();
        shortlist::entry next;
        while (near.next(found.cut(), next))
            scan_one(prepared, block(next.source), next.place, next.source, found);
        found.end_scan(near.has_left_out());
        opened += near.given();
        while (true) {
            candidate one;
            while (found.take(&one, 1)) {
                std::size_t row = one.source * 19 + one.place;
                EXPECT_EQ(one.id, numbered(row));
                if (row % visible_of == 0) found.score(one, exact(by, rows[row], asked, 8));
            }
            if (found.is_complete()) break;
            for (std::size_t i = 0; i < blocks.size(); ++i)
                scan(prepared, block(i), i, found);
            found.end_scan();
        }
        return found.result();
    }

    std::vector<ranked> brute_force(const std::vector<float>& asked, std::size_t count,
                                    std::uint64_t visible_of = 1) const {
        std::vector<ranked> all;
        for (std::size_t i = 0; i < rows.size(); i += visible_of)
            all.push_back({numbered(i), exact(by, rows[i], asked, 8)});
        std::sort(all.begin(), all.end(), search::ranks_before);
        all.resize(std::min(all.size(), count));
        return all;
    }
};

std::vector<std::vector<float>> in_clusters(made_up& some, std::size_t dims, std::size_t count) {
    std::vector<std::vector<float>> centres, rows;
    for (int i = 0; i < 60; ++i)
        centres.push_back(some.gaussian(dims));
    for (std::size_t i = 0; i < count; ++i) {
        rows.push_back(centres[some.below(60)]);
        for (float& value : rows.back())
            value += static_cast<float>(some.normal() * 0.8);
    }
    return rows;
}

TEST(vectors_sketch, finds_what_is_near_and_opens_few) {
    made_up some{20};
    for (metric by : all_metrics)
        for (std::size_t dims : {40, 100, 384}) {
            store of{by, dims, in_clusters(some, dims, 4000)};
            std::size_t opened = 0, hits = 0, searches = 30;
            for (std::size_t turn = 0; turn < searches; ++turn) {
                std::vector<float> asked = of.rows[some.below(of.rows.size())];
                for (float& value : asked)
                    value += static_cast<float>(some.normal() * 0.5);
                std::vector<ranked> answer = of.search(asked, 10, opened), expected = of.brute_force(asked, 10);
                ASSERT_EQ(answer.size(), 10u);
                for (const ranked& row : expected)
                    hits += std::any_of(answer.begin(), answer.end(), [&](auto& one) { return one.key == row.key; });
            }
            EXPECT_GE(hits, searches * 10 * 99 / 100) << dims;
            EXPECT_LT(opened, searches * of.rows.size() / 4) << dims;
        }
}

/// However many of the best are invisible, the answer is filled from the rest.
TEST(vectors_sketch, widens_to_the_end) {
    made_up some{21};
    for (metric by : all_metrics) {
        store of{by, 48, in_clusters(some, 48, 1000)};
        std::size_t opened = 0;
        for (std::uint64_t visible_of : {7, 100, 400, 5000})
            for (int turn = 0; turn < 5; ++turn) {
                std::vector<float> asked = some.gaussian(48);
                std::vector<ranked> answer = of.search(asked, 10, opened, visible_of);
                std::vector<ranked> expected = of.brute_force(asked, 10, visible_of);
                ASSERT_EQ(answer.size(), expected.size());
                for (std::size_t i = 0; i < answer.size(); ++i)
                    ASSERT_EQ(answer[i].key, expected[i].key);
            }
    }
}

TEST(vectors_sketch, survives_adversarial_vectors) {
    made_up some{22};
    for (metric by : all_metrics)
        for (std::size_t dims : {1, 2, 5, 33}) {
            std::vector<std::vector<float>> rows;
            for (int i = 0; i < 300; ++i)
                rows.push_back(some.adversarial(dims));
            store of{by, dims, rows};
            std::size_t opened = 0;
            for (int turn = 0; turn < 20; ++turn)
                EXPECT_EQ(of.search(some.adversarial(dims), 10, opened).size(), 10u);
        }
}

TEST(vectors_sketch, says_what_recall_to_expect) {
    EXPECT_NEAR(shortlist{10}.expected_recall(), 0.99865, 1e-4);
    EXPECT_NEAR((shortlist{10, 2.0}.expected_recall()), 0.97725, 1e-4);
}

std::string opened(const std::vector<std::uint8_t>& bytes) {
    std::unique_ptr<std::uint8_t[]> tight{new std::uint8_t[bytes.size()]};
    std::copy(bytes.begin(), bytes.end(), tight.get());
    try {
        sketch_view sketch{tight.get(), bytes.size()};
        std::vector<float> asked(sketch.dimensions(), 1.0f);
        query prepared{sketch.by(), asked.data(), asked.size()};
        shortlist near{3};
        scan(prepared, sketch, near);
        near.end_scan();
        return sketch.verify() ? "good" : "false";
    } catch (const error& e) {
        EXPECT_FALSE(e.detail().empty());
        return e.sqlstate();
    }
}

TEST(vectors_sketch, refuses_damage) {
    made_up some{23};
    for (metric by : all_metrics) {
        store of{by, 35, in_clusters(some, 35, 25)};
        const std::vector<std::uint8_t>& bytes = of.sketches.front();
        EXPECT_EQ(opened(bytes), "good");
        EXPECT_EQ(opened({}), "XX001");
        for (std::size_t size = 0; size < bytes.size(); ++size)
            EXPECT_EQ(opened({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}), "XX001");
        for (std::size_t at = 0; at < bytes.size(); ++at)
            for (int bit = 0; bit < 8; ++bit) {
                std::vector<std::uint8_t> flipped = bytes;
                flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1 << bit));
                EXPECT_NE(opened(flipped), "good") << at;
            }
        std::vector<float> asked(35, 1.0f);
        query prepared{by, asked.data(), 35};
        collector found{prepared, 3};
        EXPECT_THROW(scan_one(prepared, of.block(0), 19, 0, found), error);
    }
}

/// All kernels give what plain arithmetic gives.
TEST(vectors_sketch, kernels_agree) {
    made_up some{24};
    for (std::size_t dims = 1; dims <= 4000; dims += dims < 300 ? 1 : 97) {
        std::vector<float> asked = dims % 3 ? some.gaussian(dims) : std::vector<float>(dims, -1.0f);
        query prepared{metric::l2, asked.data(), dims};
        query_segments with = prepared.segments();
        std::size_t rows = 1 + some.below(9);
        std::vector<std::uint8_t> codes(rows * with.code_bytes);
        for (std::uint8_t& code : codes)
            code = static_cast<std::uint8_t>(dims % 5 ? some.below(256) : 255);
        std::vector<std::int32_t> expected(rows);
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t i = 0; i < dims; ++i)
                expected[row] += prepared.coarse_planes().numbers[i] *
                                 (codes[row * with.code_bytes + i % with.code_bytes] >> (i / with.code_bytes * 2) & 3);
        std::unique_ptr<std::uint8_t[]> tight{new std::uint8_t[codes.size()]};
        std::copy(codes.begin(), codes.end(), tight.get());
        for (kernel each : all_kernels) {
            if (!is_supported(each)) continue;
            std::vector<std::int32_t> sums(rows);
            multiply_two_bits(each, with, tight.get(), rows, codes.size(), sums.data());
            ASSERT_EQ(sums, expected) << name_of(each) << ", " << dims << " dimensions";
        }
    }
}

} // namespace
