#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "tenancy/connection.hpp"
#include "tenancy/detail/compat.hpp"
#include "tenancy/detail/export.hpp"
#include "tenancy/ids.hpp"
#include "tenancy/transaction.hpp"

namespace tenancy {

namespace detail {
struct organization_tag {
    static constexpr std::string_view name = "organization id";
};
struct agent_tag {
    static constexpr std::string_view name = "agent id";
};
struct agent_session_tag {
    static constexpr std::string_view name = "session id";
};
struct agent_message_tag {
    static constexpr std::string_view name = "message id";
};
struct agent_run_tag {
    static constexpr std::string_view name = "run id";
};
struct api_key_tag {
    static constexpr std::string_view name = "API key id";
};
struct audit_event_tag {
    static constexpr std::string_view name = "audit event id";
};
struct outbox_tag {
    static constexpr std::string_view name = "outbox message id";
};
} // namespace detail

/// Identifies an organization.
using organization_id = basic_id<detail::organization_tag>;
/// Identifies an agent.
using agent_id = basic_id<detail::agent_tag>;
/// Identifies a conversation with an agent.
using agent_session_id = basic_id<detail::agent_session_tag>;
/// Identifies a message of a conversation.
using agent_message_id = basic_id<detail::agent_message_tag>;
/// Identifies a run of an agent.
using agent_run_id = basic_id<detail::agent_run_tag>;
/// Identifies an API key; it is no secret and does not let anybody in.
using api_key_id = basic_id<detail::api_key_tag>;
/// Identifies an event of an audit log.
using audit_event_id = basic_id<detail::audit_event_tag>;
/// Identifies a message of the outbox.
using outbox_id = basic_id<detail::outbox_tag>;

/// A moment, to the microsecond, as PostgreSQL keeps them.
using timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// The moment as `2026-01-31T12:34:56.789012Z`.
TENANCY_EXPORT std::string to_string(timestamp moment);

/// An organization's slug: its short name, unique in the installation.
class organization_slug {
public:
    /** @param text the slug; the server decides whether such an organization exists */
    explicit organization_slug(std::string text) : text_{std::move(text)} {}
    /// The slug as text.
    [[nodiscard]] const std::string& str() const noexcept { return text_; }

private:
    std::string text_;
};

/// An organization, named by its id or by its slug.
class organization_reference {
public:
    organization_reference(const organization_id& id) : text_{id.to_string()} {} // NOLINT: an id is a name
    organization_reference(const organization_slug& slug) : text_{slug.str()} {} // NOLINT
    /// What the server is given.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

/// A tenant, named by its id or by its slug.
class tenant_reference {
public:
    tenant_reference(const tenant_id& id) : text_{id.to_string()} {} // NOLINT: an id is a name
    tenant_reference(const tenant_slug& slug) : text_{slug.str()} {} // NOLINT
    /// What the server is given.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

/// The transaction in which calls of the control plane run, and so on whose behalf they do.
/**
 * Every class of the control plane (organizations, tenants, members, ...) is made from one of these, or
 * straight from a transaction: `tenancy::members{tx}.list(tenant)`. What a call may do, the server decides
 * anew each time: a tenancy::transaction of a user or of an API key acts by their role in their tenant, and a
 * bare libpqxx transaction of a database role that has the control plane
 * (`tenancy.grant_control_plane(role)`) acts as an operator, for any tenant.
 *
 * All calls throw, beside what each says for itself:
 * - role_denied (TN004) if who is in context lacks the permission that the call needs; DETAIL names it
 * - tenant_unavailable (TN002) for a tenant of which the caller is no member, whether it exists or not
 * - no_tenant (TN001) where there is neither a context nor an operator
 * - `pqxx::insufficient_privilege` if the database role may not call the function, or would give away more
 *   than it has
 * - std::invalid_argument for a text with a zero byte, before anything is sent
 *
 * They keep references only: the transaction must outlive them. None of them commits.
 */
class TENANCY_EXPORT control {
public:
    /// For who is in context in this transaction.
    control(transaction& tx) noexcept; // NOLINT: a transaction is where calls run
    /// For an operator. Errors of the extension come as the types of errors.hpp, without DETAIL and HINT
    /// apart from the whole message.
    control(pqxx::transaction_base& tx) noexcept; // NOLINT
    /// For an operator, with DETAIL and HINT.
    /**
     * @param c the connection that @a tx is on
     * @param tx a transaction on `c.native()`
     */
    control(connection& c, pqxx::transaction_base& tx) noexcept;

    /// Executes one statement with parameters.
    /**
     * @param sql the statement with `$1`, `$2`, ...
     * @param parameters their values
     * @return its result
     * @throws the types of errors.hpp, otherwise what libpqxx throws
     */
    pqxx::result exec(const std::string& sql, const pqxx::params& parameters) const;

    /// The transaction.
    [[nodiscard]] pqxx::transaction_base& transaction_base() const noexcept { return *tx_; }

    /// Runs a function and turns errors as @ref exec does.
    template <class F>
    decltype(auto) translating(F&& f) const {
        try {
            return std::forward<F>(f)();
        } catch (const error&) {
            throw;
        } catch (const pqxx::sql_error& e) {
            throw_translated(e);
            throw;
        }
    }

private:
    void throw_translated(const pqxx::sql_error& e) const;

    pqxx::transaction_base* tx_;
    connection* connection_; // null if it is unknown
};

namespace detail {

/// Base of the classes of the control plane.
class control_calls {
public:
    /** @param c the transaction to run in, and on whose behalf */
    explicit control_calls(control c) noexcept : control_{c} {}

protected:
    control control_;
};

} // namespace detail

} // namespace tenancy
