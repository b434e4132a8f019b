#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "tenancy/detail/compat.hpp"
#include "tenancy/detail/export.hpp"

namespace tenancy {

/// What the server said about an error, field by field.
struct diagnostics {
    /// Five characters, such as `TN001` or `40001`.
    std::string sqlstate;
    /// The primary message: one lower-case line without a period.
    std::string message;
    /// The DETAIL field, or empty.
    std::string detail;
    /// The HINT field, or empty.
    std::string hint;
};

/// Base of the errors that the extension raises: SQLSTATE `TN001` to `TN010`.
/**
 * It is a `pqxx::sql_error`, so code that only knows libpqxx catches it too. All other errors of the server
 * stay what libpqxx makes of them (`pqxx::insufficient_privilege`, `pqxx::unique_violation`, ...). Which type
 * is thrown is decided by the SQLSTATE alone, never by a text.
 */
class TENANCY_EXPORT error : public pqxx::sql_error {
public:
    /**
     * @param what the whole message, as libpq prints it
     * @param query the statement that failed
     * @param info the fields of the error
     */
    error(const std::string& what, const std::string& query, diagnostics info);
    ~error() noexcept override;

    /// The SQLSTATE, the primary message, DETAIL and HINT.
    [[nodiscard]] const diagnostics& info() const noexcept { return info_; }
    /// The primary message.
    [[nodiscard]] const std::string& message() const noexcept { return info_.message; }
    /// The DETAIL field, or empty.
    [[nodiscard]] const std::string& detail() const noexcept { return info_.detail; }
    /// The HINT field, or empty.
    [[nodiscard]] const std::string& hint() const noexcept { return info_.hint; }

private:
    diagnostics info_;
};

/// TN001: no tenant is set.
class TENANCY_EXPORT no_tenant : public error {
public:
    using error::error;
    ~no_tenant() noexcept override;
};

/// TN002: the tenant is not available: unknown, suspended, deleted, or the user is not a member. The server
/// does not say which.
class TENANCY_EXPORT tenant_unavailable : public error {
public:
    using error::error;
    ~tenant_unavailable() noexcept override;
};

/// TN003: the context is sealed: this transaction has its tenant already.
class TENANCY_EXPORT context_sealed : public error {
public:
    using error::error;
    ~context_sealed() noexcept override;
};

/// TN004: the caller's role in the tenant does not permit it.
class TENANCY_EXPORT role_denied : public error {
public:
    using error::error;
    ~role_denied() noexcept override;
};

/// TN005: a quota is used up.
class TENANCY_EXPORT quota_exceeded : public error {
public:
    using error::error;
    ~quota_exceeded() noexcept override;
};

/// TN006: too many requests in the time that the limit spans.
class TENANCY_EXPORT rate_limited : public error {
public:
    using error::error;
    ~rate_limited() noexcept override;
};

/// TN007: an API key or token is not valid.
class TENANCY_EXPORT invalid_credential : public error {
public:
    using error::error;
    ~invalid_credential() noexcept override;
};

/// TN008: an invitation is not valid.
class TENANCY_EXPORT invalid_invitation : public error {
public:
    using error::error;
    ~invalid_invitation() noexcept override;
};

/// TN009: a relation cannot be protected, or a preflight check failed.
class TENANCY_EXPORT protection_failed : public error {
public:
    using error::error;
    ~protection_failed() noexcept override;
};

/// TN010: the corpus is not configured, or the embedding does not fit it.
class TENANCY_EXPORT corpus_mismatch : public error {
public:
    using error::error;
    ~corpus_mismatch() noexcept override;
};

/// No connection of the pool became free in time.
class TENANCY_EXPORT pool_timeout : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
    ~pool_timeout() noexcept override;
};

/// Throws the exception type that belongs to an SQLSTATE of the extension; returns if it is none of them.
/**
 * @param what the whole message
 * @param query the statement that failed
 * @param info the fields of the error; `info.sqlstate` decides
 * @throws no_tenant, tenant_unavailable, context_sealed, role_denied, quota_exceeded, rate_limited,
 * invalid_credential, invalid_invitation, protection_failed, corpus_mismatch; tenancy::error for a TN code
 * that this version of the SDK does not know
 */
TENANCY_EXPORT void throw_if_tenancy_error(const std::string& what, const std::string& query,
                                           const diagnostics& info);

} // namespace tenancy
