#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

struct agent_arguments {
    std::string tenant, agent;
    tenancy::new_agent made;
    tenancy::agent_changes changes;
    bool inactive = false;
};

json agent_json(const tenancy::agent& a) {
    return {{"id", a.id.to_string()},
            {"tenant", a.tenant.to_string()},
            {"name", a.name},
            {"system_prompt", maybe(a.system_prompt)},
            {"model_provider", maybe(a.model_provider)},
            {"model_name", maybe(a.model_name)},
            {"temperature", maybe(a.temperature)},
            {"enabled_tools", a.enabled_tools},
            {"tool_config", parsed(a.tool_config)},
            {"is_active", a.is_active},
            {"is_default", a.is_default},
            {"settings", parsed(a.settings)},
            {"created_at", tenancy::to_string(a.created_at)},
            {"updated_at", tenancy::to_string(a.updated_at)}};
}

void agent_option(CLI::App* c, agent_arguments& a) {
    c->add_option("agent", a.agent, "id")->required();
}

// What making and changing an agent have in common.
template <class Fields>
void field_options(CLI::App* c, Fields& fields) {
    c->add_option("--system-prompt", fields.system_prompt);
    c->add_option("--model-provider", fields.model_provider);
    c->add_option("--model", fields.model_name);
    c->add_option("--temperature", fields.temperature, "0 to 2")->check(CLI::Range(0.0, 2.0));
    c->add_option("--tool", fields.enabled_tools, "a tool that it may call; may be repeated");
    c->add_option("--tool-config", fields.tool_config, "a JSON object with a member for each tool");
    c->add_option("--settings", fields.settings, "a JSON object");
}

} // namespace

void add_agent_commands(CLI::App& app, const context& ctx, action& chosen) {
    auto* agent = add_group(app, "agent", "how a tenant's documents are talked to. For operators.");
    add_command<agent_arguments>(
        agent, "list", "list the agents of a tenant", chosen,
        [](CLI::App* c, agent_arguments& a) { c->add_option("tenant", a.tenant, "id or slug")->required(); },
        [&ctx](const agent_arguments& a) {
            json list = json::array();
            for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                     return tenancy::agents{c}.list(tenant_named(c, a.tenant));
                 }))
                list.push_back(agent_json(each));
            print_list(ctx, list,
                       {{"id", "id"},
                        {"name", "name"},
                        {"model_provider", "provider"},
                        {"model_name", "model"},
                        {"temperature", "temperature"},
                        {"is_active", "active"},
                        {"is_default", "default"},
                        {"enabled_tools", "tools"}});
        });
    add_command<agent_arguments>(
        agent, "create", "make an agent and print its id", chosen,
        [](CLI::App* c, agent_arguments& a) {
            c->add_option("tenant", a.tenant, "id or slug")->required();
            c->add_option("name", a.made.name, "unique in the tenant")->required();
            field_options(c, a.made);
            c->add_flag("--inactive", a.inactive, "it is not resolved to until it is active");
        },
        [&ctx](const agent_arguments& a) {
            auto what = a.made;
            what.is_active = !a.inactive;
            const auto id = operate(ctx, [&](const tenancy::control& c) {
                return tenancy::agents{c}.create(tenant_named(c, a.tenant), what);
            });
            print_done(ctx, {{"id", id.to_string()}, {"name", what.name}},
                       "agent " + what.name + " has id " + id.to_string());
        });
    add_command<agent_arguments>(
        agent, "show", "show one agent", chosen, agent_option, [&ctx](const agent_arguments& a) {
            const tenancy::agent_id id{a.agent};
            print_record(ctx, agent_json(operate(ctx, [&](const tenancy::control& c) {
                             return tenancy::agents{c}.get(id);
                         })));
        });
    add_command<agent_arguments>(
        agent, "update", "change what is given of an agent and show it", chosen,
        [](CLI::App* c, agent_arguments& a) {
            agent_option(c, a);
            c->add_option("--name", a.changes.name, "unique in the tenant");
            field_options(c, a.changes);
            c->add_option("--active", a.changes.is_active, "true or false");
            c->add_option("--clear", a.changes.clear, "have no value from now on; may be repeated")
                ->check(CLI::IsMember({"system_prompt", "model_provider", "model_name", "temperature"}));
        },
        [&ctx](const agent_arguments& a) {
            const tenancy::agent_id id{a.agent};
            print_record(ctx, agent_json(operate(ctx, [&](const tenancy::control& c) {
                             return tenancy::agents{c}.update(id, a.changes);
                         })));
        });
    add_command<agent_arguments>(
        agent, "default", "make an agent its tenant's default", chosen, agent_option,
        [&ctx](const agent_arguments& a) {
            const tenancy::agent_id id{a.agent};
            operate(ctx, [&](const tenancy::control& c) { tenancy::agents{c}.set_default(id); });
            print_done(ctx, {{"id", a.agent}, {"done", "default"}}, "agent " + a.agent + " is the default");
        });
    add_command<agent_arguments>(
        agent, "delete", "delete an agent with its conversations", chosen, agent_option,
        [&ctx](const agent_arguments& a) {
            const tenancy::agent_id id{a.agent};
            operate(ctx, [&](const tenancy::control& c) { tenancy::agents{c}.remove(id); });
            print_done(ctx, {{"id", a.agent}, {"done", "deleted"}}, "agent " + a.agent + " is deleted");
        });
}

} // namespace tenancyctl
