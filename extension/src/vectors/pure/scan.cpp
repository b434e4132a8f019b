#include "pure/pure.hpp"

#include "vectors/pure/scan.hpp"
#include "pure/error.hpp"

#include <algorithm>
#include <string>

namespace tenancy::vectors {

namespace {

/// Codes of so many vectors are compared in one go; the keys stay in the first cache.
constexpr std::size_t at_once = 256, in_group = 32;

void check_fits(const query& asked, const block_view& block) {
    if (block.by() != asked.by() || block.dimensions() != asked.dimensions())
        throw error(sqlstate::data_corrupted, "block of vectors is of another corpus",
                    "It has " + std::to_string(block.dimensions()) + " dimensions, or another metric, where " +
                        std::to_string(asked.dimensions()) + " are expected.");
}

[[noreturn]] void refuse_damage() {
    throw error(sqlstate::data_corrupted, "block of vectors is damaged",
                "A scale, a bound or a norm is not a number, or negative.",
                "Run tenancy.rebuild_corpus() to make the blocks of the corpus again from its rows.");
}

void compare_some(const query& asked, const block_view& block, std::size_t begin, std::size_t count,
                  float* approximate, float* upper) {
    std::int32_t products[at_once];
    multiply(asked.uses(), asked.planes(), block.codes(begin), count, block.readable(begin), products);
    if (!asked.keys(products, block.facts().from(begin), count, approximate, upper)) refuse_damage();
}

/// Vectors of a block that passed the first comparison, with what it said of them.
struct passed {
    std::uint32_t places[at_once];
    float coarse[at_once];
    std::size_t count = 0;

    void add(std::size_t place, float upper) noexcept {
        places[count] = static_cast<std::uint32_t>(place);
        coarse[count++] = upper;
    }
};

/// Candidates are in the order of the least of all bounds, so that what one passes over no other brings back.
void offer(const query& asked, const block_view& block, const passed& of, std::uint64_t source, collector& found) {
    std::int32_t products[at_once];
    multiply_chosen(asked.uses(), asked.planes(), block.codes(), block.readable(), of.places, of.count, products);
    for (std::size_t i = 0; i < of.count; ++i) {
        code_facts facts = block.facts().at(of.places[i]);
        float approximate, upper;
        if (!asked.keys(products + i, block.facts().from(of.places[i]), 1, &approximate, &upper)) refuse_damage();
        upper = std::min(of.coarse[i], asked.refined(approximate, upper, facts));
        if (upper < found.cut())
            found.pass_over();
        else
            found.offer({block.id(of.places[i]), upper, approximate, source, of.places[i]});
    }
}

} // namespace

void compare(const query& asked, const block_view& block, std::size_t begin, std::size_t count, float* approximate,
             float* upper) {
    check_fits(asked, block);
    for (std::size_t done = 0; done < count; done += at_once)
        compare_some(asked, block, begin + done, std::min(at_once, count - done), approximate + done, upper + done);
}

void scan(const query& asked, const block_view& block, std::uint64_t source, collector& found, std::ptrdiff_t ahead) {
    check_fits(asked, block);
    std::int32_t products[at_once];
    float upper[at_once];
    for (std::size_t begin = 0; begin < block.count(); begin += at_once) {
        std::size_t count = std::min(at_once, block.count() - begin);
        multiply(asked.uses(), asked.coarse_planes(), block.codes(begin), count, block.readable(begin), products, ahead);
        if (!asked.coarse_keys(products, block.facts().from(begin), count, upper)) refuse_damage();
        passed some;
        const float cut = found.cut();
        for (std::size_t group = 0; group < count; group += in_group) {
            std::size_t end = std::min(group + in_group, count);
            // Nearly all groups have nothing to offer, which one look at all of it tells.
            int good = 0;
            for (std::size_t i = group; i < end; ++i)
                good += !(upper[i] < cut);
            if (good == 0) {
                found.pass_over();
                continue;
            }
            for (std::size_t i = group; i < end; ++i) {
                if (upper[i] < cut)
                    found.pass_over();
                else
                    some.add(begin + i, upper[i]);
            }
        }
        if (some.count > 0) offer(asked, block, some, source, found);
    }
}

} // namespace tenancy::vectors
