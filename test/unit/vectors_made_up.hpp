#pragma once

#include "vectors/pure/scan.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

/// What the tests of the vector store share: made-up vectors and the answer that pgvector gives.
namespace vectors_test {

using namespace tenancy;
using namespace tenancy::vectors;
using search::ranked;

inline constexpr metric all_metrics[] = {metric::cosine, metric::inner_product, metric::l2};

/// pgvector's answer as a similarity, summed one by one or in lanes as its compiled forms do.
inline double exact(metric by, const std::vector<float>& a, const std::vector<float>& b, std::size_t lanes = 1) {
    std::vector<float> sums(lanes), lefts(lanes), rights(lanes);
    for (std::size_t i = 0; i < a.size(); ++i) {
        float off = a[i] - b[i];
        sums[i % lanes] += by == metric::l2 ? off * off : a[i] * b[i];
        lefts[i % lanes] += a[i] * a[i];
        rights[i % lanes] += b[i] * b[i];
    }
    float sum = 0, left = 0, right = 0;
    for (std::size_t i = 0; i < lanes; ++i) {
        sum += sums[i];
        left += lefts[i];
        right += rights[i];
    }
    double distance = by == metric::l2 ? std::sqrt(static_cast<double>(sum)) : -static_cast<double>(sum);
    if (by == metric::cosine) {
        double cosine = static_cast<double>(sum) / std::sqrt(static_cast<double>(left) * right);
        distance = 1 - std::min(1.0, std::max(-1.0, cosine));
    }
    if (std::isnan(distance)) distance = search::distance_of_nothing(by);
    return search::similarity(by, distance);
}

inline uuid numbered(std::uint64_t number) {
    uuid id{};
    for (int i = 0; i < 8; ++i)
        id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    return id;
}

struct made_up {
    std::mt19937_64 random;

    explicit made_up(std::uint64_t seed) : random{seed} {}

    double normal() { return std::normal_distribution<double>{}(random); }
    std::size_t below(std::size_t end) { return random() % end; }

    std::vector<float> gaussian(std::size_t dims, double size = 1) {
        std::vector<float> values(dims);
        for (float& value : values)
            value = static_cast<float>(normal() * size);
        return values;
    }

    /// One of the kinds that break quantisers.
    std::vector<float> adversarial(std::size_t dims) {
        static constexpr double sizes[] = {1,     1e-3,  1e3,  1e-12, 1e12, 1e-20, 1e-30,
                                           1e-38, 1e-44, 1e18, 1e19,  1e30, 1e38};
        double size = sizes[below(sizeof sizes / sizeof *sizes)];
        std::vector<float> values(dims, 0.0f);
        switch (below(8)) {
        case 0:
            break;
        case 1:
            values[below(dims)] = static_cast<float>(size);
            break;
        case 2:
            std::fill(values.begin(), values.end(), static_cast<float>(size));
            break;
        case 3:
            for (float& value : values)
                value = static_cast<float>(below(2) ? size : -size);
            break;
        case 4:
            values = gaussian(dims, std::min(size, 1e37));
            values[below(dims)] = static_cast<float>(std::min(size * 100, 3e38));
            break;
        case 5:
            for (float& value : values)
                value = static_cast<float>(std::ldexp(normal(), static_cast<int>(below(200)) - 110));
            break;
        case 6:
            values[0] = static_cast<float>(size);
            values[dims - 1] = -static_cast<float>(size) / 2;
            break;
        default:
            values = gaussian(dims, std::min(size, 1e37));
        }
        return values;
    }
};

} // namespace vectors_test
