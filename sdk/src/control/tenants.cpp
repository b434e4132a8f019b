#include "tenancy/control/tenants.hpp"

#include <stdexcept>

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

namespace {

const std::string columns =
    "id, slug, name, status, organization_id, organization_slug, external_key, settings, " +
    detail::micros("created_at") + ", " + detail::micros("updated_at");
constexpr const char* of_user_columns =
    "id, slug, name, status, role, organization_id, organization_slug, is_current";

tenant read(row_reader& row) {
    return {row.id<tenant_id>(), row.text(),       row.text(), row.text(), row.id<organization_id>(),
            row.text(),          row.maybe_text(), row.text(), row.time(), row.time()};
}

tenant_of_user read_of_user(row_reader& row) {
    return {row.id<tenant_id>(),       row.text(), row.text(),   row.text(), row.text(),
            row.id<organization_id>(), row.text(), row.boolean()};
}

void call(const control& c, const char* sql, const tenant_reference& which) {
    c.exec(sql, arguments{}.text(which.text()));
}

} // namespace

tenant_id tenants::create(const new_tenant& what) const {
    const auto rows =
        control_.exec("SELECT tenancy.create_tenant($1, $2, $3, $4, $5)",
                      arguments{}
                          .text(what.slug)
                          .text(what.name)
                          .text(what.organization ? std::optional{what.organization->text()} : std::nullopt)
                          .text(what.external_key)
                          .text(what.settings));
    return tenant_id{rows[0][0].c_str()};
}

std::optional<tenant> tenants::get(const tenant_reference& which) const {
    return detail::read_first(
        control_.exec("SELECT " + columns + " FROM tenancy.get_tenant($1)", arguments{}.text(which.text())),
        read);
}

std::vector<tenant> tenants::list(const std::optional<organization_reference>& of) const {
    return detail::read_all(
        control_.exec("SELECT " + columns + " FROM tenancy.list_tenants($1) ORDER BY organization_slug, slug",
                      arguments{}.text(of ? std::optional{of->text()} : std::nullopt)),
        read);
}

void tenants::update(const tenant_reference& which, const tenant_changes& changes) const {
    control_.exec("SELECT tenancy.update_tenant($1, $2, $3, $4, $5)", arguments{}
                                                                          .text(which.text())
                                                                          .text(changes.slug)
                                                                          .text(changes.name)
                                                                          .text(changes.settings)
                                                                          .text(changes.external_key));
}

// The functions have a variant for uuids as well, so the parameter's type is said.
void tenants::suspend(const tenant_reference& which) const {
    call(control_, "SELECT tenancy.suspend_tenant($1::text)", which);
}

void tenants::resume(const tenant_reference& which) const {
    call(control_, "SELECT tenancy.resume_tenant($1::text)", which);
}

void tenants::remove(const tenant_reference& which) const {
    call(control_, "SELECT tenancy.delete_tenant($1::text)", which);
}

void tenants::restore(const tenant_reference& which) const {
    call(control_, "SELECT tenancy.restore_tenant($1::text)", which);
}

std::vector<tenant_of_user> tenants::mine() const {
    return detail::read_all(
        control_.exec(std::string{"SELECT "} + of_user_columns + " FROM tenancy.my_tenants()", arguments{}),
        read_of_user);
}

std::vector<tenant_of_user> tenants::of_user(const user_id& user) const {
    return detail::read_all(
        control_.exec(std::string{"SELECT "} + of_user_columns + " FROM tenancy.list_tenants_of_user($1)",
                      arguments{}.id(user)),
        read_of_user);
}

tenant_id tenants::switch_to(const tenant_reference& which) const {
    const auto rows = control_.exec("SELECT tenancy.switch_tenant($1::text)", arguments{}.text(which.text()));
    return tenant_id{rows[0][0].c_str()};
}

std::vector<relation_count> tenants::count_rows(const tenant_id& which) const {
    return detail::read_all(
        control_.exec("SELECT relation, row_count FROM tenancy.count_rows($1)", arguments{}.id(which)),
        [](row_reader& row) {
            return relation_count{row.text(), row.number<std::int64_t>()};
        });
}

std::int64_t tenants::export_rows(const tenant_reference& which,
                                  const std::function<void(const exported_row&)>& take) const {
    if (which.text().find('\0') != std::string::npos)
        throw std::invalid_argument{"a tenant's slug must not hold a zero byte"};
    auto& tx = control_.transaction_base();
    const std::string sql =
        "SELECT relation, row_number, data FROM tenancy.export_tenant(" + tx.quote(which.text()) + "::text)";
    return control_.translating([&] {
        std::int64_t count = 0;
        for (auto [relation, number, data] : tx.stream<std::string, std::int64_t, std::string>(sql)) {
            take({std::move(relation), number, std::move(data)});
            ++count;
        }
        return count;
    });
}

void purge_tenant(connection& c, const tenant_id& which, int batch_rows) {
    c.translating([&] {
        pqxx::nontransaction tx{c.native()};
        // As one simple message without parameters: the procedure commits as it goes.
        tx.exec("CALL tenancy.purge_tenant('" + which.to_string() + "', " + std::to_string(batch_rows) + ")");
    });
}

} // namespace tenancy
