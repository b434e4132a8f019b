#include "tenancy/control/organizations.hpp"

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

namespace {

const std::string columns = "id, slug, name, status, contact, settings, tenants, created_by, " +
                            detail::micros("created_at") + ", " + detail::micros("updated_at") + ", plan";

organization read(row_reader& row) {
    return {row.id<organization_id>(),
            row.text(),
            row.text(),
            row.text(),
            row.text(),
            row.text(),
            row.number<std::int64_t>(),
            row.maybe_id<user_id>(),
            row.time(),
            row.time(),
            row.text()};
}

} // namespace

organization_id organizations::create(const std::string& slug, const std::optional<std::string>& name) const {
    const auto rows =
        control_.exec("SELECT tenancy.create_organization($1, $2)", arguments{}.text(slug).text(name));
    return organization_id{rows[0][0].c_str()};
}

std::optional<organization> organizations::get(const organization_reference& which) const {
    return detail::read_first(control_.exec("SELECT " + columns + " FROM tenancy.get_organization($1)",
                                            arguments{}.text(which.text())),
                              read);
}

std::vector<organization> organizations::list() const {
    return detail::read_all(
        control_.exec("SELECT " + columns + " FROM tenancy.list_organizations()", arguments{}), read);
}

void organizations::update(const organization_reference& which, const organization_changes& changes) const {
    control_.exec("SELECT tenancy.update_organization($1, $2, $3, $4, $5, $6)", arguments{}
                                                                                    .text(which.text())
                                                                                    .text(changes.slug)
                                                                                    .text(changes.name)
                                                                                    .text(changes.contact)
                                                                                    .text(changes.settings)
                                                                                    .text(changes.status));
}

void organizations::change_plan(const organization_reference& which, const std::string& plan) const {
    control_.exec("SELECT tenancy.change_plan($1, $2)", arguments{}.text(which.text()).text(plan));
}

} // namespace tenancy
