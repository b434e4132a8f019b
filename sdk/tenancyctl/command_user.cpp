#include <stdexcept>

#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

struct user_arguments {
    std::string who, email, name, issuer, subject, plan = "free";
    tenancy::user_changes changes;
    int count = 1000;
};

json user_json(const tenancy::user& u) {
    return {{"id", u.id.to_string()},
            {"email", maybe(u.email)},
            {"name", maybe(u.name)},
            {"status", u.status},
            {"current_tenant", maybe(u.current_tenant)},
            {"settings", parsed(u.settings)},
            {"created_at", tenancy::to_string(u.created_at)},
            {"updated_at", tenancy::to_string(u.updated_at)}};
}

void who_option(CLI::App* c, user_arguments& a) {
    c->add_option("user", a.who, "id or e-mail address")->required();
}

void identity_options(CLI::App* c, user_arguments& a, bool required) {
    auto* issuer = c->add_option("--issuer", a.issuer, "`iss` of an identity provider's tokens");
    auto* subject = c->add_option("--subject", a.subject, "`sub` of its tokens for this user");
    issuer->needs(subject)->required(required);
    subject->needs(issuer)->required(required);
}

// Commands that do one thing to a user and say so.
template <class F>
void add_change(CLI::App* group, const context& ctx, action& chosen, const char* name,
                const char* description, const char* done, F change) {
    add_command<user_arguments>(
        group, name, description, chosen, who_option, [&ctx, done, change](const user_arguments& a) {
            const auto id = operate(ctx, [&](const tenancy::control& c) {
                const auto found = user_named(c, a.who);
                change(tenancy::users{c}, found);
                return found;
            });
            print_done(ctx, {{"user", id.to_string()}, {"done", done}}, "user " + a.who + " is " + done);
        });
}

} // namespace

void add_user_commands(CLI::App& app, const context& ctx, action& chosen) {
    auto* user = add_group(app, "user", "people. For operators (grant_control_plane).");
    add_command<user_arguments>(
        user, "register", "make a user with an organization and a tenant of their own", chosen,
        [](CLI::App* c, user_arguments& a) {
            c->add_option("email", a.email, "e-mail address; unique, whatever its case");
            c->add_option("--name", a.name, "name for people");
            c->add_option("--plan", a.plan, "of the organization")->capture_default_str();
            identity_options(c, a, false);
        },
        [&ctx](const user_arguments& a) {
            tenancy::new_user who;
            who.email = given(a.email);
            who.name = given(a.name);
            who.plan = a.plan;
            if (!a.issuer.empty())
                who.identity = tenancy::identity{a.issuer, a.subject};
            const auto made =
                operate(ctx, [&](const tenancy::control& c) { return tenancy::users{c}.register_user(who); });
            print_record(ctx, {{"user", made.user.to_string()},
                               {"organization", made.organization.to_string()},
                               {"tenant", made.tenant.to_string()}});
        });
    add_command<user_arguments>(
        user, "list", "list users in the order in which they were made", chosen,
        [](CLI::App* c, user_arguments& a) {
            c->add_option("--after", a.who, "go on after this one (id)");
            c->add_option("-k,--count", a.count, "at most so many")->capture_default_str();
        },
        [&ctx](const user_arguments& a) {
            json list = json::array();
            for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                     return tenancy::users{c}.list(
                         a.who.empty() ? std::nullopt : std::optional{tenancy::user_id{a.who}}, a.count);
                 }))
                list.push_back(user_json(each));
            print_list(ctx, list, {{"id", "id"}, {"email", "email"}, {"status", "status"}, {"name", "name"}});
        });
    add_command<user_arguments>(
        user, "show", "show one user", chosen, who_option, [&ctx](const user_arguments& a) {
            const auto found = operate(
                ctx, [&](const tenancy::control& c) { return tenancy::users{c}.get(user_named(c, a.who)); });
            if (!found)
                throw std::runtime_error{"user " + one_line(a.who, 80) + " does not exist"};
            print_record(ctx, user_json(*found));
        });
    add_command<user_arguments>(
        user, "tenants", "list the tenants that a user may enter", chosen, who_option,
        [&ctx](const user_arguments& a) {
            json list = json::array();
            for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                     return tenancy::tenants{c}.of_user(user_named(c, a.who));
                 }))
                list.push_back({{"id", each.id.to_string()},
                                {"slug", each.slug},
                                {"name", each.name},
                                {"status", each.status},
                                {"role", each.role},
                                {"organization",
                                 {{"id", each.organization.to_string()}, {"slug", each.organization_slug}}},
                                {"is_current", each.is_current}});
            print_list(ctx, list,
                       {{"id", "id"},
                        {"slug", "slug"},
                        {"status", "status"},
                        {"role", "role"},
                        {"is_current", "current"},
                        {"name", "name"}});
        });
    add_command<user_arguments>(
        user, "update", "change what is given of a user", chosen,
        [](CLI::App* c, user_arguments& a) {
            who_option(c, a);
            c->add_option("--name", a.changes.name, "another name for people");
            c->add_option("--email", a.changes.email, "another e-mail address");
            c->add_option("--settings", a.changes.settings, "a JSON object");
        },
        [&ctx](const user_arguments& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::users{c}.update(user_named(c, a.who), a.changes);
            });
            print_done(ctx, {{"user", a.who}, {"done", "updated"}}, "user " + a.who + " is updated");
        });
    add_change(user, ctx, chosen, "deactivate", "let a user enter nowhere", "deactivated",
               [](const tenancy::users& calls, const tenancy::user_id& id) { calls.deactivate(id); });
    add_change(user, ctx, chosen, "reactivate", "take that back", "active",
               [](const tenancy::users& calls, const tenancy::user_id& id) { calls.reactivate(id); });
    add_command<user_arguments>(
        user, "link", "let a user be known by an identity provider's tokens", chosen,
        [](CLI::App* c, user_arguments& a) {
            who_option(c, a);
            identity_options(c, a, true);
        },
        [&ctx](const user_arguments& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::users{c}.link_identity(user_named(c, a.who), {a.issuer, a.subject});
            });
            print_done(ctx, {{"user", a.who}, {"issuer", a.issuer}, {"subject", a.subject}},
                       "user " + a.who + " is " + a.subject + " of " + a.issuer);
        });
    add_command<user_arguments>(
        user, "unlink", "take that back", chosen,
        [](CLI::App* c, user_arguments& a) { identity_options(c, a, true); },
        [&ctx](const user_arguments& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::users{c}.unlink_identity({a.issuer, a.subject});
            });
            print_done(ctx, {{"issuer", a.issuer}, {"subject", a.subject}},
                       a.subject + " of " + a.issuer + " is nobody");
        });
}

} // namespace tenancyctl
