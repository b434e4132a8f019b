#include "tenancy/embedder.hpp"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

namespace {

using tenancy::hashing_embedder;

double dot(const std::vector<float>& a, const std::vector<float>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

TEST(hashing_embedder, equal_texts_give_equal_bits) {
    hashing_embedder a{64};
    hashing_embedder b{64};
    const std::string text = "You may convey verbatim copies of the Program's source code";
    EXPECT_EQ(a.embed_one(text), b.embed_one(text));
    EXPECT_EQ(a.embed({"x", text})[1], a.embed_one(text)) << "what else is in the batch does not matter";
    EXPECT_EQ(a.dimensions(), 64);
    EXPECT_EQ(a.name(), "feature-hashing-64");
}

// Stored embeddings outlive a version of the SDK: when this fails, name() must change as well.
TEST(hashing_embedder, the_values_do_not_change) {
    hashing_embedder e{8};
    const auto v = e.embed_one("tenant isolation");
    ASSERT_EQ(v.size(), 8u);
    const std::vector<float> expected = {-0.5892556f, -0.3535534f, 0, -0.3535534f,
                                         0.2357023f,  0,           0, -0.5892556f};
    for (std::size_t i = 0; i < 8; ++i)
        EXPECT_NEAR(v[i], expected[i], 1e-6) << i;
}

TEST(hashing_embedder, texts_that_share_words_are_nearer) {
    hashing_embedder e{256};
    const auto query = e.embed_one("warranty disclaimer");
    const auto near = e.embed_one("Disclaimer of warranty: there is no warranty for the program");
    const auto far = e.embed_one("Patents and the freedom to modify the library");
    EXPECT_GT(dot(query, near), dot(query, far) + 0.2);
}

TEST(hashing_embedder, unit_length_or_zero) {
    hashing_embedder e{256};
    for (const char* text : {"one", "one two three", "größer ünïcode 漢字", "123 456"})
        EXPECT_NEAR(std::sqrt(dot(e.embed_one(text), e.embed_one(text))), 1.0, 1e-5) << text;
    for (const char* text : {"", "   ", "... --- !!!", "the of and"})
        EXPECT_EQ(dot(e.embed_one(text), e.embed_one(text)), 0.0) << text;
}

TEST(hashing_embedder, case_and_punctuation_do_not_matter) {
    hashing_embedder e{256};
    EXPECT_EQ(e.embed_one("Free, Software!"), e.embed_one("free software"));
}

TEST(hashing_embedder, bad_input) {
    EXPECT_THROW(hashing_embedder{7}, std::invalid_argument);
    EXPECT_THROW(hashing_embedder{0}, std::invalid_argument);
    EXPECT_THROW(hashing_embedder{-1}, std::invalid_argument);
    EXPECT_THROW(hashing_embedder{16001}, std::invalid_argument);
    hashing_embedder e{256};
    EXPECT_TRUE(e.embed({}).empty());
    EXPECT_NO_THROW((void)e.embed_one(std::string("a\0b\xff", 4)));
    EXPECT_NO_THROW((void)e.embed_one(std::string(1'000'000, 'a')));
}

} // namespace
