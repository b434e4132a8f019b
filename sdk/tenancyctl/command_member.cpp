#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

struct member_arguments {
    std::string tenant, user, role, email;
    int days = 7;
};

void tenant_option(CLI::App* c, member_arguments& a) {
    c->add_option("tenant", a.tenant, "id or slug")->required();
}

void user_options(CLI::App* c, member_arguments& a) {
    tenant_option(c, a);
    c->add_option("user", a.user, "id or e-mail address")->required();
}

void role_options(CLI::App* c, member_arguments& a) {
    user_options(c, a);
    c->add_option("role", a.role, "admin, editor, viewer or a role of the tenant's own")->required();
}

template <class F>
void change(const context& ctx, const member_arguments& a, const std::string& sentence, F f) {
    operate(ctx, [&](const tenancy::control& c) {
        f(tenancy::members{c}, tenant_named(c, a.tenant), user_named(c, a.user));
    });
    json record{{"tenant", a.tenant}, {"user", a.user}};
    record["role"] = maybe(given(a.role));
    print_done(ctx, record, sentence);
}

} // namespace

void add_member_commands(CLI::App& app, const context& ctx, action& chosen) {
    auto* member = add_group(app, "member", "users in a tenant. For operators.");
    add_command<member_arguments>(member, "list", "list the members of a tenant", chosen, tenant_option,
                                  [&ctx](const member_arguments& a) {
                                      json list = json::array();
                                      for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                                               return tenancy::members{c}.list(tenant_named(c, a.tenant));
                                           }))
                                          list.push_back(
                                              {{"user", each.user.to_string()},
                                               {"email", maybe(each.email)},
                                               {"name", maybe(each.name)},
                                               {"role", each.role},
                                               {"status", each.status},
                                               {"is_creator", each.is_creator},
                                               {"created_by", maybe(each.created_by)},
                                               {"created_at", tenancy::to_string(each.created_at)}});
                                      print_list(ctx, list,
                                                 {{"user", "user"},
                                                  {"email", "email"},
                                                  {"role", "role"},
                                                  {"status", "status"},
                                                  {"is_creator", "creator"},
                                                  {"name", "name"}});
                                  });
    add_command<member_arguments>(member, "add", "make a user a member", chosen, role_options,
                                  [&ctx](const member_arguments& a) {
                                      change(ctx, a, a.user + " is " + a.role + " of " + a.tenant,
                                             [&](const auto& calls, const auto& tenant, const auto& user) {
                                                 calls.add(tenant, user, a.role);
                                             });
                                  });
    add_command<member_arguments>(member, "role", "give a member another role", chosen, role_options,
                                  [&ctx](const member_arguments& a) {
                                      change(ctx, a, a.user + " is " + a.role + " of " + a.tenant,
                                             [&](const auto& calls, const auto& tenant, const auto& user) {
                                                 calls.change_role(tenant, user, a.role);
                                             });
                                  });
    add_command<member_arguments>(member, "remove", "end a membership", chosen, user_options,
                                  [&ctx](const member_arguments& a) {
                                      change(ctx, a, a.user + " is no member of " + a.tenant,
                                             [&](const auto& calls, const auto& tenant, const auto& user) {
                                                 calls.remove(tenant, user);
                                             });
                                  });
    add_command<member_arguments>(member, "roles", "list the roles of a tenant", chosen, tenant_option,
                                  [&ctx](const member_arguments& a) {
                                      json list = json::array();
                                      for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                                               return tenancy::roles{c}.list(tenant_named(c, a.tenant));
                                           }))
                                          list.push_back({{"name", each.name},
                                                          {"rank", each.rank},
                                                          {"is_builtin", each.is_builtin},
                                                          {"members", each.members},
                                                          {"permissions", each.permissions}});
                                      print_list(ctx, list,
                                                 {{"name", "role"},
                                                  {"rank", "rank"},
                                                  {"is_builtin", "built in"},
                                                  {"members", "members"},
                                                  {"permissions", "permissions"}});
                                  });
    add_command<member_arguments>(
        member, "invite", "invite an e-mail address and print the token", chosen,
        [](CLI::App* c, member_arguments& a) {
            tenant_option(c, a);
            c->add_option("email", a.email)->required();
            c->add_option("role", a.role, "admin, editor, viewer or a role of the tenant's own")->required();
            c->add_option("--days", a.days, "how long it is valid")
                ->check(CLI::Range(1, 365))
                ->capture_default_str();
        },
        [&ctx](const member_arguments& a) {
            const auto token = operate(ctx, [&](const tenancy::control& c) {
                return tenancy::invitations{c}.create(tenant_named(c, a.tenant), a.email, a.role,
                                                      std::chrono::hours{24 * a.days});
            });
            if (ctx.json)
                print_record(ctx, {{"email", a.email}, {"role", a.role}, {"token", token}});
            else
                std::cout << token << "\n"; // whole, also when it is piped on
        });
}

} // namespace tenancyctl
