#include "words/pure/build.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace {

using namespace tenancy;
using namespace tenancy::words;

identity who(unsigned number, std::uint64_t content = 0) {
    identity result{{}, content};
    result.id.bytes[14] = static_cast<std::uint8_t>(number >> 8);
    result.id.bytes[15] = static_cast<std::uint8_t>(number);
    return result;
}

TEST(words_codec, documents_come_back) {
    const std::uint16_t red[] = {1, 3, 16383}, tree[] = {2};
    packed_document packed{{{"", 1, nullptr}, {"red", 3, red}, {"tree", 1, tree}, {"\xc3\xa4", 2, nullptr}}};
    document_reader read{packed.bytes()};
    EXPECT_EQ(read.length(), 7u);
    word one;
    ASSERT_TRUE(read.next(one));
    EXPECT_EQ(one.lexeme, "");
    EXPECT_EQ(one.places, nullptr);
    ASSERT_TRUE(read.next(one));
    EXPECT_EQ(one.lexeme, "red");
    ASSERT_EQ(one.frequency, 3u);
    EXPECT_EQ(one.places[2], 16383);
    ASSERT_TRUE(read.next(one));
    EXPECT_EQ(one.places[0], 2);
    ASSERT_TRUE(read.next(one));
    EXPECT_EQ(one.frequency, 2u);
    EXPECT_FALSE(read.next(one));
}

TEST(words_codec, hashes_tell_versions_apart) {
    const std::uint16_t first[] = {1}, second[] = {2};
    packed_document a{{{"red", 1, first}}}, b{{{"red", 1, second}}}, again{{{"red", 1, first}}}, none{{}};
    EXPECT_EQ(a.hash(), again.hash());
    EXPECT_NE(a.hash(), b.hash());
    EXPECT_NE(a.hash(), none.hash());
}

TEST(words_codec, log_rows_come_back) {
    packed_document packed{{{"red", 2, nullptr}}}, none{{}};
    std::string row;
    put_log_entry(row, who(7, 77), false, packed.bytes());
    put_log_entry(row, who(8, 88), true, none.bytes());
    log_reader entries{row};
    log_entry entry;
    ASSERT_TRUE(entries.next(entry));
    EXPECT_EQ(entry.who, who(7, 77));
    EXPECT_FALSE(entry.is_negative);
    EXPECT_EQ(entry.document, packed.bytes());
    ASSERT_TRUE(entries.next(entry));
    EXPECT_EQ(entry.who, who(8, 88));
    EXPECT_TRUE(entry.is_negative);
    EXPECT_FALSE(entries.next(entry));
}

// Lists of all sizes, so that some share a block, some fill one, and some go over many; long lexemes, too.
TEST(words_codec, segments_come_back) {
    std::mt19937 random{1};
    std::vector<document> documents;
    std::vector<std::string> lexemes;
    for (unsigned i = 0; i < 300; ++i)
        lexemes.push_back("w" + std::to_string(i) + (i % 50 == 0 ? std::string(1990, 'x') : ""));
    std::sort(lexemes.begin(), lexemes.end());
    for (unsigned i = 0; i < 3000; ++i) {
        std::vector<word> words;
        std::vector<std::vector<std::uint16_t>> places(lexemes.size());
        for (unsigned j = 0; j < lexemes.size(); ++j) {
            if (random() % (1 + j * 3) != 0) continue;
            auto count = static_cast<unsigned>(1 + random() % 3);
            for (unsigned k = 0; k < count; ++k)
                places[j].push_back(static_cast<std::uint16_t>(1 + k * (1 + random() % 200)));
            std::sort(places[j].begin(), places[j].end());
            words.push_back({lexemes[j], count, j % 7 == 0 ? nullptr : places[j].data()});
        }
        packed_document packed{words};
        documents.push_back({who(i, packed.hash()), packed.bytes()});
    }
    memory_segments made;
    build_segments(false, documents, made);
    ASSERT_EQ(made.segments.size(), 1u);
    memory_segment& segment = *made.segments[0];
    EXPECT_EQ(segment.head().chunks, 3000u);
    for (const auto& [place, bytes] : segment.rows)
        EXPECT_LE(bytes.size(), 8000u);

    std::size_t postings = 0, words = 0;
    for (const std::string& lexeme : lexemes) {
        posting_cursor cursor{segment, lexeme, 3000, true};
        while (cursor.next()) {
            ++postings;
            document_reader read{documents[cursor.at().chunk].bytes};
            word one;
            while (read.next(one) && one.lexeme != lexeme) {}
            ASSERT_EQ(one.lexeme, lexeme);
            ASSERT_EQ(one.frequency, cursor.at().frequency);
            ASSERT_EQ(one.places != nullptr, cursor.at().has_places);
            for (std::uint32_t i = 0; one.places && i < one.frequency; ++i)
                ASSERT_EQ(one.places[i], cursor.at().places[i]);
        }
    }
    for (const document& one : documents) {
        document_reader read{one.bytes};
        for (word each; read.next(each);)
            ++words;
    }
    EXPECT_EQ(postings, words);
    for (const char* missing : {"", "a", "w", "w1x", "zzz"})
        EXPECT_FALSE((posting_cursor{segment, missing, 3000, true}.next())) << missing;
}

// Whatever is broken: an error or another answer, and never a crash. (The sanitizers' build of these tests sees the rest.)
TEST(words_codec, broken_rows_are_refused_or_harmless) {
    std::mt19937 random{2};
    std::vector<document> documents;
    for (unsigned i = 0; i < 200; ++i) {
        const std::uint16_t places[] = {1, 2, 3};
        packed_document packed{{{"a", 3, places}, {"b" + std::to_string(i % 9), 1 + i % 3, places}, {"c", 1, nullptr}}};
        documents.push_back({who(i, packed.hash()), packed.bytes()});
    }
    memory_segments made;
    build_segments(false, documents, made);
    const auto good = made.segments[0]->rows;
    int refused = 0;
    for (int round = 0; round < 3000; ++round) {
        memory_segment broken;
        broken.rows = good;
        auto victim = std::next(broken.rows.begin(), random() % broken.rows.size());
        std::string& bytes = victim->second;
        switch (random() % 4) {
        case 0:
            bytes.resize(random() % bytes.size());
            break;
        case 1:
            broken.rows.erase(victim);
            break;
        default:
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        try {
            segment_head head = broken.head();
            for (const char* lexeme : {"a", "b3", "c"})
                for (posting_cursor cursor{broken, lexeme, head.chunks, true}; cursor.next();) {}
            memory_segments merged;
            merge_segments({{head, &broken}}, true, merged);
        } catch (const error& e) {
            ++refused;
            EXPECT_EQ(e.sqlstate(), "XX002");
            EXPECT_FALSE(e.detail().empty());
        }
    }
    EXPECT_GT(refused, 1000);
}

} // namespace
