#include <iostream>

#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

struct named {
    std::string name, value;
};

struct update_arguments {
    std::string which;
    tenancy::organization_changes organization;
    tenancy::tenant_changes tenant;
};

json organization_json(const tenancy::organization& o) {
    return {{"id", o.id.to_string()},
            {"slug", o.slug},
            {"name", o.name},
            {"status", o.status},
            {"plan", o.plan},
            {"tenants", o.tenants},
            {"contact", parsed(o.contact)},
            {"settings", parsed(o.settings)},
            {"created_by", maybe(o.created_by)},
            {"created_at", tenancy::to_string(o.created_at)},
            {"updated_at", tenancy::to_string(o.updated_at)}};
}

// suspend, resume, delete and restore differ only in what they call.
void add_change(CLI::App* group, const context& ctx, action& chosen, const char* name,
                const char* description, const char* done,
                void (tenancy::tenants::*change)(const tenancy::tenant_reference&) const) {
    add_command<named>(
        group, name, description, chosen,
        [](CLI::App* c, named& a) { c->add_option("tenant", a.name, "id or slug")->required(); },
        [&ctx, done, change](const named& a) {
            operate(ctx, [&](const tenancy::control& calls) {
                (tenancy::tenants{calls}.*change)(tenant_reference_of(a.name));
            });
            print_done(ctx, {{"tenant", a.name}, {"done", done}}, "tenant " + a.name + " is " + done);
        });
}

} // namespace

void add_organization_commands(CLI::App* organization, const context& ctx, action& chosen) {
    add_command<named>(
        organization, "list", "list organizations", chosen, [](CLI::App*, named&) {},
        [&ctx](const named&) {
            json list = json::array();
            for (const auto& each :
                 operate(ctx, [](const tenancy::control& c) { return tenancy::organizations{c}.list(); }))
                list.push_back(organization_json(each));
            print_list(ctx, list,
                       {{"id", "id"},
                        {"slug", "slug"},
                        {"status", "status"},
                        {"plan", "plan"},
                        {"tenants", "tenants"},
                        {"name", "name"}});
        });
    add_command<named>(
        organization, "show", "show one organization", chosen,
        [](CLI::App* c, named& a) { c->add_option("organization", a.name, "id or slug")->required(); },
        [&ctx](const named& a) {
            const auto found = operate(ctx, [&](const tenancy::control& c) {
                return tenancy::organizations{c}.get(organization_reference_of(a.name));
            });
            if (!found)
                throw std::runtime_error{"organization " + one_line(a.name, 80) + " does not exist"};
            print_record(ctx, organization_json(*found));
        });
    add_command<update_arguments>(
        organization, "update", "change what is given of an organization", chosen,
        [](CLI::App* c, update_arguments& a) {
            c->add_option("organization", a.which, "id or slug")->required();
            c->add_option("--slug", a.organization.slug, "another slug");
            c->add_option("--name", a.organization.name, "another name for people");
            c->add_option("--contact", a.organization.contact, "a JSON object");
            c->add_option("--settings", a.organization.settings, "a JSON object");
            c->add_option("--status", a.organization.status, "active, suspended or deleted")
                ->check(CLI::IsMember({"active", "suspended", "deleted"}));
        },
        [&ctx](const update_arguments& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::organizations{c}.update(organization_reference_of(a.which), a.organization);
            });
            print_done(ctx, {{"organization", a.which}, {"done", "updated"}},
                       "organization " + a.which + " is updated");
        });
    add_command<named>(
        organization, "plan", "give an organization another plan; see `usage plans`", chosen,
        [](CLI::App* c, named& a) {
            c->add_option("organization", a.name, "id or slug")->required();
            c->add_option("plan", a.value)->required();
        },
        [&ctx](const named& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::organizations{c}.change_plan(organization_reference_of(a.name), a.value);
            });
            print_done(ctx, {{"organization", a.name}, {"plan", a.value}},
                       "organization " + a.name + " has plan " + a.value);
        });
}

void add_tenant_commands(CLI::App* tenant, const context& ctx, action& chosen) {
    add_command<update_arguments>(
        tenant, "update", "change what is given of a tenant", chosen,
        [](CLI::App* c, update_arguments& a) {
            c->add_option("tenant", a.which, "id or slug")->required();
            c->add_option("--slug", a.tenant.slug, "another slug");
            c->add_option("--name", a.tenant.name, "another name for people");
            c->add_option("--settings", a.tenant.settings, "a JSON object");
            c->add_option("--external-key", a.tenant.external_key, "your own key for it");
        },
        [&ctx](const update_arguments& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::tenants{c}.update(tenant_reference_of(a.which), a.tenant);
            });
            print_done(ctx, {{"tenant", a.which}, {"done", "updated"}}, "tenant " + a.which + " is updated");
        });
    add_change(tenant, ctx, chosen, "suspend", "let nobody enter until it is resumed", "suspended",
               &tenancy::tenants::suspend);
    add_change(tenant, ctx, chosen, "resume", "end a suspension", "active", &tenancy::tenants::resume);
    add_change(tenant, ctx, chosen, "delete", "let nobody enter; its rows stay until it is purged", "deleted",
               &tenancy::tenants::remove);
    add_change(tenant, ctx, chosen, "restore", "make a deleted tenant active again", "active",
               &tenancy::tenants::restore);
    struct purge_arguments {
        std::string which;
        int batch_rows = 10'000;
    };
    add_command<purge_arguments>(
        tenant, "purge", "delete a deleted tenant and all its rows for good", chosen,
        [](CLI::App* c, purge_arguments& a) {
            c->add_option("tenant", a.which, "id or slug")->required();
            c->add_option("--batch-rows", a.batch_rows, "at most so many rows in each transaction")
                ->check(CLI::Range(1, 1'000'000))
                ->capture_default_str();
        },
        [&ctx](const purge_arguments& a) {
            const auto id = operate(ctx, [&](const tenancy::control& c) { return tenant_named(c, a.which); });
            tenancy::connection c{ctx.conninfo};
            tenancy::purge_tenant(c, id, a.batch_rows);
            print_done(ctx, {{"tenant", id.to_string()}, {"done", "purged"}},
                       "tenant " + a.which + " is purged");
        });
    add_command<named>(
        tenant, "export", "print all rows of a tenant, a JSON object a line", chosen,
        [](CLI::App* c, named& a) { c->add_option("tenant", a.name, "id or slug")->required(); },
        [&ctx](const named& a) {
            operate(ctx, [&](const tenancy::control& calls) {
                tenancy::tenants{calls}.export_rows(tenant_reference_of(a.name), [](const auto& row) {
                    std::cout << R"({"relation":)" << json(row.relation).dump() << R"(,"row_number":)"
                              << row.row_number << R"(,"data":)" << row.data << "}\n";
                });
            });
        });
}

} // namespace tenancyctl
