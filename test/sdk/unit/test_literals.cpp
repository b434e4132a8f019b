#include "binary_array.hpp"
#include "literals.hpp"

#include <cstdlib>
#include <limits>

#include <gtest/gtest.h>

namespace {

using tenancy::detail::binary_array;
using tenancy::detail::vector_text;

TEST(literals, vectors_read_back_as_the_same_floats) {
    EXPECT_EQ(vector_text({}), "[]");
    EXPECT_EQ(vector_text({1.0f}), "[1]");
    EXPECT_EQ(vector_text({1.0f, -2.5f, 0.1f}), "[1,-2.5,0.1]");
    for (const float value : {std::numeric_limits<float>::min(), std::numeric_limits<float>::max(),
                              std::numeric_limits<float>::denorm_min(), 1.0f / 3.0f, -0.0f, 16777217.0f}) {
        const std::string text = vector_text({value});
        EXPECT_EQ(std::strtof(text.c_str() + 1, nullptr), value) << text;
    }
}

std::string hex(const tenancy::detail::parameter_bytes& bytes) {
    std::string text;
    for (const std::byte b : bytes) {
        text += "0123456789abcdef"[static_cast<unsigned>(b) >> 4];
        text += "0123456789abcdef"[static_cast<unsigned>(b) & 15];
    }
    return text;
}

// As PostgreSQL's array_send writes it: dimensions, whether there are NULLs, element type, length, first
// index, then length and bytes of each element.
TEST(binary_array, is_what_the_server_reads) {
    binary_array integers{tenancy::detail::oid_integer};
    integers.append_integer(7);
    integers.append_null();
    integers.append_integer(-2);
    EXPECT_EQ(hex(integers.take()), "00000001"
                                    "00000001"
                                    "00000017"
                                    "00000003"
                                    "00000001"
                                    "00000004"
                                    "00000007"
                                    "ffffffff"
                                    "00000004"
                                    "fffffffe");
    binary_array texts{tenancy::detail::oid_text};
    texts.append_text("a{\"");
    texts.append_text("");
    EXPECT_EQ(hex(texts.take()), "00000001"
                                 "00000000"
                                 "00000019"
                                 "00000002"
                                 "00000001"
                                 "00000003"
                                 "617b22"
                                 "00000000");
    binary_array documents{tenancy::detail::oid_jsonb};
    documents.append_jsonb("{}");
    EXPECT_EQ(hex(documents.take()), "00000001"
                                     "00000000"
                                     "00000eda"
                                     "00000001"
                                     "00000001"
                                     "00000003"
                                     "01"
                                     "7b7d");
    binary_array ids{tenancy::detail::oid_uuid};
    ids.append_uuid({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
    EXPECT_EQ(hex(ids.take()).substr(40), "00000010"
                                          "000102030405060708090a0b0c0d0e0f");
    binary_array vectors{0x12345678};
    vectors.append_vector({1.0f, -2.0f});
    EXPECT_EQ(hex(vectors.take()), "00000001"
                                   "00000000"
                                   "12345678"
                                   "00000001"
                                   "00000001"
                                   "0000000c"
                                   "0002"
                                   "0000"
                                   "3f800000"
                                   "c0000000");
}

TEST(binary_array, taking_leaves_an_empty_one) {
    binary_array array{tenancy::detail::oid_text};
    array.append_null();
    const std::size_t one = array.size();
    (void)array.take();
    EXPECT_LT(array.size(), one);
    array.append_text("x");
    EXPECT_EQ(hex(array.take()).substr(8, 8), "00000000") << "the NULL of the array before is forgotten";
}

} // namespace
