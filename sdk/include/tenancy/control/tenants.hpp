#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// The unit of isolation.
struct tenant {
    tenant_id id;
    std::string slug;
    std::string name;
    /// `active`, `suspended` or `deleted`.
    std::string status;
    organization_id organization;
    std::string organization_slug;
    /// The application's own key for it.
    std::optional<std::string> external_key;
    /// A JSON object as text.
    std::string settings;
    timestamp created_at;
    timestamp updated_at;
};

/// A tenant as a member of it sees it.
struct tenant_of_user {
    tenant_id id;
    std::string slug;
    std::string name;
    /// `active`, `suspended` or `deleted`; the organization's where that is not active.
    std::string status;
    /// The user's role in it.
    std::string role;
    organization_id organization;
    std::string organization_slug;
    /// Whether the user switched to it last.
    bool is_current;
};

/// What a new tenant is made of.
struct new_tenant {
    /// 1 to 63 characters of a-z, 0-9 and hyphens, unique in the installation.
    std::string slug;
    /// For people; the slug if nothing.
    std::optional<std::string> name = std::nullopt;
    /// The default organization if nothing.
    std::optional<organization_reference> organization = std::nullopt;
    /// The application's own key for it, unique in the installation.
    std::optional<std::string> external_key = std::nullopt;
    /// A JSON object as text.
    std::string settings = "{}";
};

/// What to change of a tenant; what is nothing stays.
struct tenant_changes {
    /// For operators.
    std::optional<std::string> slug;
    std::optional<std::string> name;
    /// A JSON object as text, in the place of the old one.
    std::optional<std::string> settings;
    /// For operators.
    std::optional<std::string> external_key;
};

/// A row of a protected table, or of what the extension keeps for a tenant.
struct exported_row {
    /// The table with its schema.
    std::string relation;
    /// From 1 in each table.
    std::int64_t row_number;
    /// The row as a JSON object.
    std::string data;
};

/// How many rows of a table a tenant has.
struct relation_count {
    std::string relation;
    std::int64_t rows;
};

/// Calls about tenants.
class TENANCY_EXPORT tenants : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Creates a tenant: operators in any organization, a user in one that they created, who then is its
    /// admin.
    /**
     * @return its id
     * @throws pqxx::unique_violation if the slug or the external key is taken
     * @throws quota_exceeded if the organization's plan allows no more
     * @throws pqxx::sql_error with 42704 if the organization is unknown or not the caller's
     */
    [[nodiscard]] tenant_id create(const new_tenant& what) const;

    /// The tenant, or nothing if it is unknown or the caller is no member with `tenant.read`.
    [[nodiscard]] std::optional<tenant> get(const tenant_reference& which) const;

    /// The tenants by organization and slug.
    /** @param of only of this organization; nothing is for operators: all of the installation */
    [[nodiscard]] std::vector<tenant>
    list(const std::optional<organization_reference>& of = std::nullopt) const;

    /// Changes a tenant; permission `tenant.update`.
    /** @throws pqxx::unique_violation if the new slug or external key is taken */
    void update(const tenant_reference& which, const tenant_changes& changes) const;

    /// Lets nobody enter until @ref resume; who is in it loses it by the next transaction. `tenant.update`
    void suspend(const tenant_reference& which) const;
    /// Ends a suspension; for operators, and for members where a member suspended it.
    void resume(const tenant_reference& which) const;
    /// Lets nobody enter and counts it no more; its rows stay until @ref purge_tenant. `tenant.delete`
    void remove(const tenant_reference& which) const;
    /// Makes a removed tenant active again; for operators, and for members where a member removed it.
    void restore(const tenant_reference& which) const;

    /// The tenants of the user in context.
    /** @throws role_denied for an API key or a credential with scopes: it is the right of a user in person */
    [[nodiscard]] std::vector<tenant_of_user> mine() const;
    /// The tenants of any user; for operators: a log-in chooses from them.
    [[nodiscard]] std::vector<tenant_of_user> of_user(const user_id& user) const;
    /// Remembers a tenant as the one that the user in context enters next; this transaction keeps its own.
    /** @throws tenant_unavailable if the user is no member or nobody may enter it */
    tenant_id switch_to(const tenant_reference& which) const;

    /// How many rows of each table @ref export_rows gives; permission `tenant.delete`.
    [[nodiscard]] std::vector<relation_count> count_rows(const tenant_id& which) const;
    /// Gives all rows of a tenant in all protected tables, as they are at one moment; `tenant.delete`.
    /**
     * They come one by one and are never all in memory. Credentials are not among them.
     * @param which the tenant
     * @param take called with each row, by table and primary key; it must not use the transaction
     * @return how many there were
     */
    std::int64_t export_rows(const tenant_reference& which,
                             const std::function<void(const exported_row&)>& take) const;
};

/// Deletes a removed tenant's rows for good, in transactions of their own, and then the tenant; for
/// operators.
/**
 * What stops half-way goes on with the next call. Its audit log stays.
 * @param c a connection without a transaction
 * @param which a tenant that was removed
 * @param batch_rows at most so many rows in each transaction
 * @throws pqxx::sql_error with 55000 if the tenant was not removed before
 */
TENANCY_EXPORT void purge_tenant(connection& c, const tenant_id& which, int batch_rows = 10'000);

} // namespace tenancy
