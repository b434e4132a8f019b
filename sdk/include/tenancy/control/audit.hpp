#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// Something that somebody did, or was refused.
struct audit_event {
    audit_event_id id;
    timestamp at;
    /// `user:<id>`, `key:<id>` or `role:<name>`.
    std::string actor;
    /// Such as `member.add`.
    std::string action;
    /// Such as `user:<id>`.
    std::optional<std::string> object;
    /// JSON as text.
    std::optional<std::string> before;
    /// JSON as text.
    std::optional<std::string> after;
};

/// What @ref audit_log::read looks at.
struct audit_query {
    /// The current tenant's log if nothing, and without a context the installation's.
    std::optional<tenant_id> tenant = std::nullopt;
    std::optional<timestamp> since = std::nullopt;
    std::optional<timestamp> until = std::nullopt;
    std::optional<std::string> action = std::nullopt;
    std::optional<std::string> actor = std::nullopt;
    std::optional<std::string> object = std::nullopt;
    int at_most = 100;
    /// Only events older than this one: reads on from the last of a page.
    std::optional<audit_event_id> before = std::nullopt;
};

/// The last link of a chain of hashes. Kept elsewhere, it shows later whether the chain was made anew.
struct audit_seal {
    std::int64_t number;
    /// SHA-256 in hexadecimal.
    std::string hash;
};

/// What @ref audit_log::verify found.
struct audit_verification {
    bool intact;
    std::int64_t events;
    /// How many of them are too new to be in the chain.
    std::int64_t unsealed;
    /// Nothing if no event is in the chain.
    std::optional<audit_seal> last;
    /// The first problem.
    std::optional<std::string> problem;
};

/// Calls about audit logs; permission `audit.read`.
class TENANCY_EXPORT audit_log : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Events, newest first.
    [[nodiscard]] std::vector<audit_event> read(const audit_query& query = {}) const;
    /// Gives all events of a log, oldest first, with their hashes.
    /**
     * @param of as in audit_query
     * @param take called with each event as a JSON object
     * @param since only from then on
     * @param until only before then
     * @return how many there were
     */
    std::int64_t export_events(const std::optional<tenant_id>& of,
                               const std::function<void(const std::string&)>& take,
                               const std::optional<timestamp>& since = std::nullopt,
                               const std::optional<timestamp>& until = std::nullopt) const;
    /// Whether a log is as it was written.
    /**
     * @param of as in audit_query
     * @param known what an earlier call returned as last, and was kept out of the database's reach
     */
    [[nodiscard]] audit_verification verify(const std::optional<tenant_id>& of = std::nullopt,
                                            const std::optional<audit_seal>& known = std::nullopt) const;
    /// Adds to the chains what is final; for operators. A background worker does it where there is one.
    /** @return how many events that were */
    std::int64_t seal() const;

    /// Records from now on each row that a statement changes in a protected table; for its owner.
    /**
     * @param relation the table, as in SQL
     * @param omit columns that are not recorded
     */
    void record_table(const std::string& relation, const std::vector<std::string>& omit = {}) const;
    /// Undoes @ref record_table; what was recorded stays.
    void forget_table(const std::string& relation) const;
};

} // namespace tenancy
