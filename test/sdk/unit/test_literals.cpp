#include "literals.hpp"

#include <cstdlib>
#include <limits>

#include <gtest/gtest.h>

namespace {

using tenancy::detail::array_text;
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

TEST(literals, arrays_quote_what_they_hold) {
    EXPECT_EQ(array_text{}.take(), "{}");
    array_text array;
    array.append("plain");
    array.append("");
    array.append("NULL");
    array.append_null();
    array.append("with \"quotes\", commas, {braces} and \\");
    array.append_plain("42");
    EXPECT_EQ(array.take(), R"({"plain","","NULL",NULL,"with \"quotes\", commas, {braces} and \\",42})");
    EXPECT_EQ(array.take(), "{}") << "taking leaves an empty array";
}

} // namespace
