#include "words/pure/build.hpp"
#include "words/pure/tally.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>

namespace {

using namespace tenancy;
using namespace tenancy::words;
using search::ranked;

/// Lexemes that follow one another.
class in_a_row : public matcher {
public:
    bool holds(const condition& which, const occurrence* stand) override {
        const occurrence& first = stand[which.lexemes[0]];
        for (std::uint32_t i = 0; i < first.frequency; ++i) {
            bool all = true;
            for (std::size_t j = 1; j < which.lexemes.size() && all; ++j) {
                const occurrence& next = stand[which.lexemes[j]];
                all = std::find(next.places, next.places + next.frequency, first.places[i] + j) != next.places + next.frequency;
            }
            if (all) return true;
        }
        return false;
    }
};

using text = std::vector<unsigned>; ///< words by number, 0 to 19

std::string name(unsigned number) { return std::string(1, static_cast<char>('a' + number)); }

packed_document pack(const text& words) {
    std::map<std::string, std::vector<std::uint16_t>> places;
    for (std::size_t i = 0; i < words.size(); ++i)
        places[name(words[i])].push_back(static_cast<std::uint16_t>(i + 1));
    std::vector<word> packed;
    for (const auto& [lexeme, at] : places)
        packed.push_back({lexeme, static_cast<std::uint32_t>(at.size()), at.data()});
    return packed_document{packed};
}

uuid id_of(unsigned number) {
    uuid id{};
    id.bytes[0] = static_cast<std::uint8_t>(number * 37);
    id.bytes[14] = static_cast<std::uint8_t>(number >> 8);
    id.bytes[15] = static_cast<std::uint8_t>(number);
    return id;
}

/// Words a, b; the phrase "c d" as terms of its own; not e, not "f g".
query_shape shape() {
    query_shape query;
    query.lexemes = {"a", "b", "c", "d", "e", "f", "g"};
    query.needs_places = {false, false, true, true, false, true, true};
    query.terms = {0, 1, 2, 3};
    query.phrases.push_back({{2, 3}, true, false, 2, 4});
    query.forbidden.push_back({{4}, true, true});
    query.forbidden.push_back({{5, 6}, true, false});
    return query;
}

/// The store, and what it must be equal to.
struct history {
    std::map<unsigned, text> alive;
    std::vector<std::string> log;
    memory_segments sealed;
    std::mt19937 random{7};

    void put(unsigned number, const text& words, bool is_negative) {
        packed_document packed = pack(words);
        if (log.empty() || random() % 4 == 0) log.emplace_back();
        put_log_entry(log.back(), {id_of(number), packed.hash()}, is_negative, packed.bytes());
    }

    void step() {
        auto number = static_cast<unsigned>(random() % 400);
        auto found = alive.find(number);
        if (found != alive.end()) put(number, found->second, true);
        if (found == alive.end() || random() % 2) {
            text words(random() % 12);
            for (unsigned& one : words)
                one = static_cast<unsigned>(random() % (1 + random() % 20));
            put(number, words, false);
            alive[number] = words;
        } else {
            alive.erase(found);
        }
    }

    void seal() {
        std::vector<document> came, went;
        for (const std::string& row : log) {
            log_reader entries{row};
            for (log_entry entry; entries.next(entry);)
                (entry.is_negative ? went : came).push_back({entry.who, std::string{entry.document}});
        }
        log.clear();
        build_segments(false, came, sealed);
        build_segments(true, went, sealed);
    }

    void merge(std::size_t first, bool is_everything) {
        std::vector<merge_input> inputs;
        for (std::size_t i = first; i < sealed.segments.size(); ++i)
            inputs.push_back({sealed.segments[i]->head(), sealed.segments[i].get()});
        memory_segments merged;
        merge_segments(inputs, is_everything, merged);
        sealed.segments.resize(first);
        for (auto& one : merged.segments)
            sealed.segments.push_back(std::move(one));
    }
};

struct expected {
    std::vector<ranked> ranking;
    std::map<unsigned, tally::answer> answers;
};

expected by_hand(const std::map<unsigned, text>& alive, const std::set<unsigned>* wanted) {
    auto count = [](const text& words, unsigned word) { return static_cast<std::uint32_t>(std::count(words.begin(), words.end(), word)); };
    auto row = [](const text& words, unsigned a, unsigned b) {
        for (std::size_t i = 1; i < words.size(); ++i)
            if (words[i - 1] == a && words[i] == b) return true;
        return false;
    };
    search::bm25_statistics statistics{4};
    std::map<unsigned, std::array<std::uint32_t, 4>> found;
    for (const auto& [number, words] : alive) {
        if (wanted && !wanted->count(number)) continue;
        bool phrase = row(words, 2, 3);
        std::array<std::uint32_t, 4> f{count(words, 0), count(words, 1), phrase ? count(words, 2) : 0, phrase ? count(words, 3) : 0};
        statistics.add_chunk(words.size());
        for (std::size_t term = 0; term < 4; ++term)
            if (f[term]) statistics.add_holder(term);
        found[number] = f;
    }
    search::bm25_scorer scorer{statistics, {1, 2, 1, 1}, {1.5, 0.6}};
    expected result;
    search::best_of best{1000000};
    for (const auto& [number, f] : found) {
        const text& words = alive.at(number);
        bool is_hit = f[0] || f[1] || f[2] || f[3], is_forbidden = count(words, 4) > 0 || row(words, 5, 6);
        double score = is_hit ? scorer.score(words.size(), f.data()) : 0;
        result.answers[number] = {is_forbidden ? 0 : score, is_forbidden};
        if (is_hit && !is_forbidden) best.offer({id_of(number), score});
    }
    result.ranking = best.take();
    return result;
}

void compare(history& of, const std::set<unsigned>* wanted) {
    query_shape query = shape();
    in_a_row phrases;
    tally counted{query, phrases};
    if (wanted) {
        std::vector<uuid> ids;
        for (unsigned number : *wanted)
            ids.push_back(id_of(number));
        std::sort(ids.begin(), ids.end(), key_less);
        counted.restrict_to(ids);
    }
    for (auto& segment : of.sealed.segments)
        counted.add_segment(segment->head(), *segment);
    for (const std::string& row : of.log)
        counted.add_log_row(row);
    counted.finish({1, 2, 1, 1}, {1.5, 0.6});

    expected right = by_hand(of.alive, wanted);
    std::vector<uuid> asked;
    for (const auto& [number, answer] : right.answers)
        asked.push_back(id_of(number));
    asked.push_back(id_of(5000));
    std::vector<tally::answer> answers = counted.look_up(asked);
    std::size_t i = 0;
    for (const auto& [number, answer] : right.answers) {
        ASSERT_EQ(answers[i].is_forbidden, answer.is_forbidden);
        if (!answer.is_forbidden) {
            ASSERT_EQ(answers[i].score, answer.score);
        }
        ++i;
    }
    ASSERT_EQ(answers[i].score, 0);

    std::vector<ranked> ranking;
    std::size_t wants = 1 + of.random() % 20;
    while (counted.more(wants, ranking)) {}
    ASSERT_EQ(ranking.size(), right.ranking.size());
    for (std::size_t place = 0; place < ranking.size(); ++place) {
        ASSERT_EQ(ranking[place].key, right.ranking[place].key) << place;
        ASSERT_EQ(ranking[place].score, right.ranking[place].score) << place;
    }
}

/// Of single words, which take another way: three of any, the first ones in many chunks and the last ones in few; sometimes one
/// that must not stand.
void compare_plain(history& of) {
    std::set<unsigned> words;
    while (words.size() < 3)
        words.insert(static_cast<unsigned>(of.random() % 20));
    unsigned unwanted = of.random() % 2 ? 20 : static_cast<unsigned>(of.random() % 20);
    auto is_forbidden = [&](const text& chunk) { return std::count(chunk.begin(), chunk.end(), unwanted) > 0; };
    query_shape query;
    search::bm25_statistics statistics{3};
    auto frequencies_in = [&](const text& chunk) {
        std::vector<std::uint32_t> result;
        for (unsigned word : words)
            result.push_back(static_cast<std::uint32_t>(std::count(chunk.begin(), chunk.end(), word)));
        // In another order than that of lexemes.
        std::swap(result[0], result[2]);
        return result;
    };
    std::set<unsigned> lexemes{words};
    if (unwanted < 20) lexemes.insert(unwanted);
    for (unsigned word : lexemes) {
        query.lexemes.push_back(name(word));
        query.needs_places.push_back(false);
    }
    auto number_of = [&](unsigned word) { return static_cast<std::size_t>(std::distance(lexemes.begin(), lexemes.find(word))); };
    for (auto word = words.rbegin(); word != words.rend(); ++word)
        query.terms.push_back(number_of(*word));
    if (unwanted < 20) query.forbidden.push_back({{number_of(unwanted)}, true, true});
    for (const auto& [number, chunk] : of.alive) {
        std::vector<std::uint32_t> frequencies = frequencies_in(chunk);
        statistics.add_chunk(chunk.size());
        for (std::size_t term = 0; term < 3; ++term)
            if (frequencies[term]) statistics.add_holder(term);
    }
    search::bm25_scorer scorer{statistics, {1, 2, 1}, {1.5, 0.6}};
    search::best_of best{1000000};
    std::vector<uuid> asked;
    std::vector<double> scores;
    std::vector<bool> forbidden;
    for (const auto& [number, chunk] : of.alive) {
        std::vector<std::uint32_t> frequencies = frequencies_in(chunk);
        asked.push_back(id_of(number));
        scores.push_back(is_forbidden(chunk) ? 0 : scorer.score(chunk.size(), frequencies.data()));
        forbidden.push_back(is_forbidden(chunk));
        if (scores.back() > 0) best.offer({id_of(number), scores.back()});
    }
    std::vector<ranked> right = best.take();

    in_a_row none;
    tally counted{query, none};
    for (auto& segment : of.sealed.segments)
        counted.add_segment(segment->head(), *segment);
    for (const std::string& row : of.log)
        counted.add_log_row(row);
    counted.finish({1, 2, 1}, {1.5, 0.6});

    std::vector<tally::answer> answers = counted.look_up(asked);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        ASSERT_EQ(answers[i].score, scores[i]);
        ASSERT_EQ(answers[i].is_forbidden, forbidden[i]);
    }
    std::vector<ranked> ranking;
    std::size_t wants = 1 + of.random() % 20;
    bool is_more = true;
    while (is_more) {
        std::size_t before = ranking.size();
        is_more = counted.more(wants, ranking);
        ASSERT_TRUE(!is_more || ranking.size() == before + wants);
    }
    ASSERT_EQ(ranking.size(), right.size());
    for (std::size_t place = 0; place < ranking.size(); ++place) {
        ASSERT_EQ(ranking[place].key, right[place].key) << place;
        ASSERT_EQ(ranking[place].score, right[place].score) << place;
    }
}

TEST(words_tally, is_what_counting_by_hand_gives_over_any_history) {
    history of;
    for (int round = 0; round < 300; ++round) {
        for (auto steps = of.random() % 60; steps > 0; --steps)
            of.step();
        if (of.random() % 3 == 0) of.seal();
        if (of.random() % 4 == 0 && !of.sealed.segments.empty()) {
            std::size_t first = of.random() % of.sealed.segments.size();
            of.merge(first, first == 0 && of.log.empty());
        }
        compare(of, nullptr);
        if (HasFatalFailure()) return;
        for (int query = 0; query < 3; ++query)
            compare_plain(of);
        if (HasFatalFailure()) return;
        std::set<unsigned> some;
        for (const auto& [number, words] : of.alive)
            if (of.random() % 3) some.insert(number);
        compare(of, &some);
        if (HasFatalFailure()) return;
    }
}

TEST(words_tally, merging_everything_forgets_what_went) {
    history of;
    for (int i = 0; i < 3000; ++i)
        of.step();
    of.seal();
    of.merge(0, true);
    ASSERT_EQ(of.sealed.segments.size(), 1u);
    EXPECT_EQ(of.sealed.segments[0]->head().chunks, of.alive.size());
    compare(of, nullptr);
}

// As when a dictionary changed in between: the words that go are not those that came.
TEST(words_tally, merging_everything_takes_out_a_version_that_is_read_differently_now) {
    memory_segments sealed;
    std::vector<document> came{{{id_of(1), 1}, pack({0, 1}).bytes()}, {{id_of(2), 2}, pack({0}).bytes()}};
    std::vector<document> went{{{id_of(1), 3}, pack({0, 2}).bytes()}, {{id_of(9), 9}, pack({0}).bytes()}};
    build_segments(false, came, sealed);
    build_segments(true, went, sealed);
    memory_segments merged;
    merge_segments({{sealed.segments[0]->head(), sealed.segments[0].get()}, {sealed.segments[1]->head(), sealed.segments[1].get()}},
                   true, merged);
    ASSERT_EQ(merged.segments.size(), 1u);
    EXPECT_EQ(merged.segments[0]->head().chunks, 1u);
}

TEST(words_tally, nothing_stored_is_nothing_found) {
    query_shape query = shape();
    in_a_row phrases;
    tally counted{query, phrases};
    counted.finish({1, 1, 1, 1}, {});
    std::vector<ranked> ranking;
    EXPECT_FALSE(counted.more(10, ranking));
    EXPECT_TRUE(ranking.empty());
    EXPECT_EQ(counted.statistics().chunks(), 0u);
}

} // namespace
