#include <cstdio>
#include <iostream>

#include <nlohmann/json.hpp>

#include "tenancyctl/commands.hpp"

namespace tenancyctl {

namespace {

using json = nlohmann::ordered_json;

constexpr const char* columns = "id, slug, name, status, organization_id, organization_slug, external_key, "
                                "settings, created_at, updated_at";

json field(const pqxx::result& rows, int row, int column) {
    return rows[row][column].is_null() ? json() : json(rows[row][column].c_str());
}

json tenant_json(const pqxx::result& rows, int row) {
    json settings = json::parse(rows[row][7].is_null() ? "{}" : rows[row][7].c_str(), nullptr, false);
    return {{"id", field(rows, row, 0)},
            {"slug", field(rows, row, 1)},
            {"name", field(rows, row, 2)},
            {"status", field(rows, row, 3)},
            {"organization", {{"id", field(rows, row, 4)}, {"slug", field(rows, row, 5)}}},
            {"external_key", field(rows, row, 6)},
            {"settings", std::move(settings)},
            {"created_at", field(rows, row, 8)},
            {"updated_at", field(rows, row, 9)}};
}

pqxx::result query(const context& ctx, const std::string& sql, const pqxx::params& parameters) {
    tenancy::connection c{ctx.conninfo};
    return c.translating([&] {
        pqxx::nontransaction tx{c.native()};
        return tenancy::detail::exec_params(tx, sql, parameters);
    });
}

std::optional<std::string> optional(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>{text};
}

} // namespace

void organization_create(const context& ctx, const organization_create_arguments& arguments) {
    pqxx::params parameters;
    parameters.append(arguments.slug);
    parameters.append(optional(arguments.name));
    const auto rows = query(ctx, "SELECT tenancy.create_organization($1, $2)", parameters);
    if (ctx.json)
        std::cout << json{{"id", rows[0][0].c_str()}, {"slug", arguments.slug}}.dump(2) << "\n";
    else if (!ctx.quiet)
        std::cout << "organization " << arguments.slug << " has id " << rows[0][0].c_str() << "\n";
}

void tenant_create(const context& ctx, const tenant_create_arguments& arguments) {
    pqxx::params parameters;
    parameters.append(arguments.slug);
    parameters.append(optional(arguments.name));
    parameters.append(optional(arguments.organization));
    parameters.append(optional(arguments.external_key));
    parameters.append(arguments.settings);
    const auto rows = query(ctx, "SELECT tenancy.create_tenant($1, $2, $3, $4, $5)", parameters);
    if (ctx.json)
        std::cout << json{{"id", rows[0][0].c_str()}, {"slug", arguments.slug}}.dump(2) << "\n";
    else if (!ctx.quiet)
        std::cout << "tenant " << arguments.slug << " has id " << rows[0][0].c_str() << "\n";
}

void tenant_list(const context& ctx, const std::string& organization) {
    pqxx::params parameters;
    parameters.append(optional(organization));
    const auto rows = query(ctx,
                            std::string{"SELECT "} + columns +
                                " FROM tenancy.list_tenants($1) ORDER BY organization_slug, slug",
                            parameters);
    const int count = static_cast<int>(rows.size());
    if (ctx.json) {
        json list = json::array();
        for (int i = 0; i < count; ++i)
            list.push_back(tenant_json(rows, i));
        std::cout << list.dump(2) << "\n";
        return;
    }
    std::printf("%-36s  %-20s  %-20s  %-9s  %s\n", "id", "slug", "organization", "status", "name");
    for (int i = 0; i < count; ++i)
        std::printf("%-36s  %-20s  %-20s  %-9s  %s\n", rows[i][0].c_str(),
                    one_line(rows[i][1].c_str(), 60).c_str(), one_line(rows[i][5].c_str(), 60).c_str(),
                    rows[i][3].c_str(), one_line(rows[i][2].c_str(), 80).c_str());
}

void tenant_show(const context& ctx, const std::string& tenant) {
    pqxx::params parameters;
    parameters.append(tenant);
    const auto rows =
        query(ctx, std::string{"SELECT "} + columns + " FROM tenancy.get_tenant($1)", parameters);
    if (rows.empty()) {
        const tenancy::diagnostics info{"TN002", "tenant is not available", "",
                                        "See `tenancyctl tenant list`."};
        throw tenancy::tenant_unavailable{info.message, "", info};
    }
    if (ctx.json) {
        std::cout << tenant_json(rows, 0).dump(2) << "\n";
        return;
    }
    const char* labels[] = {"id",           "slug",         "name",     "status",     "organization id",
                            "organization", "external key", "settings", "created at", "updated at"};
    for (int i = 0; i < 10; ++i)
        std::printf("%-16s %s\n", labels[i],
                    rows[0][i].is_null() ? "-" : one_line(rows[0][i].c_str(), 400).c_str());
}

} // namespace tenancyctl
