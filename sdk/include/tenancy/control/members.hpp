#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// A user in a tenant.
struct member {
    user_id user;
    std::optional<std::string> email;
    std::optional<std::string> name;
    /// `admin`, `editor`, `viewer`, or a role of the tenant's own.
    std::string role;
    /// The user's: `active` or `deactivated`; empty, as the address and the name, of one whom a member added by id and who has not
    /// come themselves since.
    std::string status;
    /// Whether the user made the tenant; they are not removed.
    bool is_creator;
    /// Who made the user a member; nothing if that was an operator.
    std::optional<user_id> created_by;
    timestamp created_at;
};

/// Calls about the members of a tenant.
class TENANCY_EXPORT members : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// The members, the oldest first; permission `members.read`.
    [[nodiscard]] std::vector<member> list(const tenant_id& of) const;
    /// Makes a user a member, with a role not above the caller's; permission `members.manage`.
    /**
     * @throws pqxx::unique_violation if the user is one already
     * @throws quota_exceeded if the tenant may have no more members
     */
    void add(const tenant_id& to, const user_id& who, const std::string& role) const;
    /// Gives another member another role, neither above the caller's; `members.manage`.
    /** @throws role_denied also for one's own role and for the last admin's */
    void change_role(const tenant_id& in, const user_id& who, const std::string& role) const;
    /// Ends a membership: who is in the tenant loses it by the next transaction; `members.manage`.
    void remove(const tenant_id& from, const user_id& who) const;
    /// Ends the membership of the user in context, in the current tenant or another one.
    void leave(const tenant_id& which) const;
};

/// A named set of permissions in a tenant.
struct role {
    std::string name;
    /// Nobody grants a role of a higher rank than their own; 1 to 100.
    int rank;
    std::vector<std::string> permissions;
    /// Whether all tenants have it.
    bool is_builtin;
    /// How many members have it.
    std::int64_t members;
};

/// Calls about the roles of a tenant.
class TENANCY_EXPORT roles : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// The tenant's own and the built-in roles, the highest first; permission `members.read`.
    [[nodiscard]] std::vector<role> list(const tenant_id& of) const;
    /// Makes a role that ranks below the caller's and holds nothing they lack; permission `roles.manage`.
    /**
     * @param in the tenant
     * @param name of the role
     * @param rank 1 to 99
     * @param permissions such as `data.read`
     * @throws pqxx::unique_violation if there is one of that name
     */
    void create(const tenant_id& in, const std::string& name, int rank,
                const std::vector<std::string>& permissions) const;
    /// Changes what is not nothing of a role, for all who have it; `roles.manage`.
    void update(const tenant_id& in, const std::string& name, const std::optional<int>& rank,
                const std::optional<std::vector<std::string>>& permissions = std::nullopt) const;
    /// Drops a role that no member and no working API key has; `roles.manage`.
    void drop(const tenant_id& in, const std::string& name) const;
};

/// Calls about invitations: signed tokens that make the one with an e-mail address a member.
class TENANCY_EXPORT invitations : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Invites an e-mail address; permission `invitations.manage`, for a role not above the caller's.
    /** @return the token, which the outbox holds as well; whoever has it and the address may join */
    [[nodiscard]] std::string create(const tenant_id& to, const std::string& email, const std::string& role,
                                     std::chrono::seconds valid_for = std::chrono::hours{7 * 24}) const;
    /// Makes a user a member as invited.
    /**
     * @param token what @ref create returned
     * @param who for an application that is trusted to name users; nothing is the user in context
     * @return the tenant
     * @throws invalid_invitation if it expired, was used or revoked, is for another address, or its inviter
     * may no longer invite
     * @throws quota_exceeded if the tenant may have no more members
     */
    tenant_id accept(const std::string& token, const std::optional<user_id>& who = std::nullopt) const;
    /// Ends an invitation that was not accepted yet; `invitations.manage`.
    /** @throws invalid_invitation if there is nothing left to end */
    void revoke(const std::string& token) const;
};

/// Something that the application is to send, such as an invitation by mail.
struct outbox_message {
    outbox_id id;
    /// Such as `invitation`.
    std::string kind;
    std::optional<tenant_id> tenant;
    /// A JSON object as text.
    std::string payload;
    timestamp created_at;
};

/// What waits to be sent; for operators.
class TENANCY_EXPORT outbox : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Takes messages out, the oldest first: gone when the transaction commits and back when it does not.
    /** `LISTEN tenancy_outbox` tells when there are new ones. Two takers never get the same message. */
    [[nodiscard]] std::vector<outbox_message> take(int at_most = 100) const;
};

} // namespace tenancy
