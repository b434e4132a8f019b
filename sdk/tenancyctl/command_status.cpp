#include <cstdio>
#include <iostream>

#include <nlohmann/json.hpp>

#include "tenancyctl/commands.hpp"

namespace tenancyctl {

namespace {

using json = nlohmann::ordered_json;

// Runs a query of its own; what the role may not see is null, not an end of it all.
json value_or_null(pqxx::connection& c, const std::string& sql) {
    try {
        pqxx::nontransaction tx{c};
        const auto rows = tx.exec(sql);
        return rows.empty() || rows[0][0].is_null() ? json()
                                                    : json::parse(rows[0][0].c_str(), nullptr, false);
    } catch (const pqxx::sql_error&) {
        if (!c.is_open())
            throw;
        return {};
    }
}

constexpr const char* server_sql =
    "SELECT json_build_object('version', current_setting('server_version'), 'database', current_database(), "
    "'role', current_user, 'superuser', r.rolsuper, 'bypasses_row_security', r.rolsuper OR r.rolbypassrls) "
    "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

constexpr const char* extension_sql =
    "SELECT json_build_object('installed', e.extversion, 'available', a.default_version, 'pgvector', "
    "(SELECT v.extversion FROM pg_catalog.pg_extension v WHERE v.extname = 'vector')) "
    "FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'tenancy' "
    "LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = 'tenancy'";

// Application roles are those that may call what the policies call; how far each is trusted shows in what
// else it may do.
constexpr const char* roles_sql =
    "SELECT coalesce(json_agg(json_build_object('role', r.rolname, 'trust', CASE "
    "WHEN has_parameter_privilege(r.oid, 'tenancy.tenant_id', 'SET') THEN 'pooled' "
    "WHEN has_function_privilege(r.oid, 'tenancy.set_tenant(uuid, boolean)', 'EXECUTE') THEN 'session' "
    "ELSE 'credential' END, 'bypasses_row_security', r.rolsuper OR r.rolbypassrls) ORDER BY r.rolname), "
    "'[]') "
    "FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) a, pg_catalog.pg_roles r "
    "WHERE p.oid = 'tenancy.current_tenant_id()'::regprocedure AND a.privilege_type = 'EXECUTE' "
    "AND r.oid = a.grantee AND a.grantee <> p.proowner";

constexpr const char* tenants_sql =
    "SELECT coalesce(json_object_agg(status, n), '{}') FROM "
    "(SELECT status, count(*) AS n FROM tenancy.list_tenants() GROUP BY status) AS counts";

constexpr const char* corpora_sql =
    "SELECT coalesce(json_agg(json_build_object('name', c.name, 'documents', c.documents::text, 'chunks', "
    "c.chunks::text, 'dimensions', c.dimensions, 'metric', c.metric) ORDER BY c.name), '[]') "
    "FROM tenancy.corpora c";

// Whoever sees rows of all tenants is told how many there are; for others the numbers would be an error for
// want of a tenant.
void add_counts(pqxx::connection& c, json& corpora) {
    for (auto& corpus : corpora) {
        corpus["document_count"] =
            value_or_null(c, "SELECT count(*) FROM " + corpus["documents"].get<std::string>());
        corpus["chunk_count"] =
            value_or_null(c, "SELECT count(*) FROM " + corpus["chunks"].get<std::string>());
    }
}

std::string text_of(const json& value) {
    if (value.is_null())
        return "-";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

void print(const json& report) {
    const auto& server = report["server"];
    const auto& extension = report["extension"];
    std::printf("server       PostgreSQL %s, database %s\n", text_of(server["version"]).c_str(),
                text_of(server["database"]).c_str());
    std::printf("role         %s%s\n", text_of(server["role"]).c_str(),
                server["bypasses_row_security"] == true ? " (bypasses row security: not for applications)"
                                                        : "");
    std::printf("extension    tenancy %s (available: %s), pgvector %s\n",
                text_of(extension["installed"]).c_str(), text_of(extension["available"]).c_str(),
                text_of(extension["pgvector"]).c_str());
    if (extension["installed"].is_null()) {
        std::printf("             not installed here: CREATE EXTENSION tenancy CASCADE;\n");
        return;
    }
    std::string roles;
    for (const auto& role : report["roles"])
        roles += (roles.empty() ? "" : ", ") + text_of(role["role"]) + " (" + text_of(role["trust"]) +
                 (role["bypasses_row_security"] == true ? ", BYPASSES ROW SECURITY" : "") + ")";
    std::printf("app roles    %s\n",
                roles.empty() ? "none: SELECT tenancy.grant_app('role');" : roles.c_str());
    if (report["tenants"].is_null()) {
        std::printf("tenants      not shown to this role\n");
    } else {
        std::string tenants;
        for (const auto& [status, count] : report["tenants"].items())
            tenants += (tenants.empty() ? "" : ", ") + text_of(count) + " " + status;
        std::printf("tenants      %s\n", tenants.empty() ? "none" : tenants.c_str());
    }
    if (report["corpora"].is_null())
        std::printf("corpora      not shown to this role\n");
    else if (report["corpora"].empty())
        std::printf("corpora      none: tenancyctl corpus create --dimensions N\n");
    for (const auto& corpus : report["corpora"])
        std::printf("corpus       %s: %s dimensions, %s documents in %s, %s chunks in %s\n",
                    text_of(corpus["name"]).c_str(), text_of(corpus["dimensions"]).c_str(),
                    text_of(corpus["document_count"]).c_str(), text_of(corpus["documents"]).c_str(),
                    text_of(corpus["chunk_count"]).c_str(), text_of(corpus["chunks"]).c_str());
}

} // namespace

void status(const context& ctx) {
    tenancy::connection c{ctx.conninfo};
    json report;
    report["server"] = value_or_null(c.native(), server_sql);
    report["extension"] = value_or_null(c.native(), extension_sql);
    report["sdk"] = TENANCY_VERSION;
    if (!report["extension"]["installed"].is_null()) {
        report["roles"] = value_or_null(c.native(), roles_sql);
        report["tenants"] = value_or_null(c.native(), tenants_sql);
        report["corpora"] = value_or_null(c.native(), corpora_sql);
        if (report["corpora"].is_array())
            add_counts(c.native(), report["corpora"]);
    }
    if (ctx.json)
        std::cout << report.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    else
        print(report);
}

} // namespace tenancyctl
