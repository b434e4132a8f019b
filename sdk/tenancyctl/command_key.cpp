#include <chrono>
#include <iostream>

#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

struct key_arguments {
    std::string tenant, key;
    tenancy::new_api_key made;
    int expires_in_days = 0, overlap_minutes = 60;
};

// The key goes to standard output, alone on its line, so that it can be piped to where it is to be kept.
void print_key(const context& ctx, const tenancy::created_api_key& made) {
    if (ctx.json) {
        print_record(ctx, {{"id", made.id.to_string()}, {"api_key", made.text}});
        return;
    }
    if (!ctx.quiet)
        std::cerr << "API key " << made.id << "; it is shown this once only:\n";
    std::cout << made.text << "\n";
}

void key_option(CLI::App* c, key_arguments& a) {
    c->add_option("key", a.key, "the key's id, not the key itself")->required();
}

} // namespace

void add_key_commands(CLI::App& app, const context& ctx, action& chosen) {
    auto* key = add_group(app, "key", "API keys of a tenant. For operators.");
    add_command<key_arguments>(
        key, "create", "make an API key and print it", chosen,
        [](CLI::App* c, key_arguments& a) {
            c->add_option("tenant", a.tenant, "id or slug")->required();
            c->add_option("name", a.made.name, "for people")->required();
            c->add_option("--role", a.made.role, "admin, editor, viewer or a role of the tenant's own")
                ->capture_default_str();
            c->add_option("--scope", a.made.scopes,
                          "a permission; may be repeated (default: all of the role's)");
            c->add_option("--environment", a.made.environment)
                ->check(CLI::IsMember({"live", "test"}))
                ->capture_default_str();
            c->add_option("--expires-in-days", a.expires_in_days)->check(CLI::Range(1, 36500));
            c->add_option("--requests-per-minute", a.made.requests_per_minute, "rate limit");
        },
        [&ctx](const key_arguments& a) {
            auto what = a.made;
            if (a.expires_in_days != 0)
                what.expires_at = std::chrono::time_point_cast<std::chrono::microseconds>(
                    std::chrono::system_clock::now() + std::chrono::hours{24 * a.expires_in_days});
            print_key(ctx, operate(ctx, [&](const tenancy::control& c) {
                          return tenancy::api_keys{c}.create(tenant_named(c, a.tenant), what);
                      }));
        });
    add_command<key_arguments>(
        key, "list", "list the API keys of a tenant", chosen,
        [](CLI::App* c, key_arguments& a) { c->add_option("tenant", a.tenant, "id or slug")->required(); },
        [&ctx](const key_arguments& a) {
            json list = json::array();
            for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                     return tenancy::api_keys{c}.list(tenant_named(c, a.tenant));
                 }))
                list.push_back({{"id", each.id.to_string()},
                                {"short_id", each.short_id},
                                {"name", each.name},
                                {"environment", each.environment},
                                {"role", each.role},
                                {"scopes", each.scopes},
                                {"expires_at", maybe(each.expires_at)},
                                {"revoked_at", maybe(each.revoked_at)},
                                {"requests_per_minute", maybe(each.requests_per_minute)},
                                {"pepper_id", each.pepper_id},
                                {"created_by", maybe(each.created_by)},
                                {"created_at", tenancy::to_string(each.created_at)},
                                {"last_used_at", maybe(each.last_used_at)}});
            print_list(ctx, list,
                       {{"id", "id"},
                        {"short_id", "short id"},
                        {"environment", "env"},
                        {"role", "role"},
                        {"scopes", "scopes"},
                        {"expires_at", "expires"},
                        {"revoked_at", "revoked"},
                        {"last_used_at", "last used"},
                        {"name", "name"}});
        });
    add_command<key_arguments>(
        key, "revoke", "end an API key", chosen, key_option, [&ctx](const key_arguments& a) {
            const tenancy::api_key_id id{a.key};
            operate(ctx, [&](const tenancy::control& c) { tenancy::api_keys{c}.revoke(id); });
            print_done(ctx, {{"id", a.key}, {"done", "revoked"}}, "API key " + a.key + " is revoked");
        });
    add_command<key_arguments>(
        key, "rotate", "replace an API key by a new one with the same rights and print it", chosen,
        [](CLI::App* c, key_arguments& a) {
            key_option(c, a);
            c->add_option("--overlap-minutes", a.overlap_minutes, "how long the old one goes on working")
                ->check(CLI::Range(0, 525'600))
                ->capture_default_str();
        },
        [&ctx](const key_arguments& a) {
            const tenancy::api_key_id id{a.key};
            print_key(ctx, operate(ctx, [&](const tenancy::control& c) {
                          return tenancy::api_keys{c}.rotate(id, std::chrono::minutes{a.overlap_minutes});
                      }));
        });
}

} // namespace tenancyctl
