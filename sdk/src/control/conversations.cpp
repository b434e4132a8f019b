#include "tenancy/control/conversations.hpp"

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

agent_session_id conversations::begin(const std::optional<agent_id>& with,
                                      const std::optional<std::string>& title,
                                      const std::string& metadata) const {
    const auto rows = control_.exec("SELECT tenancy.create_session($1, $2, $3)",
                                    arguments{}.id(with).text(title).text(metadata));
    return agent_session_id{rows[0][0].c_str()};
}

std::vector<agent_session> conversations::list(int at_most) const {
    static const std::string sql = "SELECT id, tenant_id, agent_id, user_id, title, metadata, " +
                                   detail::micros("created_at") + ", " + detail::micros("updated_at") +
                                   " FROM tenancy.list_sessions($1)";
    return detail::read_all(control_.exec(sql, arguments{}.number(at_most)), [](row_reader& row) {
        return agent_session{
            row.id<agent_session_id>(), row.id<tenant_id>(), row.id<agent_id>(), row.maybe_id<user_id>(),
            row.maybe_text(),           row.text(),          row.time(),         row.time()};
    });
}

void conversations::remove(const agent_session_id& which) const {
    control_.exec("SELECT tenancy.delete_session($1)", arguments{}.id(which));
}

agent_message_id conversations::add(const agent_session_id& to, const new_message& what) const {
    const auto rows = control_.exec(
        "SELECT tenancy.add_message($1, $2, $3, $4, $5)",
        arguments{}.id(to).text(what.role).text(what.content).text(what.tool_calls).number(what.tokens));
    return agent_message_id{rows[0][0].c_str()};
}

std::vector<agent_message> conversations::messages(const agent_session_id& of,
                                                   const std::optional<agent_message_id>& after,
                                                   int at_most) const {
    static const std::string sql = "SELECT id, session_id, role, content, tool_calls, tokens, " +
                                   detail::micros("created_at") + " FROM tenancy.list_messages($1, $2, $3)";
    return detail::read_all(
        control_.exec(sql, arguments{}.id(of).id(after).number(at_most)), [](row_reader& row) {
            return agent_message{
                row.id<agent_message_id>(), row.id<agent_session_id>(), row.text(), row.text(),
                row.maybe_text(),           row.maybe_number<int>(),    row.time()};
        });
}

agent_run_id agent_runs::start(const std::optional<agent_id>& which,
                               const std::optional<agent_session_id>& session,
                               const std::optional<std::string>& input) const {
    const auto rows =
        control_.exec("SELECT tenancy.start_run($1, $2, $3)", arguments{}.id(which).id(session).text(input));
    return agent_run_id{rows[0][0].c_str()};
}

void agent_runs::finish(const agent_run_id& which, const run_outcome& how) const {
    control_.exec("SELECT tenancy.finish_run($1, $2, $3, $4, $5, $6)", arguments{}
                                                                           .id(which)
                                                                           .text(how.status)
                                                                           .text(how.output)
                                                                           .text(how.error)
                                                                           .number(how.prompt_tokens)
                                                                           .number(how.completion_tokens));
}

std::vector<agent_run> agent_runs::list(const std::optional<agent_id>& of, int at_most) const {
    static const std::string sql =
        "SELECT id, tenant_id, agent_id, session_id, actor, status, model_provider, "
        "model_name, input, output, error, prompt_tokens, completion_tokens, " +
        detail::micros("started_at") + ", " + detail::micros("finished_at") +
        " FROM tenancy.list_runs($1, $2)";
    return detail::read_all(control_.exec(sql, arguments{}.id(of).number(at_most)), [](row_reader& row) {
        return agent_run{row.id<agent_run_id>(),
                         row.id<tenant_id>(),
                         row.maybe_id<agent_id>(),
                         row.maybe_id<agent_session_id>(),
                         row.text(),
                         row.text(),
                         row.maybe_text(),
                         row.maybe_text(),
                         row.maybe_text(),
                         row.maybe_text(),
                         row.maybe_text(),
                         row.maybe_number<int>(),
                         row.maybe_number<int>(),
                         row.time(),
                         row.maybe_time()};
    });
}

} // namespace tenancy
