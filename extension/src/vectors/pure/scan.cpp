#include "pure/pure.hpp"

#include "vectors/pure/scan.hpp"
#include "pure/error.hpp"

#include <algorithm>
#include <string>

namespace tenancy::vectors {

namespace {

/// Codes of so many vectors are compared in one go; the keys stay in the first cache.
constexpr std::size_t at_once = 256;

void check_fits(const query& asked, const block_view& block) {
    if (block.by() != asked.by() || block.dimensions() != asked.dimensions())
        throw error(sqlstate::data_corrupted, "block of vectors is of another corpus",
                    "It has " + std::to_string(block.dimensions()) + " dimensions, or another metric, where " +
                        std::to_string(asked.dimensions()) + " are expected.");
}

void compare_some(const query& asked, const block_view& block, std::size_t begin, std::size_t count,
                  float* approximate, float* upper) {
    std::int32_t products[at_once];
    multiply(asked.uses(), asked.planes(), block.codes(begin), count, block.readable(begin), products);
    if (!asked.keys(products, block.facts().from(begin), count, approximate, upper))
        throw error(sqlstate::data_corrupted, "block of vectors is damaged",
                    "A scale, a bound or a norm is not a number, or negative.",
                    "Run tenancy.rebuild_corpus() to make the blocks of the corpus again from its rows.");
}

} // namespace

void compare(const query& asked, const block_view& block, std::size_t begin, std::size_t count, float* approximate,
             float* upper) {
    check_fits(asked, block);
    for (std::size_t done = 0; done < count; done += at_once)
        compare_some(asked, block, begin + done, std::min(at_once, count - done), approximate + done, upper + done);
}

void scan(const query& asked, const block_view& block, std::uint64_t source, collector& found) {
    check_fits(asked, block);
    float approximate[at_once], upper[at_once];
    for (std::size_t begin = 0; begin < block.count(); begin += at_once) {
        std::size_t count = std::min(at_once, block.count() - begin);
        compare_some(asked, block, begin, count, approximate, upper);
        for (std::size_t i = 0; i < count; ++i) {
            if (upper[i] < found.cut()) {
                found.pass_over();
                continue;
            }
            std::size_t place = begin + i;
            float bound = asked.refined(approximate[i], upper[i], block.facts().at(place));
            found.offer({block.id(place), bound, approximate[i], source, static_cast<std::uint32_t>(place)});
        }
    }
}

} // namespace tenancy::vectors
