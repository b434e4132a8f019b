#include "pure/pure.hpp"

#include "vectors/pure/checksum.hpp"
#include "vectors/pure/directory.hpp"
#include "pure/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace tenancy::vectors {

namespace {

constexpr std::uint8_t members_magic[4] = {'T', 'V', 'M', members_format::version};
constexpr std::uint8_t promise_magic[4] = {'T', 'V', 'P', 1};
constexpr std::size_t checksum_at = 12, promise_size = 24 + 12 * promise::kinds;

[[noreturn]] void refuse(const std::string& detail) {
    throw error(sqlstate::data_corrupted, "directory of clusters is damaged", detail,
                "Run tenancy.rebuild_corpus() to make the clusters of the corpus again from its rows.");
}

bool has_checksum(const std::uint8_t* bytes, std::size_t size) noexcept {
    return size >= checksum_at + sizeof(std::uint32_t) && load<std::uint32_t>(bytes + checksum_at) == checksum(bytes, size);
}

void check_beginning(const std::uint8_t* bytes, std::size_t size, const std::uint8_t (&magic)[4]) {
    if (size < sizeof magic || std::memcmp(bytes, magic, sizeof magic) != 0) refuse("It does not begin as it should.");
}

void check(const std::uint8_t* bytes, std::size_t size, const std::uint8_t (&magic)[4]) {
    check_beginning(bytes, size, magic);
    if (!has_checksum(bytes, size)) refuse("Its checksum is wrong.");
}

} // namespace

std::vector<std::uint8_t> pack_members(const member* first, std::size_t count, std::uint32_t vectors) {
    std::vector<std::uint8_t> bytes(members_format::header + count * members_format::entry);
    std::memcpy(bytes.data(), members_magic, sizeof members_magic);
    store<std::uint32_t>(bytes.data() + 4, vectors);
    std::uint8_t* at = bytes.data() + members_format::header;
    for (std::size_t i = 0; i < count; ++i, at += members_format::entry) {
        store<std::uint32_t>(at, first[i].cluster);
        store<std::uint64_t>(at + 4, first[i].source);
    }
    store<std::uint32_t>(bytes.data() + checksum_at, checksum(bytes.data(), bytes.size()));
    return bytes;
}

members_view::members_view(const std::uint8_t* bytes, std::size_t size) : m_bytes{bytes} {
    check_beginning(bytes, size, members_magic);
    if (size < members_format::header || (size - members_format::header) % members_format::entry != 0)
        refuse("It has " + std::to_string(size) + " bytes.");
    m_count = (size - members_format::header) / members_format::entry;
}

void members_view::find(const std::vector<std::uint32_t>& clusters, std::vector<std::uint64_t>& sources) const {
    if (m_count == 0) return;
    auto wanted = std::lower_bound(clusters.begin(), clusters.end(), (*this)[0].cluster);
    std::size_t place = 0;
    for (; wanted != clusters.end() && place < m_count; ++wanted) {
        for (std::size_t left = m_count - place; left > 0;) {
            std::size_t half = left / 2;
            bool is_before = (*this)[place + half].cluster < *wanted;
            place = is_before ? place + half + 1 : place;
            left = is_before ? left - half - 1 : half;
        }
        for (; place < m_count && (*this)[place].cluster == *wanted; ++place)
            sources.push_back((*this)[place].source);
    }
}

std::size_t promise::kind_for(std::int64_t count) const noexcept {
    for (std::size_t kind = 0; kind < kinds; ++kind)
        if (count <= static_cast<std::int64_t>(counts[kind]) && probes[kind] < clusters) return kind;
    return kinds;
}

void compare_centres(const query& asked, const block_view& centres, float* keys, std::ptrdiff_t ahead) {
    if (centres.by() != asked.by() || centres.dimensions() != asked.dimensions()) refuse("Its centres are of another corpus.");
    constexpr std::size_t at_once = 256;
    std::int32_t products[at_once];
    bool good = true;
    const float step = asked.coarse_step(), norm = static_cast<float>(asked.norm());
    for (std::size_t begin = 0; begin < centres.count(); begin += at_once, keys += at_once) {
        std::size_t count = std::min(at_once, centres.count() - begin);
        multiply(asked.uses(), asked.coarse_planes(), centres.codes(begin), count, centres.readable(begin), products, ahead);
        code_facts_view facts = centres.facts().from(begin);
        for (std::size_t i = 0; i < count; ++i) {
            keys[i] = static_cast<float>(products[i]) * (facts.scales[i] * step);
            good &= std::isfinite(keys[i]);
        }
        for (std::size_t i = 0; i < count && asked.by() == metric::l2; ++i) {
            float squares = norm * norm + facts.norms[i] * facts.norms[i] - 2 * keys[i];
            keys[i] = -std::sqrt(std::max(0.0f, squares));
            good &= std::isfinite(squares);
        }
    }
    if (!good) refuse("A centre is not a vector of numbers.");
}

float stands_out(const query& asked, float neighbour, float centre) noexcept {
    switch (asked.by()) {
    case metric::cosine:
        return neighbour - centre;
    case metric::inner_product:
        return (neighbour - centre) / static_cast<float>(std::max(asked.norm(), 0x1p-60));
    case metric::l2:
        break;
    }
    // Of distances, as a part of the greater.
    return (neighbour - centre) / std::max(-centre, 0x1p-60f);
}

std::vector<std::uint8_t> pack_promise(const promise& of) {
    std::vector<std::uint8_t> bytes(promise_size);
    std::memcpy(bytes.data(), promise_magic, sizeof promise_magic);
    store<std::uint64_t>(bytes.data() + 16, of.vectors);
    store<std::uint32_t>(bytes.data() + 4, of.clusters);
    for (std::size_t i = 0; i < promise::kinds; ++i) {
        store<std::uint32_t>(bytes.data() + 24 + 12 * i, of.probes[i]);
        store<float>(bytes.data() + 28 + 12 * i, of.recall[i]);
        store<float>(bytes.data() + 32 + 12 * i, of.stands_out[i]);
    }
    store<std::uint32_t>(bytes.data() + checksum_at, checksum(bytes.data(), bytes.size()));
    return bytes;
}

promise unpack_promise(const std::uint8_t* bytes, std::size_t size) {
    check(bytes, size, promise_magic);
    if (size != promise_size) refuse("It has " + std::to_string(size) + " bytes, not " + std::to_string(promise_size) + ".");
    promise of;
    of.vectors = load<std::uint64_t>(bytes + 16);
    of.clusters = load<std::uint32_t>(bytes + 4);
    for (std::size_t i = 0; i < promise::kinds; ++i) {
        of.probes[i] = load<std::uint32_t>(bytes + 24 + 12 * i);
        of.recall[i] = load<float>(bytes + 28 + 12 * i);
        of.stands_out[i] = load<float>(bytes + 32 + 12 * i);
        if (!(of.recall[i] >= 0 && of.recall[i] <= 1)) refuse("It promises a recall of " + std::to_string(of.recall[i]) + ".");
    }
    return of;
}

directory_part part_of(const std::uint8_t* bytes, std::size_t size) noexcept {
    if (size >= 3 && bytes[2] == members_magic[2]) return directory_part::members;
    if (size >= 3 && bytes[2] == promise_magic[2]) return directory_part::promise;
    return directory_part::centres;
}

bool verify_directory(const std::uint8_t* bytes, std::size_t size) noexcept {
    bool is_known = size >= sizeof members_magic && (std::memcmp(bytes, members_magic, sizeof members_magic) == 0 ||
                                                     std::memcmp(bytes, promise_magic, sizeof promise_magic) == 0);
    return is_known && has_checksum(bytes, size);
}

uuid id_of_cluster(std::uint32_t number) noexcept {
    uuid id{};
    store<std::uint32_t>(id.bytes, number);
    return id;
}

std::uint32_t cluster_of(const uuid& id) noexcept { return load<std::uint32_t>(id.bytes); }

} // namespace tenancy::vectors
