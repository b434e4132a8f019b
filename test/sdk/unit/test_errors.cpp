#include "tenancy/errors.hpp"

#include <gtest/gtest.h>

namespace {

using tenancy::diagnostics;

template <class Expected>
void expect_type(const std::string& code) {
    const diagnostics info{code, "some message", "Some detail.", "Some hint."};
    try {
        tenancy::throw_if_tenancy_error("ERROR:  some message\n", "SELECT 1", info);
        FAIL() << code << " threw nothing";
    } catch (const Expected& e) {
        EXPECT_EQ(e.info().sqlstate, code);
        EXPECT_EQ(e.message(), "some message");
        EXPECT_EQ(e.detail(), "Some detail.");
        EXPECT_EQ(e.hint(), "Some hint.");
        EXPECT_EQ(std::string{e.query()}, "SELECT 1");
        EXPECT_EQ(std::string{e.sqlstate()}, code);
        const pqxx::sql_error& as_libpqxx = e; // who knows only libpqxx catches it too
        EXPECT_EQ(std::string{as_libpqxx.what()}, "ERROR:  some message\n");
        const tenancy::error& as_base = e;
        EXPECT_EQ(as_base.message(), "some message");
        EXPECT_EQ(typeid(e), typeid(Expected));
    }
}

TEST(errors, each_code_has_its_type) {
    expect_type<tenancy::no_tenant>("TN001");
    expect_type<tenancy::tenant_unavailable>("TN002");
    expect_type<tenancy::context_sealed>("TN003");
    expect_type<tenancy::role_denied>("TN004");
    expect_type<tenancy::quota_exceeded>("TN005");
    expect_type<tenancy::rate_limited>("TN006");
    expect_type<tenancy::invalid_credential>("TN007");
    expect_type<tenancy::invalid_invitation>("TN008");
    expect_type<tenancy::protection_failed>("TN009");
    expect_type<tenancy::corpus_mismatch>("TN010");
}

TEST(errors, an_unknown_code_of_the_extension_is_the_base_type) {
    expect_type<tenancy::error>("TN999");
}

TEST(errors, other_codes_are_left_alone) {
    for (const char* code : {"", "42501", "40001", "P0001", "TN", "TN0010", "tn001", "XTN01"})
        EXPECT_NO_THROW(
            tenancy::throw_if_tenancy_error("no tenant is set", "", {code, "no tenant is set", "", ""}))
            << code;
}

} // namespace
