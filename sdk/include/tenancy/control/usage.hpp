#pragma once

#include <cstdint>
#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// How much of a metric a tenant may use, has used and has left.
struct usage_limit {
    std::string metric;
    /// `flow`, counted anew each month, or `level`, which goes up and down.
    std::string kind;
    /// `tenant`, or `organization` for what all its tenants share; then @ref used is the organization's.
    std::string scope;
    /// Nothing is no limit.
    std::optional<std::int64_t> max_amount;
    std::int64_t used;
    /// Nothing where there is no limit.
    std::optional<std::int64_t> remaining;
    /// When a flow begins anew.
    std::optional<timestamp> resets_at;
};

/// What was used of a metric in a month.
struct usage_line {
    std::optional<organization_id> organization;
    std::optional<tenant_id> tenant;
    /// Nothing if the tenant is gone.
    std::optional<std::string> tenant_slug;
    /// `2026-01`, in UTC.
    std::string month;
    std::string metric;
    std::int64_t amount;
};

/// What @ref usage::report looks at.
struct usage_query {
    /// The first month, as any day of it: `2026-01-01`; the server's choice if nothing.
    std::optional<std::string> since = std::nullopt;
    /// The last month, as any day of it.
    std::optional<std::string> until = std::nullopt;
    std::optional<tenant_id> tenant = std::nullopt;
    /// For operators.
    std::optional<organization_id> organization = std::nullopt;
};

/// Calls about quotas and usage: of the current tenant if none is named; operators name any.
class TENANCY_EXPORT usage : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Counts usage; permission `usage.record`.
    /** @throws quota_exceeded if that would pass a limit, with nothing counted; DETAIL says when to try again
     */
    void record(const std::string& metric, std::int64_t amount = 1,
                const std::optional<tenant_id>& of = std::nullopt) const;
    /// Gives back what @ref record counted of an application's own level, such as seats; `usage.record`.
    void release(const std::string& metric, std::int64_t amount = 1,
                 const std::optional<tenant_id>& of = std::nullopt) const;
    /// How much is left of a metric, or nothing if nothing limits it; permission `usage.read`.
    [[nodiscard]] std::optional<std::int64_t>
    remaining(const std::string& metric, const std::optional<tenant_id>& of = std::nullopt) const;
    /// All limits; `usage.read`.
    [[nodiscard]] std::vector<usage_limit> limits(const std::optional<tenant_id>& of = std::nullopt) const;
    /// What was used in each month, for billing; `usage.read`.
    [[nodiscard]] std::vector<usage_line> report(const usage_query& query = {}) const;

    /// An exception from the plan for a tenant; for operators.
    /** @param max_amount nothing is no limit */
    void set_limit(const std::string& metric, const std::optional<std::int64_t>& max_amount,
                   const tenant_id& of) const;
    /// An exception from the plan for an organization; for operators.
    void set_limit(const std::string& metric, const std::optional<std::int64_t>& max_amount,
                   const organization_id& of) const;
    /// Takes an exception back; for operators.
    /** @return whether there was one */
    bool drop_limit(const std::string& metric, const tenant_id& of) const;
    bool drop_limit(const std::string& metric, const organization_id& of) const;
};

/// A limit of a plan, or a plan without any.
struct plan_limit {
    std::string plan;
    std::string description;
    /// Nothing if the plan limits nothing.
    std::optional<std::string> metric;
    /// Nothing is no limit.
    std::optional<std::int64_t> max_amount;
};

/// Calls about plans; for operators, apart from @ref list.
class TENANCY_EXPORT plans : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// The plans with their limits.
    [[nodiscard]] std::vector<plan_limit> list() const;
    /// Makes a plan, without limits at first, or changes its description.
    void set(const std::string& plan, const std::string& description = "") const;
    /// Limits a metric, at once for all that subscribe to the plan; nothing is no limit.
    void set_limit(const std::string& plan, const std::string& metric,
                   const std::optional<std::int64_t>& max_amount) const;
    /// Drops a plan that no organization has.
    void drop(const std::string& plan) const;
    /// Says how an application's metric is counted; one that is not defined is a flow of each tenant.
    /**
     * @param metric its name
     * @param kind `flow` or `level`
     * @param scope `tenant` or `organization`
     * @param description for people
     */
    void define_metric(const std::string& metric, const std::string& kind = "flow",
                       const std::string& scope = "tenant", const std::string& description = "") const;
};

} // namespace tenancy
