#pragma once

#include "data.hpp"

#include <cstdint>
#include <vector>

/// The engine's own blocks, scan and proof over rows in memory: what match_chunks does but for the server around it. Cosine.
class engine {
public:
    explicit engine(const table& rows);

    /// The exact best `count`, best first.
    std::vector<std::size_t> search(const float* asked, std::size_t count) const;

private:
    const table& m_rows;
    std::vector<std::vector<std::uint8_t>> m_blocks;
};
