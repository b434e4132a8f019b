#include "pure/pure.hpp"

#include "vectors/pure/block.hpp"
#include "vectors/pure/checksum.hpp"
#include "pure/error.hpp"

#include <cstring>
#include <string>

namespace tenancy::vectors {

namespace {

constexpr std::uint8_t magic[4] = {'T', 'V', 'B', block_format::version};

[[noreturn]] void refuse(const std::string& detail) {
    throw error(sqlstate::data_corrupted, "block of vectors is damaged", detail,
                "Run tenancy.rebuild_corpus() to make the blocks of the corpus again from its rows.");
}

std::size_t facts_per_vector(metric by) noexcept { return by == metric::cosine ? 2 : 3; }

} // namespace

std::size_t block_size(metric by, std::size_t dims, std::size_t count) noexcept {
    return block_format::header + count * (dims + facts_per_vector(by) * sizeof(float) + sizeof(uuid));
}

block_builder::block_builder(metric by, std::size_t dims) : m_quantiser{by, dims} {}

std::size_t block_builder::size() const noexcept {
    return block_size(m_quantiser.by(), m_quantiser.dimensions(), count());
}

void block_builder::add(const uuid& id, const float* values) {
    if (count() == most_in_block) throw error(sqlstate::internal_error, "block of vectors is full");
    std::size_t end = m_codes.size();
    m_codes.resize(end + m_quantiser.dimensions());
    m_facts.push_back(m_quantiser.quantise(values, m_codes.data() + end));
    m_ids.push_back(id);
}

void block_builder::add(const block_view& from, std::size_t place) {
    if (count() == most_in_block) throw error(sqlstate::internal_error, "block of vectors is full");
    if (from.by() != m_quantiser.by() || from.dimensions() != m_quantiser.dimensions())
        refuse("It has " + std::to_string(from.dimensions()) + " dimensions, or another metric, where " +
               std::to_string(m_quantiser.dimensions()) + " are expected.");
    m_codes.insert(m_codes.end(), from.codes(place), from.codes(place) + from.dimensions());
    m_facts.push_back(from.facts().at(place));
    m_ids.push_back(from.id(place));
}

std::vector<std::uint8_t> block_builder::pack() {
    std::vector<std::uint8_t> bytes(size());
    std::memcpy(bytes.data(), magic, sizeof magic);
    bytes[4] = static_cast<std::uint8_t>(m_quantiser.by());
    store<std::uint16_t>(bytes.data() + 6, static_cast<std::uint16_t>(m_quantiser.dimensions()));
    store<std::uint32_t>(bytes.data() + 8, static_cast<std::uint32_t>(count()));

    std::uint8_t* at = bytes.data() + block_format::header;
    if (!m_codes.empty()) std::memcpy(at, m_codes.data(), m_codes.size());
    at += m_codes.size();
    auto put = [&](float code_facts::*fact) {
        for (const code_facts& facts : m_facts) {
            store<float>(at, facts.*fact);
            at += sizeof(float);
        }
    };
    put(&code_facts::scale);
    put(&code_facts::residual);
    if (m_quantiser.by() != metric::cosine) put(&code_facts::norm);
    for (const uuid& id : m_ids) {
        std::memcpy(at, id.bytes, sizeof id.bytes);
        at += sizeof id.bytes;
    }
    store<std::uint32_t>(bytes.data() + 12, checksum(bytes.data(), bytes.size()));
    m_codes.clear();
    m_facts.clear();
    m_ids.clear();
    return bytes;
}

block_view::block_view(const std::uint8_t* bytes, std::size_t size) : m_bytes{bytes}, m_end{bytes + size} {
    if (size < block_format::header)
        refuse("It has " + std::to_string(size) + " bytes, fewer than its header.");
    if (std::memcmp(bytes, magic, 3) != 0) refuse("It does not begin as a block does.");
    if (bytes[3] != block_format::version)
        refuse("Its format has the version " + std::to_string(bytes[3]) + ", not " +
               std::to_string(block_format::version) + ".");
    m_dims = load<std::uint16_t>(bytes + 6);
    m_count = load<std::uint32_t>(bytes + 8);
    if (bytes[4] > 2 || bytes[5] != 0 || m_dims < 1 || m_dims > most_dimensions || m_count > most_in_block)
        refuse("Its header says metric " + std::to_string(bytes[4]) + ", " + std::to_string(m_dims) +
               " dimensions, " + std::to_string(m_count) + " vectors.");
    m_metric = static_cast<metric>(bytes[4]);
    std::size_t expected = block_size(m_metric, m_dims, m_count);
    if (size != expected)
        refuse("It has " + std::to_string(size) + " bytes, not " + std::to_string(expected) + ".");

    m_codes = bytes + block_format::header;
    m_facts.scales.bytes = m_codes + m_count * m_dims;
    m_facts.residuals = m_facts.scales.from(m_count);
    m_ids = m_facts.residuals.from(m_count).bytes;
    if (m_metric != metric::cosine) {
        m_facts.norms = m_facts.residuals.from(m_count);
        m_ids = m_facts.norms.from(m_count).bytes;
    }
}

uuid block_view::id(std::size_t place) const noexcept {
    uuid id;
    std::memcpy(id.bytes, m_ids + place * sizeof id.bytes, sizeof id.bytes);
    return id;
}

bool block_view::verify() const noexcept {
    return checksum(m_bytes, static_cast<std::size_t>(m_end - m_bytes)) == load<std::uint32_t>(m_bytes + 12);
}

void values_of(const block_view& block, std::size_t place, float* values) {
    const std::uint8_t* codes = block.codes(place);
    float scale = block.facts().scales[place];
    for (std::size_t i = 0; i < block.dimensions(); ++i)
        values[i] = scale * static_cast<float>(static_cast<int>(codes[i]) - code_zero);
    rotation{block.dimensions()}.undo(values);
}

} // namespace tenancy::vectors
