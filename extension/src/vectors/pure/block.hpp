#pragma once

#include "pure/uuid.hpp"
#include "vectors/pure/quantise.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenancy::vectors {

/// Packed codes of up to most_in_block vectors: the unit that is stored, read and compared.
///
/// Little-endian, without any alignment of its own:
///
///     0   4  "TVB" and the version of the format, 1
///     4   1  metric: 0 cosine, 1 inner product, 2 l2
///     5   1  0
///     6   2  dimensions
///     8   4  count of vectors
///     12  4  checksum of everything but these four bytes
///     16     codes, count times dimensions bytes (128 is zero)
///            scales, residuals and, except for cosine, norms: each count floats
///            ids, count times 16 bytes
///
/// A damaged block makes an error or wrong candidates, which do no harm, as every row is read and scored exactly; never
/// a read outside of it. verify() finds all damage.
namespace block_format {
inline constexpr std::uint8_t version = 1;
inline constexpr std::size_t header = 16;
} // namespace block_format

inline constexpr std::size_t most_in_block = 65536;

/// Bytes that a block of so many vectors has.
std::size_t block_size(metric by, std::size_t dims, std::size_t count) noexcept;

/// Collects vectors and packs them.
class block_builder {
public:
    block_builder(metric by, std::size_t dims);

    std::size_t count() const noexcept { return m_ids.size(); }
    bool is_empty() const noexcept { return m_ids.empty(); }
    /// Bytes that pack() would give now.
    std::size_t size() const noexcept;

    /// Quantise and keep. @param values what the exact lane computes with, `dims` finite numbers
    void add(const uuid& id, const float* values);

    /// Keep a vector as another block has it; its code is neither changed nor computed anew.
    ///
    /// @param from a block of the same metric and dimensions
    /// @throws error when it is not
    void add(const class block_view& from, std::size_t place);

    /// The block; leaves the builder empty, for the next one.
    std::vector<std::uint8_t> pack();

    const quantiser& last() const noexcept { return m_quantiser; }

private:
    quantiser m_quantiser;
    std::vector<uuid> m_ids;
    std::vector<std::uint8_t> m_codes;
    std::vector<code_facts> m_facts;
};

/// Looks at a packed block where it lies. Keeps no copy: the bytes must stay.
class block_view {
public:
    /// @throws error XX001 when the bytes are no block, or one of another length than they say
    block_view(const std::uint8_t* bytes, std::size_t size);

    metric by() const noexcept { return m_metric; }
    std::size_t dimensions() const noexcept { return m_dims; }
    std::size_t count() const noexcept { return m_count; }

    uuid id(std::size_t place) const noexcept;
    const std::uint8_t* codes(std::size_t place = 0) const noexcept { return m_codes + place * m_dims; }
    /// Bytes that may be read from codes(place) on.
    std::size_t readable(std::size_t place = 0) const noexcept {
        return static_cast<std::size_t>(m_end - codes(place));
    }
    const code_facts_view& facts() const noexcept { return m_facts; }

    /// Whether the checksum is right; reads all of it, so it is for checks, not for searches.
    bool verify() const noexcept;

private:
    const std::uint8_t* m_bytes;
    const std::uint8_t* m_end;
    const std::uint8_t* m_codes;
    const std::uint8_t* m_ids;
    code_facts_view m_facts;
    metric m_metric;
    std::size_t m_dims, m_count;
};

/// What the code of a vector stands for, in the space of the embeddings (for cosine: divided by the norm).
///
/// @param values room for its dimensions
void values_of(const block_view& block, std::size_t place, float* values);

} // namespace tenancy::vectors
