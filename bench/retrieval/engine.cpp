// Compiled as the extension is, and not for this machine as the loops beside it.

#include "engine.hpp"
#include "vectors/pure/scan.hpp"

using namespace tenancy;
using namespace tenancy::vectors;

namespace {

/// Bytes of codes that a page of the store has room for.
constexpr std::size_t page_room = 8100;

uuid id_of(std::size_t row) {
    uuid id{};
    for (std::size_t i = 0; i < 8; ++i)
        id.bytes[15 - i] = static_cast<std::uint8_t>(row >> 8 * i);
    return id;
}

std::size_t row_of(const uuid& id) {
    std::size_t row = 0;
    for (std::size_t i = 8; i < 16; ++i)
        row = row << 8 | id.bytes[i];
    return row;
}

/// In eight sums, which any compiler makes fast.
double cosine_of(const float* a, const float* b, std::size_t dims) {
    float both[8] = {}, left[8] = {}, right[8] = {};
    std::size_t i = 0;
    auto add = [&](std::size_t at, std::size_t lane) {
        both[lane] += a[at] * b[at];
        left[lane] += a[at] * a[at];
        right[lane] += b[at] * b[at];
    };
    for (; i + 8 <= dims; i += 8)
        for (std::size_t lane = 0; lane < 8; ++lane)
            add(i + lane, lane);
    for (; i < dims; ++i)
        add(i, 0);
    double sum = 0, norm_a = 0, norm_b = 0;
    for (std::size_t lane = 0; lane < 8; ++lane) {
        sum += both[lane];
        norm_a += left[lane];
        norm_b += right[lane];
    }
    return sum / std::sqrt(norm_a * norm_b);
}

} // namespace

engine::engine(const table& rows) : m_rows{rows} {
    block_builder builder{metric::cosine, rows.dims};
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        if (!builder.is_empty() && builder.size() + rows.dims + 24 > page_room) m_blocks.push_back(builder.pack());
        builder.add(id_of(i), rows.row(i));
    }
    if (!builder.is_empty()) m_blocks.push_back(builder.pack());
}

std::vector<std::size_t> engine::search(const float* values, std::size_t count) const {
    query asked{metric::cosine, values, m_rows.dims};
    collector found{asked, static_cast<std::int64_t>(count)};
    do {
        for (const std::vector<std::uint8_t>& block : m_blocks)
            scan(asked, block_view{block.data(), block.size()}, 0, found);
        found.end_scan();
        candidate batch[16];
        while (std::size_t taken = found.take(batch, 16))
            for (std::size_t i = 0; i < taken; ++i)
                found.score(batch[i], cosine_of(values, m_rows.row(row_of(batch[i].id)), m_rows.dims));
    } while (!found.is_complete());
    std::vector<std::size_t> answer;
    for (const search::ranked& row : found.result())
        answer.push_back(row_of(row.key));
    return answer;
}
