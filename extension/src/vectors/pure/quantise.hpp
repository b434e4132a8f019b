#pragma once

#include "search/pure/metric.hpp"
#include "vectors/pure/packed.hpp"
#include "vectors/pure/rotation.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenancy::vectors {

using search::metric;

/// What belongs to the int8 code of one vector.
///
/// The code stands for the vector `scale * (code - 128)` in rotated space, which is as near to the rotated vector (for
/// cosine: divided by its norm) as `residual` says.
struct code_facts {
    /// 0 or a positive number.
    float scale;
    /// Never less than the distance between the vector and what its code stands for; +inf when no bound is known.
    float residual;
    /// inner_product: never less than the vector's norm. l2: the norm of what the code stands for. cosine: not used.
    float norm;
};

/// The same of many vectors, in packed bytes. Cosine has no norms.
struct code_facts_view {
    packed_floats scales, residuals, norms;

    code_facts at(std::size_t place) const noexcept {
        return {scales[place], residuals[place], norms.bytes ? norms[place] : 0};
    }
    code_facts_view from(std::size_t place) const noexcept {
        return {scales.from(place), residuals.from(place), norms.bytes ? norms.from(place) : norms};
    }
};

/// The zero of a code byte.
inline constexpr int code_zero = 128;

/// Norms outside of these are beyond what float arithmetic can be trusted with (squares overflow or vanish): such a
/// vector gets no bound, so that every search looks at its row.
inline constexpr double least_norm = 0x1p-50, greatest_norm = 0x1p60;

/// Turns vectors into codes. Holds a buffer, so one thread each.
class quantiser {
public:
    /// @param dims 1 to most_dimensions
    quantiser(metric by, std::size_t dims);

    metric by() const noexcept { return m_metric; }
    std::size_t dimensions() const noexcept { return m_rotation.dimensions(); }

    /// @param values what the exact lane computes with: for a halfvec the stored two-byte numbers, widened
    /// @param codes  room for `dimensions()` bytes
    code_facts quantise(const float* values, std::uint8_t* codes);

    /// The rotated direction that the last quantise() worked on; what finer or coarser codes of it are made from.
    const float* direction() const noexcept { return m_buffer.data(); }
    /// Its norm; 0 for a zero vector, and also where no bound is known.
    double norm() const noexcept { return m_norm; }

private:
    metric m_metric;
    rotation m_rotation;
    std::vector<float> m_buffer;
    double m_norm = 0;
};

} // namespace tenancy::vectors
