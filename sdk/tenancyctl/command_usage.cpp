#include <stdexcept>

#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

struct usage_arguments {
    std::string tenant, organization, metric, maximum;
    std::int64_t amount = 1;
    std::optional<std::string> since, until;
};

tenancy::organization_id organization_named(const tenancy::control& calls, const std::string& name) {
    if (const auto id = tenancy::organization_id::parse(name))
        return *id;
    if (const auto found = tenancy::organizations{calls}.get(tenancy::organization_slug{name}))
        return found->id;
    throw std::runtime_error{"organization " + one_line(name, 80) + " does not exist"};
}

std::optional<std::int64_t> maximum_of(const std::string& text) {
    if (text == "none")
        return std::nullopt;
    std::size_t end = 0;
    std::int64_t number = 0;
    try {
        number = std::stoll(text, &end);
    } catch (const std::logic_error&) {
        end = 0;
    }
    if (end != text.size() || text.empty())
        throw std::invalid_argument{"a limit is a number or `none`, not " + one_line(text, 40)};
    return number;
}

void whose_options(CLI::App* c, usage_arguments& a) {
    auto* whose = c->add_option_group("whose");
    whose->add_option("--tenant", a.tenant, "id or slug");
    whose->add_option("--organization", a.organization, "id or slug");
    whose->require_option(1);
}

// Calls a function with the tenant or the organization that was named.
template <class F>
auto for_whom(const tenancy::control& c, const usage_arguments& a, F f) {
    return a.tenant.empty() ? f(organization_named(c, a.organization)) : f(tenant_named(c, a.tenant));
}

} // namespace

void add_usage_commands(CLI::App& app, const context& ctx, action& chosen) {
    auto* usage = add_group(app, "usage", "what is used, and the limits of it. For operators.");
    add_command<usage_arguments>(
        usage, "report", "what was used in each month (UTC), for billing", chosen,
        [](CLI::App* c, usage_arguments& a) {
            c->add_option("--tenant", a.tenant, "only of this tenant (id or slug)");
            c->add_option("--organization", a.organization, "only of this organization (id or slug)");
            c->add_option("--since", a.since, "first month, as a day of it, such as 2026-01-01");
            c->add_option("--until", a.until, "last month, as a day of it");
        },
        [&ctx](const usage_arguments& a) {
            json list = json::array();
            for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                     tenancy::usage_query query;
                     query.since = a.since;
                     query.until = a.until;
                     if (!a.tenant.empty())
                         query.tenant = tenant_named(c, a.tenant);
                     if (!a.organization.empty())
                         query.organization = organization_named(c, a.organization);
                     return tenancy::usage{c}.report(query);
                 }))
                list.push_back({{"month", each.month},
                                {"organization", maybe(each.organization)},
                                {"tenant", maybe(each.tenant)},
                                {"tenant_slug", maybe(each.tenant_slug)},
                                {"metric", each.metric},
                                {"amount", each.amount}});
            print_list(ctx, list,
                       {{"month", "month"},
                        {"tenant", "tenant"},
                        {"tenant_slug", "slug"},
                        {"metric", "metric"},
                        {"amount", "amount"}});
        });
    add_command<usage_arguments>(
        usage, "limits", "what a tenant may use, has used and has left", chosen,
        [](CLI::App* c, usage_arguments& a) { c->add_option("tenant", a.tenant, "id or slug")->required(); },
        [&ctx](const usage_arguments& a) {
            json list = json::array();
            for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                     return tenancy::usage{c}.limits(tenant_named(c, a.tenant));
                 }))
                list.push_back({{"metric", each.metric},
                                {"kind", each.kind},
                                {"scope", each.scope},
                                {"max_amount", maybe(each.max_amount)},
                                {"used", each.used},
                                {"remaining", maybe(each.remaining)},
                                {"resets_at", maybe(each.resets_at)}});
            print_list(ctx, list,
                       {{"metric", "metric"},
                        {"kind", "kind"},
                        {"scope", "of the"},
                        {"max_amount", "limit"},
                        {"used", "used"},
                        {"remaining", "left"},
                        {"resets_at", "begins anew"}});
        });
    add_command<usage_arguments>(
        usage, "record", "count usage of a tenant", chosen,
        [](CLI::App* c, usage_arguments& a) {
            c->add_option("tenant", a.tenant, "id or slug")->required();
            c->add_option("metric", a.metric)->required();
            c->add_option("amount", a.amount)->capture_default_str();
        },
        [&ctx](const usage_arguments& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::usage{c}.record(a.metric, a.amount, tenant_named(c, a.tenant));
            });
            print_done(ctx, {{"tenant", a.tenant}, {"metric", a.metric}, {"amount", a.amount}},
                       std::to_string(a.amount) + " of " + a.metric + " are counted");
        });
    add_command<usage_arguments>(
        usage, "set-limit", "make an exception from the plan", chosen,
        [](CLI::App* c, usage_arguments& a) {
            c->add_option("metric", a.metric)->required();
            c->add_option("limit", a.maximum, "a number, or none")->required();
            whose_options(c, a);
        },
        [&ctx](const usage_arguments& a) {
            const auto maximum = maximum_of(a.maximum);
            operate(ctx, [&](const tenancy::control& c) {
                for_whom(c, a, [&](const auto& id) { tenancy::usage{c}.set_limit(a.metric, maximum, id); });
            });
            print_done(ctx, {{"metric", a.metric}, {"max_amount", maybe(maximum)}},
                       "the limit of " + a.metric + " is " + a.maximum);
        });
    add_command<usage_arguments>(
        usage, "drop-limit", "take an exception back, so that the plan holds again", chosen,
        [](CLI::App* c, usage_arguments& a) {
            c->add_option("metric", a.metric)->required();
            whose_options(c, a);
        },
        [&ctx](const usage_arguments& a) {
            const bool found = operate(ctx, [&](const tenancy::control& c) {
                return for_whom(c, a,
                                [&](const auto& id) { return tenancy::usage{c}.drop_limit(a.metric, id); });
            });
            print_done(ctx, {{"metric", a.metric}, {"dropped", found}},
                       found ? "the plan's limit of " + a.metric + " holds again" : "there was no exception");
        });
    add_command<usage_arguments>(
        usage, "plans", "list plans and their limits", chosen, [](CLI::App*, usage_arguments&) {},
        [&ctx](const usage_arguments&) {
            json list = json::array();
            for (const auto& each :
                 operate(ctx, [](const tenancy::control& c) { return tenancy::plans{c}.list(); }))
                list.push_back({{"plan", each.plan},
                                {"metric", maybe(each.metric)},
                                {"max_amount", maybe(each.max_amount)},
                                {"description", each.description}});
            print_list(ctx, list,
                       {{"plan", "plan"},
                        {"metric", "metric"},
                        {"max_amount", "limit"},
                        {"description", "description"}});
        });
}

} // namespace tenancyctl
