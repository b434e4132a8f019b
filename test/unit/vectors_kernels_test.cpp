#include "vectors_made_up.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

namespace {

using namespace vectors_test;

std::vector<std::size_t> sizes() {
    std::vector<std::size_t> dims;
    for (std::size_t i = 1; i <= 200; ++i)
        dims.push_back(i);
    for (std::size_t i : {255, 256, 257, 383, 384, 385, 511, 513, 768, 1023, 1025, 1535, 1536, 1537, 2047, 3999, 4000})
        dims.push_back(i);
    return dims;
}

std::vector<std::int32_t> one_by_one(const query_planes& with, const std::vector<std::uint8_t>& codes) {
    std::vector<std::int32_t> products(codes.size() / with.dims);
    for (std::size_t row = 0; row < products.size(); ++row) {
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < with.dims; ++i)
            sum += static_cast<std::int64_t>(with.numbers[i]) * (codes[row * with.dims + i] - code_zero);
        products[row] = static_cast<std::int32_t>(sum);
        EXPECT_EQ(products[row], sum) << "a product does not fit";
    }
    return products;
}

/// All kernels give the integers that plain arithmetic gives, and read no byte beyond what they may.
TEST(vectors_kernels, agree) {
    made_up some{3};
    for (std::size_t dims : sizes()) {
        std::vector<float> asked = dims % 3 == 0 ? std::vector<float>(dims, -1.0f) : some.gaussian(dims);
        query prepared{metric::l2, asked.data(), dims};
        std::size_t rows = 1 + some.below(11);
        std::vector<std::uint8_t> codes(rows * dims);
        for (std::uint8_t& code : codes)
            code = static_cast<std::uint8_t>(dims % 5 == 0 ? 1 + 254 * some.below(2) : 1 + some.below(255));
        if (dims % 2)
            for (std::size_t i = 0; i < dims; ++i) // The largest sum there is.
                codes[i] = static_cast<std::uint8_t>(prepared.planes().numbers[i] < 0 ? 1 : 255);
        std::vector<std::int32_t> expected = one_by_one(prepared.planes(), codes);
        // The sanitizers see a read past the end of this.
        std::unique_ptr<std::uint8_t[]> tight{new std::uint8_t[codes.size()]};
        std::copy(codes.begin(), codes.end(), tight.get());
        std::vector<std::uint32_t> places;
        for (std::size_t i = 0; i < rows; ++i)
            places.push_back(static_cast<std::uint32_t>(rows - 1 - i));
        for (kernel each : all_kernels) {
            if (!is_supported(each)) continue;
            std::vector<std::int32_t> products(rows), chosen(rows);
            multiply(each, prepared.planes(), tight.get(), rows, codes.size(), products.data());
            ASSERT_EQ(products, expected) << name_of(each) << ", " << dims << " dimensions";
            for (std::ptrdiff_t ahead : {std::ptrdiff_t{-64}, std::numeric_limits<std::ptrdiff_t>::max()}) {
                multiply(each, prepared.planes(), tight.get(), rows, codes.size(), products.data(), ahead);
                ASSERT_EQ(products, expected) << "whatever is said to come next";
            }
            multiply_chosen(each, prepared.planes(), tight.get(), codes.size(), places.data(), rows, chosen.data());
            std::reverse(chosen.begin(), chosen.end());
            ASSERT_EQ(chosen, expected) << name_of(each) << ", " << dims << " dimensions";
        }
    }
}

TEST(vectors_kernels, the_best_is_supported) {
    EXPECT_TRUE(is_supported(best_kernel()));
    EXPECT_TRUE(is_supported(kernel::portable));
    EXPECT_STREQ(name_of(kernel::avx512_vnni), "avx512_vnni");
}

TEST(vectors_rotation, keeps_products_and_norms) {
    made_up some{4};
    for (std::size_t dims : sizes()) {
        rotation turn{dims};
        std::vector<float> a = some.gaussian(dims), b = some.gaussian(dims);
        auto product = [](const std::vector<float>& x, const std::vector<float>& y) {
            double sum = 0;
            for (std::size_t i = 0; i < x.size(); ++i)
                sum += static_cast<double>(x[i]) * y[i];
            return sum;
        };
        double before = product(a, b), size = std::sqrt(product(a, a) * product(b, b)), norm = product(a, a);
        turn.apply(a.data());
        turn.apply(b.data());
        EXPECT_NEAR(product(a, b), before, 2.1 * rotation::relative_error * size) << dims;
        EXPECT_NEAR(product(a, a), norm, 2.1 * rotation::relative_error * norm) << dims;
        std::vector<float> again = a;
        turn.undo(again.data());
        turn.apply(again.data());
        for (std::size_t i = 0; i < dims; ++i)
            ASSERT_NEAR(again[i], a[i], 2.1 * rotation::relative_error * std::sqrt(norm)) << dims;
    }
}

TEST(vectors_rotation, is_the_same_by_all_kernels) {
    made_up some{17};
    for (std::size_t dims = 1; dims <= 4000; dims += 1 + dims / 7) {
        rotation turn{dims};
        std::vector<float> values = some.gaussian(dims, dims % 2 ? 1 : 1e-3), expected = values;
        turn.apply(expected.data(), kernel::portable);
        for (kernel use : all_kernels) {
            if (!is_supported(use)) continue;
            std::vector<float> turned = values;
            turn.apply(turned.data(), use);
            EXPECT_EQ(std::memcmp(turned.data(), expected.data(), dims * sizeof(float)), 0) << dims << " " << name_of(use);
        }
    }
}

/// The rotation is part of the format: it may never change.
TEST(vectors_rotation, is_fixed) {
    std::vector<float> one(6, 0.0f);
    one[1] = 1;
    rotation{6}.apply(one.data());
    std::vector<int> thousandths;
    for (float value : one)
        thousandths.push_back(static_cast<int>(std::lrint(value * 1000)));
    EXPECT_EQ(thousandths, (std::vector<int>{0, 354, 530, 177, 530, -530}));
}

} // namespace
