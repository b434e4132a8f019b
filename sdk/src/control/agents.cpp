#include "tenancy/control/agents.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

namespace {

std::string columns(const std::string& from = "") {
    std::string list;
    for (const char* name :
         {"id", "tenant_id", "name", "system_prompt", "model_provider", "model_name", "temperature"})
        list += from + name + ", ";
    return list + detail::list(from + "enabled_tools") + ", " + from + "tool_config, " + from +
           "is_active, " + from + "is_default, " + from + "settings, " + detail::micros(from + "created_at") +
           ", " + detail::micros(from + "updated_at");
}

agent read(row_reader& row) {
    return {row.id<agent_id>(),
            row.id<tenant_id>(),
            row.text(),
            row.maybe_text(),
            row.maybe_text(),
            row.maybe_text(),
            row.maybe_number<double>(),
            row.texts(),
            row.text(),
            row.boolean(),
            row.boolean(),
            row.text(),
            row.time(),
            row.time()};
}

nlohmann::json parsed(const std::string& text, const char* what) {
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error&) {
        throw std::invalid_argument{std::string{what} + " is not JSON"};
    }
}

// The names of the members are those of the columns, the same for all that is a plain value.
std::string changes_text(const agent_changes& changes) {
    auto object = nlohmann::json::object();
    for (const auto& name : changes.clear)
        object[name] = nullptr;
    const auto put = [&](const char* name, const auto& value) {
        if (value)
            object[name] = *value;
    };
    put("name", changes.name);
    put("system_prompt", changes.system_prompt);
    put("model_provider", changes.model_provider);
    put("model_name", changes.model_name);
    put("temperature", changes.temperature);
    put("enabled_tools", changes.enabled_tools);
    put("is_active", changes.is_active);
    if (changes.tool_config)
        object["tool_config"] = parsed(*changes.tool_config, "tool_config");
    if (changes.settings)
        object["settings"] = parsed(*changes.settings, "settings");
    return object.dump();
}

} // namespace

agent_id agents::create(const tenant_id& in, const new_agent& what) const {
    const auto rows = control_.exec("SELECT tenancy.create_agent($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                                    arguments{}
                                        .id(in)
                                        .text(what.name)
                                        .text(what.system_prompt)
                                        .text(what.model_provider)
                                        .text(what.model_name)
                                        .number(what.temperature)
                                        .texts(what.enabled_tools)
                                        .text(what.tool_config)
                                        .boolean(what.is_active)
                                        .text(what.settings));
    return agent_id{rows[0][0].c_str()};
}

std::vector<agent> agents::list(const std::optional<tenant_id>& of) const {
    return detail::read_all(
        control_.exec("SELECT " + columns() + " FROM tenancy.list_agents($1)", arguments{}.id(of)), read);
}

agent agents::get(const agent_id& which) const {
    const auto rows =
        control_.exec("SELECT " + columns() + " FROM tenancy.get_agent($1)", arguments{}.id(which));
    row_reader row{rows, 0};
    return read(row);
}

agent agents::update(const agent_id& which, const agent_changes& changes) const {
    const auto rows = control_.exec("SELECT " + columns() + " FROM tenancy.update_agent($1, $2)",
                                    arguments{}.id(which).text(changes_text(changes)));
    row_reader row{rows, 0};
    return read(row);
}

void agents::set_default(const agent_id& which) const {
    control_.exec("SELECT tenancy.set_default_agent($1)", arguments{}.id(which));
}

void agents::remove(const agent_id& which) const {
    control_.exec("SELECT tenancy.delete_agent($1)", arguments{}.id(which));
}

resolved_agent agents::resolve(const std::optional<agent_id>& asked_for,
                               const std::optional<agent_session_id>& session) const {
    const auto rows = control_.exec("SELECT r.source, " + columns("(r.resolved).") +
                                        " FROM tenancy.resolve_agent($1, $2) AS r",
                                    arguments{}.id(asked_for).id(session));
    row_reader row{rows, 0};
    std::string source = row.text();
    return {std::move(source), read(row)};
}

std::string agents::graph_namespace() const {
    return control_.exec("SELECT tenancy.graph_namespace()", arguments{})[0][0].c_str();
}

} // namespace tenancy
