#include "tenancy/control/users.hpp"

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

namespace {

const std::string columns = "id, email, name, status, settings, current_tenant_id, " +
                            detail::micros("created_at") + ", " + detail::micros("updated_at");

user read(row_reader& row) {
    return {row.id<user_id>(), row.maybe_text(),          row.maybe_text(), row.text(),
            row.text(),        row.maybe_id<tenant_id>(), row.time(),       row.time()};
}

} // namespace

registration users::register_user(const new_user& who) const {
    const auto rows = control_.exec(
        "SELECT user_id, organization_id, tenant_id FROM tenancy.register_user($1, $2, $3, $4, $5, $6)",
        arguments{}
            .text(who.email)
            .text(who.name)
            .text(who.identity ? std::optional{who.identity->issuer} : std::nullopt)
            .text(who.identity ? std::optional{who.identity->subject} : std::nullopt)
            .text(who.settings)
            .text(who.plan));
    row_reader row{rows, 0};
    return {row.id<user_id>(), row.id<organization_id>(), row.id<tenant_id>()};
}

std::optional<user> users::get(const user_id& who) const {
    return detail::read_first(
        control_.exec("SELECT " + columns + " FROM tenancy.get_user($1)", arguments{}.id(who)), read);
}

std::optional<user> users::find_by_email(const std::string& email) const {
    return detail::read_first(
        control_.exec("SELECT " + columns + " FROM tenancy.find_user(email => $1)", arguments{}.text(email)),
        read);
}

std::optional<user> users::find_by_identity(const identity& who) const {
    return detail::read_first(
        control_.exec("SELECT " + columns + " FROM tenancy.find_user(issuer => $1, subject => $2)",
                      arguments{}.text(who.issuer).text(who.subject)),
        read);
}

std::vector<user> users::list(const std::optional<user_id>& after, int at_most) const {
    return detail::read_all(control_.exec("SELECT " + columns + " FROM tenancy.list_users($1, $2)",
                                          arguments{}.id(after).number(at_most)),
                            read);
}

void users::update(const user_id& who, const user_changes& changes) const {
    control_.exec("SELECT tenancy.update_user($1, $2, $3, $4)",
                  arguments{}.id(who).text(changes.name).text(changes.settings).text(changes.email));
}

void users::deactivate(const user_id& who) const {
    control_.exec("SELECT tenancy.deactivate_user($1)", arguments{}.id(who));
}

void users::reactivate(const user_id& who) const {
    control_.exec("SELECT tenancy.reactivate_user($1)", arguments{}.id(who));
}

void users::link_identity(const user_id& who, const identity& known_as) const {
    control_.exec("SELECT tenancy.link_identity($1, $2, $3)",
                  arguments{}.id(who).text(known_as.issuer).text(known_as.subject));
}

void users::unlink_identity(const identity& known_as) const {
    control_.exec("SELECT tenancy.unlink_identity($1, $2)",
                  arguments{}.text(known_as.issuer).text(known_as.subject));
}

} // namespace tenancy
