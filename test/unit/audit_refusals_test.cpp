#include "audit/pure/refusals.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace tenancy::audit;

refusal made(std::uint32_t database, std::uint32_t role, std::uint32_t session, const std::string& actor, const std::string& object) {
    refusal one{};
    one.database = database;
    one.role = role;
    one.session = session;
    std::snprintf(one.sqlstate, sizeof one.sqlstate, "TN002");
    std::snprintf(one.actor, sizeof one.actor, "%s", actor.c_str());
    std::snprintf(one.object, sizeof one.object, "%s", object.c_str());
    return one;
}

class audit_refusals : public ::testing::Test {
protected:
    std::unique_ptr<refusal_board> board = std::make_unique<refusal_board>();
    microseconds now = 1000 * second;

    std::vector<refusals> take(std::uint32_t database, std::size_t most = most_places) {
        std::vector<refusals> into(most);
        into.resize(board->take(database, now, into.data(), most));
        return into;
    }

    static std::uint64_t sum(const std::vector<refusals>& taken) {
        std::uint64_t times = 0;
        for (const auto& one : taken) times += one.times;
        return times;
    }

    /// Take what is due until nothing waits.
    std::vector<refusals> take_to_the_end(std::uint32_t database) {
        std::vector<refusals> all;
        for (int i = 0; i < 1000 && board->next_due() != refusal_board::never; ++i) {
            now = std::max(now, board->next_due());
            for (const auto& one : take(database)) all.push_back(one);
        }
        return all;
    }
};

TEST_F(audit_refusals, FirstIsDueAtOnce) {
    EXPECT_EQ(board->next_due(), refusal_board::never);
    EXPECT_TRUE(board->put(made(1, 10, 100, "role:app", "one"), now));
    EXPECT_EQ(board->next_due(), now);
    EXPECT_EQ(board->next_database(now), 1U);
    EXPECT_EQ(board->next_database(now, 1), 0U);
    EXPECT_TRUE(take(2).empty());
    auto taken = take(1);
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].times, 1U);
    EXPECT_FALSE(taken[0].is_rest);
    EXPECT_EQ(taken[0].first, now);
    EXPECT_TRUE(take(1).empty());
    EXPECT_EQ(board->next_due(), refusal_board::never);
}

TEST_F(audit_refusals, LikeOnesShareARow) {
    auto one = made(1, 10, 100, "role:app", "one");
    for (int i = 0; i < 1000; ++i) board->put(one, now + i);
    auto other = one;
    other.session = 101;
    board->put(other, now + 1000);
    auto taken = take(1);
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].times, 1001U);
    EXPECT_EQ(taken[0].first, now);
    EXPECT_EQ(taken[0].last, now + 1000);
}

TEST_F(audit_refusals, WhatDiffersDoesNotMerge) {
    auto one = made(1, 10, 100, "role:app", "one");
    std::vector<refusal> all(7, one);
    all[1].database = 2;
    all[2].role = 11;
    std::snprintf(all[3].actor, sizeof all[3].actor, "user:x");
    std::snprintf(all[4].object, sizeof all[4].object, "two");
    std::snprintf(all[5].sqlstate, sizeof all[5].sqlstate, "TN004");
    all[6].has_tenant = true;
    for (const auto& each : all) board->put(each, now);
    EXPECT_EQ(take(1).size(), 6U);
    EXPECT_EQ(take(2).size(), 1U);
}

TEST_F(audit_refusals, RepeatedOnesWaitLongerAndLonger) {
    auto one = made(1, 10, 100, "role:app", "one");
    std::vector<microseconds> written;
    std::uint64_t times = 0;
    const microseconds start = now;
    for (; now < start + 600 * second; now += second / 10) {
        board->put(one, now);
        for (const auto& each : take(1)) {
            written.push_back(now - start);
            times += each.times;
        }
    }
    EXPECT_EQ(written[0], 0);
    EXPECT_EQ(written[1], 5 * second);
    EXPECT_EQ(written[2], 15 * second);
    EXPECT_LE(written.size(), 15U);
    times += sum(take_to_the_end(1));
    EXPECT_EQ(times, 6000U);
}

TEST_F(audit_refusals, AfterAQuietWhileItIsWrittenAtOnceAgain) {
    auto one = made(1, 10, 100, "role:app", "one");
    board->put(one, now);
    take(1);
    now += 30 * second;
    EXPECT_TRUE(board->put(one, now));
    EXPECT_EQ(take(1).size(), 1U);
}

TEST_F(audit_refusals, AFloodOfDifferentOnesIsBoundedAndCounted) {
    std::uint64_t raised = 0;
    std::vector<refusals> written;
    const microseconds start = now;
    for (; now < start + 10 * second; now += 100) {
        board->put(made(1, 10, 100, "role:app", "x" + std::to_string(raised++)), now);
        if (raised % 2000 == 0)
            for (const auto& one : take(1)) written.push_back(one);
    }
    for (const auto& one : take_to_the_end(1)) written.push_back(one);
    EXPECT_EQ(raised, 100000U);
    EXPECT_LE(written.size(), most_of_session + 10);
    EXPECT_GE(written.size(), most_of_session);
    EXPECT_EQ(sum(written) + board->take_lost(), raised);
    EXPECT_TRUE(written.back().is_rest);
    EXPECT_EQ(written.back().what.role, 10U);
}

TEST_F(audit_refusals, AnActorThatChangesGainsOnlyOfItsRole) {
    std::uint64_t raised = 0;
    std::vector<refusals> written;
    for (int i = 0; i < 100000; ++i, now += 100) {
        board->put(made(1, 10, 100 + i % 997, "user:" + std::to_string(i), "x"), now);
        ++raised;
        if (raised % 1000 == 0)
            for (const auto& one : take(1)) written.push_back(one);
    }
    for (const auto& one : take_to_the_end(1)) written.push_back(one);
    EXPECT_LE(written.size(), most_of_role + 10);
    EXPECT_EQ(sum(written) + board->take_lost(), raised);
}

TEST_F(audit_refusals, AFloodPushesOutNobody) {
    // Many roles and sessions, so that the board is full, and more.
    for (std::uint32_t role = 1; role <= 40; ++role)
        for (std::uint32_t i = 0; i < 400; ++i)
            board->put(made(1, role, role * 100 + i % 8, "role:" + std::to_string(role), "x" + std::to_string(i)), now);
    std::set<std::string> wanted;
    for (int i = 0; i < 20; ++i) {
        // Of a share that is divided among nine sessions.
        if (i < 4) {
            board->put(made(1, 1, 7, "role:1", "quiet " + std::to_string(i)), now);
            wanted.insert("quiet " + std::to_string(i));
        }
        board->put(made(1, 77, 8, "role:77", "another role " + std::to_string(i)), now);
        board->put(made(2, 1, 9, "role:1", "another database " + std::to_string(i)), now);
        for (const char* name : {"another role ", "another database "}) wanted.insert(name + std::to_string(i));
        // The flood goes on in between.
        for (std::uint32_t j = 0; j < 400; ++j) board->put(made(1, 5, 500 + j, "role:5", "y" + std::to_string(i * 400 + j)), now);
    }
    std::set<std::string> found;
    for (std::uint32_t database : {1U, 2U})
        for (const auto& one : take(database, 2 * most_places))
            if (wanted.count(one.what.object)) found.insert(one.what.object);
    for (const auto& name : wanted) EXPECT_EQ(found.count(name), 1U) << name;
}

TEST_F(audit_refusals, WhatIsPushedOutIsCounted) {
    std::map<std::uint32_t, std::uint64_t> raised;
    for (std::uint32_t role = 1; role <= 40; ++role)
        for (std::uint32_t i = 0; i < 300; ++i) {
            board->put(made(1, role, role * 100 + i % 8, "role:x", "x" + std::to_string(i)), now);
            ++raised[role];
        }
    std::map<std::uint32_t, std::uint64_t> written;
    for (const auto& one : take_to_the_end(1)) written[one.what.role] += one.times;
    EXPECT_EQ(written, raised);
}

TEST_F(audit_refusals, MoreRolesThanCanBeToldApartAreCountedForTheirDatabase) {
    std::uint64_t raised = 0;
    for (std::uint32_t database = 1; database <= 3; ++database)
        for (std::uint32_t role = 1; role <= 3000; ++role) {
            board->put(made(database, role, role, "role:x", "x"), now);
            ++raised;
        }
    std::uint64_t written = 0;
    bool has_whole_database = false;
    for (std::uint32_t database = 1; database <= 3; ++database)
        for (const auto& one : take_to_the_end(database)) {
            written += one.times;
            has_whole_database |= one.is_rest && one.what.role == 0;
        }
    EXPECT_TRUE(has_whole_database);
    EXPECT_EQ(written + board->take_lost(), raised);
}

TEST_F(audit_refusals, AShareIsFreeAgainAfterAWhile) {
    for (std::size_t i = 0; i < most_of_session; ++i) board->put(made(1, 10, 100, "role:app", "x" + std::to_string(i)), now);
    take(1);
    board->put(made(1, 10, 100, "role:app", "more"), now);
    EXPECT_TRUE(take(1).empty());
    now += kept_for + second;
    board->put(made(1, 10, 100, "role:app", "later"), now);
    bool found = false;
    for (const auto& one : take(1)) found |= std::string(one.what.object) == "later";
    EXPECT_TRUE(found);
}

TEST_F(audit_refusals, CodesThatDifferAreNoCode) {
    auto one = made(1, 10, 100, "role:app", "x");
    for (std::size_t i = 0; i < most_of_session + 2; ++i) {
        std::snprintf(one.object, sizeof one.object, "x%zu", i);
        if (i == most_of_session + 1) std::snprintf(one.sqlstate, sizeof one.sqlstate, "TN007");
        board->put(one, now);
    }
    auto taken = take_to_the_end(1);
    ASSERT_TRUE(taken.back().is_rest);
    EXPECT_EQ(taken.back().times, 2U);
    EXPECT_STREQ(taken.back().what.sqlstate, "");
}

TEST_F(audit_refusals, OfADatabaseThatIsGoneAllIsTaken) {
    for (std::size_t i = 0; i < 300; ++i) board->put(made(1, 10, 100, "role:app", "x" + std::to_string(i)), now);
    std::vector<refusals> into(most_places);
    into.resize(board->take_all(1, into.data(), into.size()));
    EXPECT_EQ(sum(into), 300U);
    EXPECT_EQ(board->next_due(), refusal_board::never);
}

TEST(audit_log_allowance, SaysSoManyInAMinute) {
    log_allowance allowance;
    microseconds now = 6000 * second;
    int said = 0;
    for (int i = 0; i < 100; ++i) said += allowance.take(now);
    EXPECT_EQ(said, log_allowance::most_in_minute);
    EXPECT_EQ(allowance.take_unsaid(now), 0U);
    now += 60 * second;
    EXPECT_EQ(allowance.take_unsaid(now), 80U);
    EXPECT_TRUE(allowance.take(now));
    EXPECT_EQ(allowance.take_all_unsaid(), 0U);
}

} // namespace
