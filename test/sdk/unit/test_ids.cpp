#include "tenancy/ids.hpp"

#include <set>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

namespace {

using tenancy::bad_id;
using tenancy::tenant_id;
using tenancy::tenant_slug;
using tenancy::user_id;

const std::string canonical = "0190f5a2-7c3e-7b1a-8d4f-3c2b1a098765";

// What must not compile: a string that becomes an id by itself, an id of one kind where another is expected.
static_assert(!std::is_convertible_v<std::string, tenant_id>);
static_assert(!std::is_convertible_v<const char*, tenant_id>);
static_assert(!std::is_convertible_v<user_id, tenant_id>);
static_assert(!std::is_constructible_v<tenant_id, user_id>);
static_assert(!std::is_default_constructible_v<tenant_id>);
static_assert(!std::is_convertible_v<std::string, tenant_slug>);

TEST(ids, canonical_text_goes_in_and_out) {
    EXPECT_EQ(tenant_id{canonical}.to_string(), canonical);
    EXPECT_EQ(tenant_id{"0190F5A2-7C3E-7B1A-8D4F-3C2B1A098765"}.to_string(), canonical);
    EXPECT_EQ(tenant_id{"00000000-0000-0000-0000-000000000000"}.to_string(),
              "00000000-0000-0000-0000-000000000000");
    EXPECT_EQ(tenant_id{canonical}.bytes()[0], 0x01);
    EXPECT_EQ(tenant_id{canonical}.bytes()[15], 0x65);
}

TEST(ids, anything_else_is_refused) {
    const std::vector<std::string> bad{
        "",
        " ",
        "acme",
        canonical.substr(1),
        canonical + "0",
        " " + canonical,
        canonical + "\n",
        "{" + canonical + "}",
        "0190f5a27c3e7b1a8d4f3c2b1a098765",
        "0190f5a2-7c3e-7b1a-8d4f-3c2b1a09876g",
        "0190f5a2_7c3e-7b1a-8d4f-3c2b1a098765",
        "0190f5a-27c3e-7b1a-8d4f-3c2b1a098765",
        "--------------------------------0000",
        std::string(36, '\0'),
        "'; DROP TABLE tenancy.tenants; --   ",
        std::string(1'000'000, 'a'),
    };
    for (const auto& text : bad) {
        EXPECT_FALSE(tenant_id::parse(text)) << text.substr(0, 50);
        EXPECT_THROW(tenant_id{text}, bad_id) << text.substr(0, 50);
    }
}

TEST(ids, the_message_names_the_kind_and_is_short) {
    try {
        user_id{std::string(1'000'000, 'x')};
        FAIL();
    } catch (const bad_id& e) {
        const std::string what = e.what();
        EXPECT_NE(what.find("user id"), std::string::npos);
        EXPECT_LT(what.size(), 300u);
    }
}

TEST(ids, compare_and_hash) {
    const tenant_id a{canonical};
    const tenant_id b{"0190f5a2-7c3e-7b1a-8d4f-3c2b1a098766"};
    EXPECT_TRUE(a == tenant_id{canonical});
    EXPECT_TRUE(a != b);
    EXPECT_TRUE(a < b);
    EXPECT_FALSE(b < a);
    EXPECT_EQ((std::unordered_set<tenant_id>{a, b, a}).size(), 2u);
}

TEST(ids, generated_ids_are_version_7_unique_and_in_order) {
    tenant_id previous = tenant_id::generate();
    for (int i = 0; i < 20'000; ++i) {
        const tenant_id next = tenant_id::generate();
        ASSERT_TRUE(previous < next) << previous << " " << next;
        ASSERT_EQ(next.bytes()[6] >> 4, 7);
        ASSERT_EQ(next.bytes()[8] >> 6, 2);
        previous = next;
    }
}

TEST(ids, threads_generate_different_ids) {
    std::vector<std::vector<tenant_id>> made(4);
    std::vector<std::thread> threads;
    for (auto& mine : made)
        threads.emplace_back([&mine] {
            for (int i = 0; i < 2'000; ++i)
                mine.push_back(tenant_id::generate());
        });
    for (auto& thread : threads)
        thread.join();
    std::set<tenant_id> all;
    for (const auto& mine : made)
        all.insert(mine.begin(), mine.end());
    EXPECT_EQ(all.size(), 8'000u);
}

TEST(slug, refuses_what_cannot_be_one) {
    EXPECT_EQ(tenant_slug{"acme"}.str(), "acme");
    EXPECT_THROW(tenant_slug{""}, std::invalid_argument);
    EXPECT_THROW(tenant_slug{std::string(256, 'a')}, std::invalid_argument);
    EXPECT_THROW((tenant_slug{std::string("a\0b", 3)}), std::invalid_argument);
}

} // namespace
