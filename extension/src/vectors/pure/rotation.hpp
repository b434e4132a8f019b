#pragma once

#include "vectors/pure/kernels.hpp"

#include <cstddef>
#include <vector>

namespace tenancy::vectors {

/// The most dimensions that the store quantises; a corpus with more is searched without it.
inline constexpr std::size_t most_dimensions = 4000;

/// A fixed orthogonal map of R^dims, the same on every machine and in every release that reads the block format.
///
/// Embeddings have a few large coordinates that would set the scale of a whole vector; after a random rotation all
/// coordinates are of one size, which halves the quantisation error of real embeddings and makes the errors of few-bit
/// codes behave as noise. Inner products, norms and distances stay as they are.
///
/// Random signs and Walsh-Hadamard transforms over the first and the last power of two, mixed by one step of Kac's
/// walk; N. Ailon, B. Chazelle, "The fast Johnson-Lindenstrauss transform", SIAM J. Comput. 39 (2009), 302-322, and for
/// lengths that are no power of two the layout of J. Gao et al., SIGMOD 2025 (RaBitQ's library).
class rotation {
public:
    /// The norm of (what apply() answers - the exact map) is at most this times the norm of the input, which holds for
    /// inputs whose norm is between 2^-50 and 2^60: at most 4 * 11 + 11 roundings to 24 bits one after the other.
    static constexpr double relative_error = 64 * 0x1p-24;

    explicit rotation(std::size_t dims);

    std::size_t dimensions() const noexcept { return m_dims; }

    /// @param values `dimensions()` numbers, rotated in place
    /// @param use    which registers to use; the result is the same
    void apply(float* values, kernel use = best_kernel()) const noexcept;
    /// The other way, with the same error.
    void undo(float* values) const noexcept;

private:
    std::size_t m_dims, m_power;
    std::vector<float> m_signs; ///< two rounds of +1 and -1
};

} // namespace tenancy::vectors
