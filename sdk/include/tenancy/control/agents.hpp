#pragma once

#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// How a tenant's documents are talked to: a behaviour configuration. Agents of a tenant share its knowledge.
struct agent {
    agent_id id;
    tenant_id tenant;
    std::string name;
    std::optional<std::string> system_prompt;
    std::optional<std::string> model_provider;
    std::optional<std::string> model_name;
    /// Sampling temperature, 0 to 2; nothing leaves it to the provider.
    std::optional<double> temperature;
    /// Names of the tools that it may call.
    std::vector<std::string> enabled_tools;
    /// A JSON object as text, with a member for each tool.
    std::string tool_config;
    /// One that is not active is not resolved to, unless it is asked for.
    bool is_active;
    /// Whether it is its tenant's default.
    bool is_default;
    /// A JSON object as text.
    std::string settings;
    timestamp created_at;
    timestamp updated_at;
};

/// What a new agent is made of.
struct new_agent {
    /// Unique in the tenant.
    std::string name;
    std::optional<std::string> system_prompt = std::nullopt;
    std::optional<std::string> model_provider = std::nullopt;
    std::optional<std::string> model_name = std::nullopt;
    std::optional<double> temperature = std::nullopt;
    std::vector<std::string> enabled_tools = {};
    /// A JSON object as text.
    std::string tool_config = "{}";
    bool is_active = true;
    /// A JSON object as text.
    std::string settings = "{}";
};

/// What to change of an agent; what is nothing stays.
struct agent_changes {
    std::optional<std::string> name = std::nullopt;
    std::optional<std::string> system_prompt = std::nullopt;
    std::optional<std::string> model_provider = std::nullopt;
    std::optional<std::string> model_name = std::nullopt;
    std::optional<double> temperature = std::nullopt;
    std::optional<std::vector<std::string>> enabled_tools = std::nullopt;
    /// A JSON object as text, in the place of the old one.
    std::optional<std::string> tool_config = std::nullopt;
    std::optional<bool> is_active = std::nullopt;
    /// A JSON object as text, in the place of the old one.
    std::optional<std::string> settings = std::nullopt;
    /// Which of `system_prompt`, `model_provider`, `model_name`, `temperature` become nothing.
    std::vector<std::string> clear = {};
};

/// The agent to use, and where it was found.
struct resolved_agent {
    /// `explicit` (it was asked for), `session` (the conversation's), `tenant` (the tenant's default) or
    /// `system` (the installation's default).
    std::string source;
    tenancy::agent agent;
};

/// Calls about agents. An agent of another tenant is like one that does not exist: `pqxx::sql_error` with
/// 42704.
class TENANCY_EXPORT agents : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Creates an agent; permission `agents.manage`.
    /**
     * @return its id
     * @throws pqxx::unique_violation if the tenant has one of that name
     * @throws pqxx::check_violation if the temperature is outside 0 to 2
     */
    [[nodiscard]] agent_id create(const tenant_id& in, const new_agent& what) const;
    /// The agents of a tenant by name; permission `agents.read`.
    /** @param of the current tenant if nothing */
    [[nodiscard]] std::vector<agent> list(const std::optional<tenant_id>& of = std::nullopt) const;
    /// An agent; `agents.read` in its tenant.
    [[nodiscard]] agent get(const agent_id& which) const;
    /// Changes an agent; `agents.manage`.
    /**
     * @return the agent as it is then
     * @throws std::invalid_argument if tool_config or settings is not JSON
     * @throws pqxx::data_exception if `clear` names what cannot be cleared
     */
    agent update(const agent_id& which, const agent_changes& changes) const;
    /// Makes an agent its tenant's default; `agents.manage`.
    void set_default(const agent_id& which) const;
    /// Deletes an agent with its conversations; its runs stay and name no agent. `agents.manage`
    void remove(const agent_id& which) const;
    /// Finds the agent to use: the one asked for, else the conversation's, the tenant's default, the
    /// system's.
    /** Inactive agents of conversations and tenants are passed over, and so is the tenant's default where
     * tenancy is turned off for the database; permission `agents.read`. */
    [[nodiscard]] resolved_agent resolve(const std::optional<agent_id>& asked_for = std::nullopt,
                                         const std::optional<agent_session_id>& session = std::nullopt) const;
    /// The current tenant's stable group name in an external knowledge graph: `workspace_<tenant id>`.
    [[nodiscard]] std::string graph_namespace() const;
};

} // namespace tenancy
