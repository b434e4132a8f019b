#include "pure/permissions.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using tenancy::is_permitted;
using tenancy::lists;

TEST(permissions, a_list_holds_whole_names_only) {
    EXPECT_TRUE(lists("data.read", "data.read"));
    EXPECT_TRUE(lists("agents.run data.read usage.read", "data.read"));
    EXPECT_TRUE(lists("agents.run data.read usage.read", "agents.run"));
    EXPECT_TRUE(lists("agents.run data.read usage.read", "usage.read"));
    for (const char* part : {"data", "data.", "ata.read", "data.rea", "data.reads", "read", " data.read", "data.read ", ""})
        EXPECT_FALSE(lists("agents.run data.read usage.read", part)) << '"' << part << '"';
    EXPECT_FALSE(lists("", "data.read"));
    EXPECT_FALSE(lists(" ", ""));
    EXPECT_FALSE(lists("data.read", std::string_view("data.read\0", 10)));
}

TEST(permissions, scopes_narrow_and_never_widen) {
    EXPECT_TRUE(is_permitted("data.read data.write", "", "data.write"));
    EXPECT_TRUE(is_permitted("data.read data.write", "data.write", "data.write"));
    EXPECT_FALSE(is_permitted("data.read data.write", "data.read", "data.write"));
    EXPECT_FALSE(is_permitted("data.read", "data.read data.write", "data.write"));
    EXPECT_FALSE(is_permitted("", "", "data.read"));
}

TEST(permissions, the_application_serves_requests_and_manages_nothing) {
    EXPECT_TRUE(lists(tenancy::application_permissions, tenancy::permission::data_read));
    EXPECT_TRUE(lists(tenancy::application_permissions, tenancy::permission::data_write));
    for (const char* managing : {"members.manage", "keys.manage", "tenant.update", "tenant.delete", "roles.manage", "agents.manage",
                                 "invitations.manage", "audit.read"})
        EXPECT_FALSE(lists(tenancy::application_permissions, managing)) << managing;
}

} // namespace
