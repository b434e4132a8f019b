#pragma once

#include <cstddef>
#include <cstdint>

namespace tenancy::vectors {

/// A query as the kernels want it: 16-bit numbers, the same split into two planes of signed bytes
/// (number = 128 * high + low), all followed by zeros up to a multiple of `lane_bytes`. Without a low plane the numbers
/// are the high one.
struct query_planes {
    const std::int16_t* numbers;
    const std::int8_t* high;
    const std::int8_t* low;
    std::size_t dims;
    std::uint32_t bias; ///< code_zero times the sum of the numbers, modulo 2^32
};

inline constexpr std::size_t lane_bytes = 64;

/// A way to compute inner products of a query with codes. All give the same integers.
enum class kernel { portable, avx2, avx512_vnni };

inline constexpr kernel all_kernels[] = {kernel::portable, kernel::avx2, kernel::avx512_vnni};

bool is_supported(kernel which) noexcept;

/// The fastest that this machine has; found once.
kernel best_kernel() noexcept;

const char* name_of(kernel which) noexcept;

/// Inner products with codes that lie one after the other.
///
/// @param codes    `rows` times `dims` bytes
/// @param readable bytes that may be read from `codes` on, at least rows * dims; what is beyond those does not matter
/// @param products one integer each, exact as the query keeps sum(|number|) * 127 below 2^31
/// @param ahead    how far behind in memory lies what will be read next: it is asked for while this is read. Any number is
///                 safe; 0 when nothing is known
void multiply(kernel by, const query_planes& with, const std::uint8_t* codes, std::size_t rows, std::size_t readable,
              std::int32_t* products, std::ptrdiff_t ahead = 0) noexcept;

/// A query as the two-bit kernels want it: four segments, each followed by zeros up to a multiple of `lane_bytes`, of
/// which byte j of a code holds one coordinate each.
struct query_segments {
    const std::int8_t* segments[4];
    std::size_t code_bytes; ///< of one vector
};

/// Sums of (0 to 3) times number for two-bit codes that lie one after the other; otherwise as multiply().
void multiply_two_bits(kernel by, const query_segments& with, const std::uint8_t* codes, std::size_t rows,
                       std::size_t readable, std::int32_t* sums) noexcept;

/// As multiply() for some of the codes: those at `places`.
void multiply_chosen(kernel by, const query_planes& with, const std::uint8_t* codes, std::size_t readable,
                     const std::uint32_t* places, std::size_t count, std::int32_t* products) noexcept;

} // namespace tenancy::vectors
