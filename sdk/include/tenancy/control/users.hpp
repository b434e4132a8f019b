#pragma once

#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// A person, who may be a member of many tenants.
struct user {
    user_id id;
    std::optional<std::string> email;
    std::optional<std::string> name;
    /// `active` or `deactivated`.
    std::string status;
    /// A JSON object as text.
    std::string settings;
    /// The tenant they switched to last.
    std::optional<tenant_id> current_tenant;
    timestamp created_at;
    timestamp updated_at;
};

/// Whom an identity provider's tokens name.
struct identity {
    /// The tokens' `iss`.
    std::string issuer;
    /// The tokens' `sub`.
    std::string subject;
};

/// What a new user is made of; an e-mail address or an identity is needed.
struct new_user {
    std::optional<std::string> email = std::nullopt;
    std::optional<std::string> name = std::nullopt;
    std::optional<tenancy::identity> identity = std::nullopt;
    /// A JSON object as text.
    std::string settings = "{}";
    /// Of the organization that is made for them.
    std::string plan = "free";
};

/// What @ref users::register_user made.
struct registration {
    user_id user;
    organization_id organization;
    tenant_id tenant;
};

/// What to change of a user; what is nothing stays.
struct user_changes {
    std::optional<std::string> name;
    /// A JSON object as text, in the place of the old one.
    std::optional<std::string> settings;
    /// For operators.
    std::optional<std::string> email;
};

/// Calls about users: for operators; @ref get and @ref update also for the user in context about themselves.
class TENANCY_EXPORT users : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Makes a user with an organization and a tenant of their own, of which they are the admin, all or
    /// nothing.
    /** @throws pqxx::unique_violation if the e-mail address, in whatever case, or the identity is taken */
    [[nodiscard]] registration register_user(const new_user& who) const;

    /// The user, or nothing if there is none or the caller may not know.
    [[nodiscard]] std::optional<user> get(const user_id& who) const;
    /// The user with this e-mail address, whatever its case, or nothing.
    [[nodiscard]] std::optional<user> find_by_email(const std::string& email) const;
    /// The user whom an identity provider's tokens name so, or nothing.
    [[nodiscard]] std::optional<user> find_by_identity(const identity& who) const;
    /// Users in the order in which they were made.
    /**
     * @param after goes on after this one; nothing begins with the first
     * @param at_most how many, 0 or more
     */
    [[nodiscard]] std::vector<user> list(const std::optional<user_id>& after = std::nullopt,
                                         int at_most = 1000) const;

    /// Changes a user.
    /** @throws pqxx::unique_violation if the new e-mail address is taken */
    void update(const user_id& who, const user_changes& changes) const;
    /// Lets a user enter nowhere, and lose by the next transaction where they are; memberships stay.
    void deactivate(const user_id& who) const;
    /// Takes back @ref deactivate.
    void reactivate(const user_id& who) const;

    /// Lets a user be known by an identity provider's tokens.
    /** @throws pqxx::unique_violation if this identity belongs to a user already */
    void link_identity(const user_id& who, const identity& known_as) const;
    /// Takes back @ref link_identity.
    /** @throws pqxx::sql_error with 42704 if this identity belongs to nobody */
    void unlink_identity(const identity& known_as) const;
};

} // namespace tenancy
