#pragma once

#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// A conversation with an agent.
struct agent_session {
    agent_session_id id;
    tenant_id tenant;
    agent_id agent;
    /// Whose it is; nothing if no user in person began it.
    std::optional<user_id> user;
    std::optional<std::string> title;
    /// A JSON object as text.
    std::string metadata;
    timestamp created_at;
    timestamp updated_at;
};

/// What somebody said in a conversation.
struct agent_message {
    agent_message_id id;
    agent_session_id session;
    /// `system`, `user`, `assistant` or `tool`.
    std::string role;
    std::string content;
    /// JSON as text.
    std::optional<std::string> tool_calls;
    /// Its length in tokens of the model, where that is known.
    std::optional<int> tokens;
    timestamp created_at;
};

/// What to append to a conversation.
struct new_message {
    /// `system`, `user`, `assistant` or `tool`.
    std::string role;
    std::string content;
    /// JSON as text.
    std::optional<std::string> tool_calls = std::nullopt;
    std::optional<int> tokens = std::nullopt;
};

/// Calls about conversations of the current tenant; permission `agents.run`.
/** A conversation that is not the caller's is like one that does not exist: `pqxx::sql_error` with 42704. */
class TENANCY_EXPORT conversations : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Begins a conversation.
    /**
     * @param with the agent; nothing is the tenant's default
     * @param title for people
     * @param metadata a JSON object as text
     */
    [[nodiscard]] agent_session_id begin(const std::optional<agent_id>& with = std::nullopt,
                                         const std::optional<std::string>& title = std::nullopt,
                                         const std::string& metadata = "{}") const;
    /// Those that the caller may continue, the latest first; who manages agents sees all.
    [[nodiscard]] std::vector<agent_session> list(int at_most = 100) const;
    /// Deletes a conversation with its messages.
    void remove(const agent_session_id& which) const;
    /// Appends a message.
    agent_message_id add(const agent_session_id& to, const new_message& what) const;
    /// The messages in order.
    /** @param after only those after this one */
    [[nodiscard]] std::vector<agent_message>
    messages(const agent_session_id& of, const std::optional<agent_message_id>& after = std::nullopt,
             int at_most = 1000) const;
};

/// One execution of an agent.
struct agent_run {
    agent_run_id id;
    tenant_id tenant;
    /// Nothing if the agent was deleted.
    std::optional<agent_id> agent;
    std::optional<agent_session_id> session;
    /// Who had it run: `user:<id>`, `key:<id>` or `role:<name>`.
    std::string actor;
    /// `running`, `succeeded`, `failed` or `cancelled`.
    std::string status;
    std::optional<std::string> model_provider;
    std::optional<std::string> model_name;
    /// JSON as text.
    std::optional<std::string> input;
    /// JSON as text.
    std::optional<std::string> output;
    std::optional<std::string> error;
    std::optional<int> prompt_tokens;
    std::optional<int> completion_tokens;
    timestamp started_at;
    std::optional<timestamp> finished_at;
};

/// How a run ended.
struct run_outcome {
    /// `succeeded`, `failed` or `cancelled`.
    std::string status = "succeeded";
    /// JSON as text.
    std::optional<std::string> output = std::nullopt;
    std::optional<std::string> error = std::nullopt;
    std::optional<int> prompt_tokens = std::nullopt;
    std::optional<int> completion_tokens = std::nullopt;
};

/// Calls about the executions of agents in the current tenant.
class TENANCY_EXPORT agent_runs : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Records that an agent, found as by @ref agents::resolve, begins to work; permission `agents.run`.
    /** @param input JSON as text */
    [[nodiscard]] agent_run_id start(const std::optional<agent_id>& which = std::nullopt,
                                     const std::optional<agent_session_id>& session = std::nullopt,
                                     const std::optional<std::string>& input = std::nullopt) const;
    /// Records how a run ended; `agents.run`.
    /** @throws pqxx::sql_error with 42704 if it is unknown or ended before */
    void finish(const agent_run_id& which, const run_outcome& how = {}) const;
    /// The latest runs, of one agent or of all; permission `agents.manage`.
    [[nodiscard]] std::vector<agent_run> list(const std::optional<agent_id>& of = std::nullopt,
                                              int at_most = 100) const;
};

} // namespace tenancy
