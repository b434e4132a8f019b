#pragma once

#include <exception>
#include <string>
#include <utility>

namespace tenancy {

/// SQLSTATEs that tenancy raises, beside PostgreSQL's own.
namespace sqlstate {
inline constexpr char no_tenant[] = "TN001";
inline constexpr char tenant_not_available[] = "TN002";
inline constexpr char context_sealed[] = "TN003";
inline constexpr char role_permission_denied[] = "TN004";
inline constexpr char quota_exceeded[] = "TN005";
inline constexpr char rate_limit_exceeded[] = "TN006";
inline constexpr char credential_not_valid[] = "TN007";
inline constexpr char invitation_not_valid[] = "TN008";
inline constexpr char cannot_be_protected[] = "TN009";
inline constexpr char corpus_not_configured[] = "TN010";

inline constexpr char null_value_not_allowed[] = "22004";
inline constexpr char invalid_parameter_value[] = "22023";
inline constexpr char no_active_sql_transaction[] = "25P01";
inline constexpr char insufficient_privilege[] = "42501";
inline constexpr char program_limit_exceeded[] = "54000";
inline constexpr char not_in_prerequisite_state[] = "55000";
inline constexpr char undefined_object[] = "42704";
inline constexpr char feature_not_supported[] = "0A000";
inline constexpr char internal_error[] = "XX000";
inline constexpr char data_corrupted[] = "XX001";
} // namespace sqlstate

/// An error on its way to the client: SQLSTATE, message, and where they help DETAIL and HINT.
class error : public std::exception {
public:
    error(std::string sqlstate, std::string message, std::string detail = {}, std::string hint = {})
        : m_sqlstate{std::move(sqlstate)}, m_message{std::move(message)}, m_detail{std::move(detail)},
          m_hint{std::move(hint)} {}

    const char* what() const noexcept override { return m_message.c_str(); }
    const std::string& sqlstate() const noexcept { return m_sqlstate; }
    const std::string& message() const noexcept { return m_message; }
    const std::string& detail() const noexcept { return m_detail; }
    const std::string& hint() const noexcept { return m_hint; }

private:
    std::string m_sqlstate, m_message, m_detail, m_hint;
};

} // namespace tenancy
