#pragma once

#include <cstdint>
#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// Who pays: it has tenants, and a plan that limits them.
struct organization {
    organization_id id;
    std::string slug;
    std::string name;
    /// `active`, `suspended` or `deleted`. Nobody enters the tenants of one that is not active.
    std::string status;
    /// A JSON object as text.
    std::string contact;
    /// A JSON object as text.
    std::string settings;
    /// How many tenants it has, without deleted ones.
    std::int64_t tenants;
    /// Nothing if an operator created it.
    std::optional<user_id> created_by;
    timestamp created_at;
    timestamp updated_at;
    std::string plan;
};

/// What to change of an organization; what is nothing stays.
struct organization_changes {
    /// For operators.
    std::optional<std::string> slug;
    std::optional<std::string> name;
    /// A JSON object as text, in the place of the old one.
    std::optional<std::string> contact;
    /// A JSON object as text, in the place of the old one.
    std::optional<std::string> settings;
    /// For operators: `active`, `suspended`, or `deleted`, which it can be when its tenants are.
    std::optional<std::string> status;
};

/// Calls about organizations: for operators, and for a user in context about those that they created.
class TENANCY_EXPORT organizations : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Creates an organization; for operators.
    /**
     * @param slug 1 to 63 characters of a-z, 0-9 and hyphens
     * @param name for people; the slug if nothing
     * @return its id
     * @throws pqxx::unique_violation if the slug is taken
     * @throws pqxx::data_exception if it is no slug
     */
    [[nodiscard]] organization_id create(const std::string& slug,
                                         const std::optional<std::string>& name = std::nullopt) const;

    /// The organization, or nothing if it is unknown or not the caller's.
    [[nodiscard]] std::optional<organization> get(const organization_reference& which) const;

    /// All organizations by slug; for a user those that they created.
    [[nodiscard]] std::vector<organization> list() const;

    /// Changes an organization.
    /**
     * @throws pqxx::sql_error with 42704 if it is unknown or not the caller's, 2BP01 for deleting one that
     * has tenants
     * @throws pqxx::unique_violation if the new slug is taken
     */
    void update(const organization_reference& which, const organization_changes& changes) const;

    /// Gives it another plan; for operators.
    /** What it has beyond the new limits stays, and nothing is added to it.
     * @throws pqxx::sql_error with 42704 if the organization or the plan is unknown */
    void change_plan(const organization_reference& which, const std::string& plan) const;
};

} // namespace tenancy
