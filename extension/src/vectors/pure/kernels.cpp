#include "pure/pure.hpp"

#include "vectors/pure/kernels.hpp"
#include "vectors/pure/rotation.hpp"
#include "vectors/pure/wide.hpp"

#include <algorithm>
#include <cstring>

namespace tenancy::vectors {

namespace {

constexpr std::size_t rounded_up(std::size_t dims) noexcept {
    return (dims + lane_bytes - 1) / lane_bytes * lane_bytes;
}

/// Rows may be read up to the next multiple of lane_bytes; the query is zero there.
using row_product = std::int32_t (*)(const query_planes&, const std::uint8_t*) noexcept;
using four_products = void (*)(const query_planes&, const std::uint8_t* const (&rows)[4], std::int32_t*) noexcept;

std::int32_t without_bias(const query_planes& with, std::uint32_t sum) noexcept {
    return static_cast<std::int32_t>(sum - with.bias);
}

std::int32_t portable_product(const query_planes& with, const std::uint8_t* row) noexcept {
    // Unsigned, as the sum with the bias may wrap.
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < with.dims; ++i)
        sum += static_cast<std::uint32_t>(with.numbers[i] * static_cast<int>(row[i]));
    return without_bias(with, sum);
}

void portable_four(const query_planes& with, const std::uint8_t* const (&rows)[4], std::int32_t* products) noexcept {
    for (int r = 0; r < 4; ++r)
        products[r] = portable_product(with, rows[r]);
}

#ifdef TENANCY_X86

#define TENANCY_AVX2 __attribute__((target("avx2")))
#define TENANCY_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

TENANCY_AVX2 inline std::uint32_t sum_of(__m256i lanes) noexcept {
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(sums));
}

TENANCY_AVX2 inline __m256i widened(const std::uint8_t* codes) noexcept {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
}

TENANCY_AVX2 inline __m256i bytes_at(const std::int8_t* numbers) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers));
}

TENANCY_AVX2 std::int32_t avx2_product(const query_planes& with, const std::uint8_t* row) noexcept {
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (std::size_t i = 0; i < with.dims; i += 32) {
        __m256i numbers = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(with.numbers + i));
        __m256i others = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(with.numbers + i + 16));
        even = _mm256_add_epi32(even, _mm256_madd_epi16(widened(row + i), numbers));
        odd = _mm256_add_epi32(odd, _mm256_madd_epi16(widened(row + i + 16), others));
    }
    return without_bias(with, sum_of(_mm256_add_epi32(even, odd)));
}

TENANCY_AVX2 void avx2_four(const query_planes& with, const std::uint8_t* const (&rows)[4],
                            std::int32_t* products) noexcept {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (std::size_t i = 0; i < with.dims; i += 16) {
        __m256i numbers = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(with.numbers + i));
        a = _mm256_add_epi32(a, _mm256_madd_epi16(widened(rows[0] + i), numbers));
        b = _mm256_add_epi32(b, _mm256_madd_epi16(widened(rows[1] + i), numbers));
        c = _mm256_add_epi32(c, _mm256_madd_epi16(widened(rows[2] + i), numbers));
        d = _mm256_add_epi32(d, _mm256_madd_epi16(widened(rows[3] + i), numbers));
    }
    // Two rounds of neighbours leave a quarter of each sum in each half.
    __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    __m128i whole = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    whole = _mm_sub_epi32(whole, _mm_set1_epi32(static_cast<int>(with.bias)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(products), whole);
}

TENANCY_VNNI std::int32_t vnni_product(const query_planes& with, const std::uint8_t* row) noexcept {
    __m512i sums = _mm512_setzero_si512();
    for (std::size_t i = 0; i < with.dims; i += 64)
        sums = _mm512_dpbusd_epi32(sums, _mm512_loadu_si512(row + i), _mm512_loadu_si512(with.high + i));
    if (with.low) {
        sums = _mm512_slli_epi32(sums, 7);
        for (std::size_t i = 0; i < with.dims; i += 64)
            sums = _mm512_dpbusd_epi32(sums, _mm512_loadu_si512(row + i), _mm512_loadu_si512(with.low + i));
    }
    return without_bias(with, static_cast<std::uint32_t>(_mm512_reduce_add_epi32(sums)));
}

/// The sum of the lanes of each of four registers.
TENANCY_VNNI inline __m128i four_sums(__m512i a, __m512i b, __m512i c, __m512i d) noexcept {
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/// The sums of four rows with one plane; registers by name, as arrays of them would live in memory.
TENANCY_VNNI inline __m128i plane_sums(const std::int8_t* plane, std::size_t dims,
                                       const std::uint8_t* const (&rows)[4]) noexcept {
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    for (std::size_t i = 0; i < dims; i += 64) {
        __m512i numbers = _mm512_loadu_si512(plane + i);
        a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(rows[0] + i), numbers);
        b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(rows[1] + i), numbers);
        c = _mm512_dpbusd_epi32(c, _mm512_loadu_si512(rows[2] + i), numbers);
        d = _mm512_dpbusd_epi32(d, _mm512_loadu_si512(rows[3] + i), numbers);
    }
    return four_sums(a, b, c, d);
}

TENANCY_VNNI void vnni_four(const query_planes& with, const std::uint8_t* const (&rows)[4],
                            std::int32_t* products) noexcept {
    __m128i sums = plane_sums(with.high, with.dims, rows);
    if (with.low) sums = _mm_add_epi32(_mm_slli_epi32(sums, 7), plane_sums(with.low, with.dims, rows));
    sums = _mm_sub_epi32(sums, _mm_set1_epi32(static_cast<int>(with.bias)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(products), sums);
}

/// 64 bytes are 256 coordinates: what each two bits say is shifted to the lowest.
TENANCY_VNNI std::int32_t vnni_two_bits(const query_segments& with, const std::uint8_t* row) noexcept {
    const __m512i lowest = _mm512_set1_epi8(3);
    __m512i a = _mm512_setzero_si512(), b = a;
    for (std::size_t i = 0; i < with.code_bytes; i += 64) {
        __m512i codes = _mm512_loadu_si512(row + i);
        a = _mm512_dpbusd_epi32(a, _mm512_and_si512(codes, lowest), _mm512_loadu_si512(with.segments[0] + i));
        b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(codes, 2), lowest),
                                _mm512_loadu_si512(with.segments[1] + i));
        a = _mm512_dpbusd_epi32(a, _mm512_and_si512(_mm512_srli_epi16(codes, 4), lowest),
                                _mm512_loadu_si512(with.segments[2] + i));
        b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(codes, 6), lowest),
                                _mm512_loadu_si512(with.segments[3] + i));
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
}

TENANCY_VNNI void vnni_four_two_bits(const query_segments& with, const std::uint8_t* const (&rows)[4],
                                     std::int32_t* sums) noexcept {
    const __m512i lowest = _mm512_set1_epi8(3);
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    for (std::size_t i = 0; i < with.code_bytes; i += 64) {
        __m512i codes_a = _mm512_loadu_si512(rows[0] + i), codes_b = _mm512_loadu_si512(rows[1] + i);
        __m512i codes_c = _mm512_loadu_si512(rows[2] + i), codes_d = _mm512_loadu_si512(rows[3] + i);
        for (int s = 0; s < 4; ++s) {
            __m512i numbers = _mm512_loadu_si512(with.segments[s] + i);
            a = _mm512_dpbusd_epi32(a, _mm512_and_si512(codes_a, lowest), numbers);
            b = _mm512_dpbusd_epi32(b, _mm512_and_si512(codes_b, lowest), numbers);
            c = _mm512_dpbusd_epi32(c, _mm512_and_si512(codes_c, lowest), numbers);
            d = _mm512_dpbusd_epi32(d, _mm512_and_si512(codes_d, lowest), numbers);
            codes_a = _mm512_srli_epi16(codes_a, 2);
            codes_b = _mm512_srli_epi16(codes_b, 2);
            codes_c = _mm512_srli_epi16(codes_c, 2);
            codes_d = _mm512_srli_epi16(codes_d, 2);
        }
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), four_sums(a, b, c, d));
}

TENANCY_AVX2 std::int32_t avx2_two_bits(const query_segments& with, const std::uint8_t* row) noexcept {
    const __m256i lowest = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
    __m256i sums = _mm256_setzero_si256();
    for (std::size_t i = 0; i < with.code_bytes; i += 32) {
        __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i));
        // At most 8 times 3 times 128 in a lane.
        __m256i pairs = _mm256_maddubs_epi16(_mm256_and_si256(codes, lowest), bytes_at(with.segments[0] + i));
        for (int s = 1; s < 4; ++s) {
            codes = _mm256_srli_epi16(codes, 2);
            pairs = _mm256_add_epi16(
                pairs, _mm256_maddubs_epi16(_mm256_and_si256(codes, lowest), bytes_at(with.segments[s] + i)));
        }
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, ones));
    }
    return static_cast<std::int32_t>(sum_of(sums));
}

#endif

using two_bit_sum = std::int32_t (*)(const query_segments&, const std::uint8_t*) noexcept;

std::int32_t portable_two_bits(const query_segments& with, const std::uint8_t* row) noexcept {
    std::int32_t sum = 0;
    for (int s = 0; s < 4; ++s)
        for (std::size_t i = 0; i < with.code_bytes; ++i)
            sum += (row[i] >> (2 * s) & 3) * with.segments[s][i];
    return sum;
}

two_bit_sum two_bit_sum_of(kernel which) noexcept {
#ifdef TENANCY_X86
    if (which == kernel::avx512_vnni) return vnni_two_bits;
    if (which == kernel::avx2) return avx2_two_bits;
#endif
    (void)which;
    return portable_two_bits;
}

struct routines {
    row_product one;
    four_products four;
};

routines routines_of(kernel which) noexcept {
#ifdef TENANCY_X86
    if (which == kernel::avx512_vnni) return {vnni_product, vnni_four};
    if (which == kernel::avx2) return {avx2_product, avx2_four};
#endif
    (void)which;
    return {portable_product, portable_four};
}

/// A row at the end of what may be read goes through a copy.
std::int32_t product_at_end(row_product of, const query_planes& with, const std::uint8_t* row) noexcept {
    std::uint8_t copy[rounded_up(most_dimensions)];
    std::memcpy(copy, row, with.dims);
    std::memset(copy + with.dims, 0, rounded_up(with.dims) - with.dims);
    return of(with, copy);
}

/// Ask for what lies so far behind some bytes. It may be nothing that there is: nobody waits for it.
void prefetch(const std::uint8_t* bytes, std::size_t count, std::ptrdiff_t ahead) noexcept {
    std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(bytes) + static_cast<std::uintptr_t>(ahead);
    for (std::uintptr_t at = begin; at < begin + count; at += lane_bytes)
        __builtin_prefetch(reinterpret_cast<const void*>(at));
}

/// Rows whose whole lanes may be read.
std::size_t open_rows(std::size_t dims, std::size_t rows, std::size_t readable) noexcept {
    std::size_t spill = rounded_up(dims) - dims;
    while (rows > 0 && rows * dims + spill > readable)
        --rows;
    return rows;
}

} // namespace

bool is_supported(kernel which) noexcept {
    switch (which) {
    case kernel::portable:
        return true;
#ifdef TENANCY_X86
    case kernel::avx2:
        return __builtin_cpu_supports("avx2");
    case kernel::avx512_vnni:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
#endif
    default:
        return false;
    }
}

kernel best_kernel() noexcept {
    static const kernel best = is_supported(kernel::avx512_vnni) ? kernel::avx512_vnni
                               : is_supported(kernel::avx2)      ? kernel::avx2
                                                                 : kernel::portable;
    return best;
}

const char* name_of(kernel which) noexcept {
    switch (which) {
    case kernel::avx2:
        return "avx2";
    case kernel::avx512_vnni:
        return "avx512_vnni";
    case kernel::portable:
        break;
    }
    return "portable";
}

void multiply(kernel by, const query_planes& with, const std::uint8_t* codes, std::size_t rows, std::size_t readable,
              std::int32_t* products, std::ptrdiff_t ahead) noexcept {
    routines use = routines_of(by);
    std::size_t dims = with.dims, open = open_rows(dims, rows, readable), row = 0;
    if (ahead == 0) ahead = static_cast<std::ptrdiff_t>(8 * dims);
    for (; row + 4 <= open; row += 4) {
        // Four rows at once are no order in which the processor reads ahead by itself.
        prefetch(codes + row * dims, 4 * dims, ahead);
        const std::uint8_t* const four[4] = {codes + row * dims, codes + (row + 1) * dims, codes + (row + 2) * dims,
                                             codes + (row + 3) * dims};
        use.four(with, four, products + row);
    }
    if (row < open) {
        // Four take hardly longer than one.
        auto at = [&](std::size_t i) { return codes + std::min(row + i, open - 1) * dims; };
        const std::uint8_t* const four[4] = {at(0), at(1), at(2), at(3)};
        std::int32_t last[4];
        prefetch(codes + row * dims, (open - row) * dims, ahead);
        use.four(with, four, last);
        std::copy_n(last, open - row, products + row);
        row = open;
    }
    for (; row < rows; ++row)
        products[row] = product_at_end(use.one, with, codes + row * dims);
}

void multiply_two_bits(kernel by, const query_segments& with, const std::uint8_t* codes, std::size_t rows,
                       std::size_t readable, std::int32_t* sums) noexcept {
    two_bit_sum use = two_bit_sum_of(by);
    std::size_t width = with.code_bytes, open = open_rows(width, rows, readable), row = 0;
#ifdef TENANCY_X86
    for (; by == kernel::avx512_vnni && row + 4 <= open; row += 4) {
        const std::uint8_t* at = codes + row * width;
        const std::uint8_t* const four[4] = {at, at + width, at + 2 * width, at + 3 * width};
        vnni_four_two_bits(with, four, sums + row);
    }
#endif
    for (; row < open; ++row)
        sums[row] = use(with, codes + row * width);
    for (; row < rows; ++row) {
        std::uint8_t copy[rounded_up((most_dimensions + 3) / 4)] = {};
        std::memcpy(copy, codes + row * width, width);
        sums[row] = use(with, copy);
    }
}

void multiply_chosen(kernel by, const query_planes& with, const std::uint8_t* codes, std::size_t readable,
                     const std::uint32_t* places, std::size_t count, std::int32_t* products) noexcept {
    routines use = routines_of(by);
    std::size_t dims = with.dims, width = rounded_up(dims);
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t offset = places[i] * dims;
        products[i] = offset + width <= readable ? use.one(with, codes + offset)
                                                 : product_at_end(use.one, with, codes + offset);
    }
}

} // namespace tenancy::vectors
