#include "tenancyctl/chunker.hpp"

#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

namespace {

using tenancyctl::chunk_options;
using tenancyctl::chunk_text;

std::string paragraphs(int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "Paragraph number " + std::to_string(i) + " says this. And it says that as well.\n\n";
    return text;
}

std::vector<std::string> words(const std::string& text) {
    std::istringstream in{text};
    return {std::istream_iterator<std::string>{in}, {}};
}

// Every word of the text is in the chunks, in order; each chunk may first repeat words of the one before.
void expect_covers(const std::string& text, const std::vector<std::string>& chunks) {
    const auto all = words(text);
    std::size_t next = 0;
    for (const auto& chunk : chunks) {
        const auto mine = words(chunk);
        ASSERT_FALSE(mine.empty());
        std::size_t start = next;
        const auto fits = [&](std::size_t at) {
            return at + mine.size() <= all.size() && at + mine.size() >= next &&
                   std::equal(mine.begin(), mine.end(), all.begin() + static_cast<std::ptrdiff_t>(at));
        };
        while (start > 0 && !fits(start))
            --start;
        ASSERT_TRUE(fits(start)) << "chunk does not continue the text: " << chunk;
        next = start + mine.size();
    }
    EXPECT_EQ(next, all.size());
}

TEST(chunker, a_short_text_is_one_chunk) {
    EXPECT_EQ(chunk_text("hello"), (std::vector<std::string>{"hello"}));
    EXPECT_EQ(chunk_text("  \n hello world \n\n"), (std::vector<std::string>{"hello world"}));
}

TEST(chunker, a_blank_text_is_none) {
    EXPECT_TRUE(chunk_text("").empty());
    EXPECT_TRUE(chunk_text(" \n\t\r\n ").empty());
}

TEST(chunker, no_chunk_is_too_long_and_no_word_is_lost) {
    const std::string text = paragraphs(200);
    for (const std::size_t size : {64u, 100u, 333u, 1000u, 5000u}) {
        for (const std::size_t overlap : {std::size_t{0}, size / 10, size / 2 - 1}) {
            const auto chunks = chunk_text(text, {size, overlap});
            for (const auto& chunk : chunks) {
                ASSERT_LE(chunk.size(), size);
                ASSERT_FALSE(std::isspace(static_cast<unsigned char>(chunk.front())));
                ASSERT_FALSE(std::isspace(static_cast<unsigned char>(chunk.back())));
            }
            expect_covers(text, chunks);
        }
    }
}

TEST(chunker, cuts_at_paragraphs_where_it_can) {
    for (const auto& chunk : chunk_text(paragraphs(50), {500, 0})) {
        EXPECT_EQ(chunk.substr(0, 9), "Paragraph");
        EXPECT_EQ(chunk.back(), '.');
    }
}

TEST(chunker, the_next_chunk_repeats_the_end) {
    const auto chunks = chunk_text(paragraphs(50), {500, 100});
    ASSERT_GT(chunks.size(), 2u);
    const std::string end = chunks[0].substr(chunks[0].size() - 40);
    EXPECT_NE(chunks[1].find(end), std::string::npos);
    EXPECT_LT(chunks[1].find(end), 100u);
}

TEST(chunker, words_without_blanks_are_cut_between_characters) {
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += "\xe6\xbc\xa2"; // three bytes
    const auto chunks = chunk_text(text, {100, 10});
    std::string joined;
    for (const auto& chunk : chunks) {
        EXPECT_LE(chunk.size(), 100u);
        EXPECT_EQ(chunk.size() % 3, 0u);
        joined += chunk;
    }
    EXPECT_EQ(joined, text);
}

TEST(chunker, broken_utf8_does_not_stop_it) {
    const auto chunks = chunk_text(std::string(10'000, '\x80'), {100, 10});
    EXPECT_FALSE(chunks.empty());
}

TEST(chunker, senseless_sizes_are_refused) {
    EXPECT_THROW(chunk_text("x", {63, 0}), std::invalid_argument);
    EXPECT_THROW(chunk_text("x", {0, 0}), std::invalid_argument);
    EXPECT_THROW(chunk_text("x", {100, 50}), std::invalid_argument);
    EXPECT_THROW(chunk_text("x", {100, 1000}), std::invalid_argument);
    EXPECT_NO_THROW(chunk_text("x", {100, 49}));
}

} // namespace
