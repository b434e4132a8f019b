#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tenancyctl/context.hpp"

// What the commands of the control plane share. They act as an operator: in a bare transaction of the
// database role that --db and --role say.

namespace tenancyctl {

using json = nlohmann::ordered_json;

/// What the chosen command does; set while the command line is read and run afterwards.
using action = std::function<void()>;

void add_organization_commands(CLI::App* organization, const context& ctx, action& chosen);
void add_tenant_commands(CLI::App* tenant, const context& ctx, action& chosen);
void add_user_commands(CLI::App& app, const context& ctx, action& chosen);
void add_member_commands(CLI::App& app, const context& ctx, action& chosen);
void add_migrate_commands(CLI::App& app, const context& ctx, action& chosen);
void add_agent_commands(CLI::App& app, const context& ctx, action& chosen);
void add_key_commands(CLI::App& app, const context& ctx, action& chosen);
void add_usage_commands(CLI::App& app, const context& ctx, action& chosen);
void add_audit_commands(CLI::App& app, const context& ctx, action& chosen);
void add_doctor_command(CLI::App& app, const context& ctx, action& chosen);

/// Adds a group of commands.
CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& description);

/// Adds a command that calls a function with its arguments, which it owns.
template <class Arguments, class Options, class F>
CLI::App* add_command(CLI::App* group, const std::string& name, const std::string& description,
                      action& chosen, Options&& options, F run) {
    auto* command = group->add_subcommand(name, description);
    auto arguments = std::make_shared<Arguments>();
    options(command, *arguments);
    command->callback([&chosen, arguments, run] { chosen = [arguments, run] { run(*arguments); }; });
    return command;
}

/// Runs a function of a tenancy::control in a transaction and commits.
/** @return what @a f returned, known to be committed */
template <class F>
auto operate(const context& ctx, F f) {
    tenancy::connection c{ctx.conninfo};
    return c.translating([&] {
        pqxx::work tx{c.native()};
        const tenancy::control calls{c, tx};
        if constexpr (std::is_void_v<decltype(f(calls))>) {
            f(calls);
            tx.commit();
        } else {
            auto result = f(calls);
            tx.commit();
            return result;
        }
    });
}

/// The id of the tenant that was named by id or slug.
/** @throws tenancy::tenant_unavailable if there is none of that slug */
tenancy::tenant_id tenant_named(const tenancy::control& calls, const std::string& name);
/// A tenant as the SDK wants it named.
tenancy::tenant_reference tenant_reference_of(const std::string& name);
/// An organization as the SDK wants it named.
tenancy::organization_reference organization_reference_of(const std::string& name);
/// The user that was named by id or e-mail address.
/** @throws std::runtime_error if there is none of that address */
tenancy::user_id user_named(const tenancy::control& calls, const std::string& name);

/// A column of a table: which member of each object, under which heading.
struct column {
    const char* member;
    const char* heading;
};

/// Prints objects, as JSON or as a table of some of their members.
void print_list(const context& ctx, const json& list, const std::vector<column>& columns);
/// Prints an object, as JSON or one member a line.
void print_record(const context& ctx, const json& record);
/// Says what was done, unless asked to be quiet; as JSON prints the object instead.
void print_done(const context& ctx, const json& record, const std::string& sentence);

/// A value that may be missing, as JSON.
template <class T>
json maybe(const std::optional<T>& value) {
    return value ? json(*value) : json();
}
template <class Tag>
json maybe(const std::optional<tenancy::basic_id<Tag>>& value) {
    return value ? json(value->to_string()) : json();
}
json maybe(const std::optional<tenancy::timestamp>& value);
/// JSON that came as text.
json parsed(const std::optional<std::string>& text);
/// Nothing for what was not given on the command line.
std::optional<std::string> given(const std::string& text);

} // namespace tenancyctl
