#include "search/pure/websearch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using tenancy::search::parse_web_query;
using texts = std::vector<std::string>;

TEST(websearch, plain_words) {
    auto query = parse_web_query("  time \t sharing\nsystem ");
    EXPECT_EQ(query.words, "time sharing system");
    EXPECT_TRUE(query.phrases.empty());
    EXPECT_TRUE(query.forbidden.empty());
}

TEST(websearch, or_is_no_word) {
    EXPECT_EQ(parse_web_query("red OR green or Or blue oR orange").words, "red green blue orange");
}

TEST(websearch, phrases) {
    auto query = parse_web_query("\"time sharing\" system \"one\"");
    EXPECT_EQ(query.words, "system");
    EXPECT_EQ(query.phrases, (texts{"time sharing", "one"}));
}

TEST(websearch, minus) {
    auto query = parse_web_query("red -green -\"dark blue\" -");
    EXPECT_EQ(query.words, "red -");
    EXPECT_EQ(query.forbidden, (texts{"green", "dark blue"}));
}

TEST(websearch, a_hyphen_is_no_minus) {
    auto query = parse_web_query("multi-targeted a - b x--y --z");
    EXPECT_TRUE(query.forbidden.empty());
    EXPECT_EQ(query.words, "multi-targeted a - b x--y --z");
}

TEST(websearch, open_and_empty_quotes) {
    EXPECT_EQ(parse_web_query("\"open end").phrases, (texts{"open end"}));
    EXPECT_TRUE(parse_web_query("\"\" -\"\" \"").phrases.empty());
    EXPECT_TRUE(parse_web_query("\"\" -\"\" \"").forbidden.empty());
    auto adjoining = parse_web_query("a\"b c\"d");
    EXPECT_EQ(adjoining.words, "a d");
    EXPECT_EQ(adjoining.phrases, (texts{"b c"}));
}

TEST(websearch, nothing_hangs_or_crashes) {
    for (const char* text : {"", " ", "-", "--", "\"", "-\"", "- -", "\"-\"-\"", "or", "-or", "\\", "-\xff\xfe"})
        parse_web_query(text);
    EXPECT_EQ(parse_web_query(std::string(1 << 20, 'x')).words.size(), 1u << 20);
    EXPECT_EQ(parse_web_query("-or").forbidden, (texts{"or"}));
}

} // namespace
