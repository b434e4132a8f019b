#pragma once

#include "vectors/pure/block.hpp"
#include "vectors/pure/packed.hpp"
#include "vectors/pure/query.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenancy::vectors {

/// What is stored of a tenant's clusters beside the blocks that hold them: which blocks those are, and how many clusters a
/// search has to read. Little-endian, without any alignment of its own.
///
/// Members, in the order of clusters:
///
///     0   4  "TVM" and the version of the format, 1
///     4   4  count of vectors in all blocks that are first named here
///     8   4  0
///     12  4  checksum of everything but these four bytes
///     16     of each member 4 bytes cluster, 8 bytes whatever the caller said
struct member {
    std::uint32_t cluster;
    std::uint64_t source; ///< by what the caller finds a block that has vectors of the cluster
};

namespace members_format {
inline constexpr std::uint8_t version = 1;
inline constexpr std::size_t header = 16, entry = 12;
} // namespace members_format

std::vector<std::uint8_t> pack_members(const member* first, std::size_t count, std::uint32_t vectors);

/// Looks at packed members where they lie. Keeps no copy: the bytes must stay.
class members_view {
public:
    /// @throws error XX001 when the bytes are no members, by how they begin and how many they are
    members_view(const std::uint8_t* bytes, std::size_t size);

    std::size_t count() const noexcept { return m_count; }
    member operator[](std::size_t place) const noexcept {
        const std::uint8_t* at = m_bytes + members_format::header + place * members_format::entry;
        return {load<std::uint32_t>(at), load<std::uint64_t>(at + 4)};
    }
    /// Vectors in all blocks that are first named here.
    std::uint32_t vectors() const noexcept { return load<std::uint32_t>(m_bytes + 4); }

    /// Add the sources of some clusters. @param clusters in rising order
    void find(const std::vector<std::uint32_t>& clusters, std::vector<std::uint64_t>& sources) const;

private:
    const std::uint8_t* m_bytes;
    std::size_t m_count;
};

/// What was learned from searches whose answer is known.
///
///     0   4  "TVP" and the version of the format, 1
///     4   4  clusters
///     8   4  0
///     12  4  checksum of everything but these four bytes
///     16  8  vectors that there were
///     24     for each of the counts: 4 bytes probes, 4 bytes recall, 4 bytes standing out
struct promise {
    /// Neighbours that a search asks for, at most.
    static constexpr std::size_t counts[] = {10, 50, 200};
    static constexpr std::size_t kinds = sizeof counts / sizeof *counts;

    std::uint64_t vectors = 0;
    std::uint32_t clusters = 0;        ///< 0 when reading some is of no use
    std::uint32_t probes[kinds] = {};  ///< clusters to read, the nearest first; all of them when fewer promise nothing
    float recall[kinds] = {};          ///< that those promise, to a question like the rehearsed ones
    float stands_out[kinds] = {};      ///< what such a question's last neighbour does at least

    /// Which of the counts a search for so many neighbours goes by; `kinds` when it must read all clusters.
    std::size_t kind_for(std::int64_t count) const noexcept;
};

/// Compare a query with packed centres. The keys are those of query, less exact and faster to compute: which centres are
/// nearer needs no more.
///
/// @param keys  room for one of each
/// @param ahead how far behind in memory lies what is read next: see multiply()
void compare_centres(const query& asked, const block_view& centres, float* keys, std::ptrdiff_t ahead = 0);

/// How much nearer a neighbour is than the centre of the nearest cluster that was not read, by keys. Where it is not,
/// the question is unlike the vectors, and nothing says that its neighbours are in the clusters with the nearest centres.
float stands_out(const query& asked, float neighbour, float centre) noexcept;

std::vector<std::uint8_t> pack_promise(const promise& of);
/// @throws error XX001 when the bytes are no promise
promise unpack_promise(const std::uint8_t* bytes, std::size_t size);

enum class directory_part { centres, members, promise };
/// What the bytes are, by how they begin.
directory_part part_of(const std::uint8_t* bytes, std::size_t size) noexcept;

/// Whether members or a promise are what was packed.
bool verify_directory(const std::uint8_t* bytes, std::size_t size) noexcept;

/// Centres are packed as the vectors of a block, with their number in the place of an id.
uuid id_of_cluster(std::uint32_t number) noexcept;
std::uint32_t cluster_of(const uuid& id) noexcept;

} // namespace tenancy::vectors
