#include "tenancy/control/members.hpp"

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

std::vector<member> members::list(const tenant_id& of) const {
    static const std::string sql = "SELECT user_id, email, name, role, status, is_creator, created_by, " +
                                   detail::micros("created_at") + " FROM tenancy.list_members($1)";
    return detail::read_all(control_.exec(sql, arguments{}.id(of)), [](row_reader& row) {
        return member{row.id<user_id>(),
                      row.maybe_text(),
                      row.maybe_text(),
                      row.text(),
                      row.maybe_text().value_or(""),
                      row.boolean(),
                      row.maybe_id<user_id>(),
                      row.time()};
    });
}

void members::add(const tenant_id& to, const user_id& who, const std::string& role) const {
    control_.exec("SELECT tenancy.add_member($1, $2, $3)", arguments{}.id(to).id(who).text(role));
}

void members::change_role(const tenant_id& in, const user_id& who, const std::string& role) const {
    control_.exec("SELECT tenancy.change_role($1, $2, $3)", arguments{}.id(in).id(who).text(role));
}

void members::remove(const tenant_id& from, const user_id& who) const {
    control_.exec("SELECT tenancy.remove_member($1, $2)", arguments{}.id(from).id(who));
}

void members::leave(const tenant_id& which) const {
    control_.exec("SELECT tenancy.leave_tenant($1)", arguments{}.id(which));
}

std::vector<role> roles::list(const tenant_id& of) const {
    static const std::string sql = "SELECT name, rank, " + detail::list("permissions") +
                                   ", is_builtin, members FROM tenancy.list_roles($1)";
    return detail::read_all(control_.exec(sql, arguments{}.id(of)), [](row_reader& row) {
        return role{row.text(), row.number<int>(), row.texts(), row.boolean(), row.number<std::int64_t>()};
    });
}

void roles::create(const tenant_id& in, const std::string& name, int rank,
                   const std::vector<std::string>& permissions) const {
    control_.exec("SELECT tenancy.create_role($1, $2, $3, $4)",
                  arguments{}.id(in).text(name).number(rank).texts(permissions));
}

void roles::update(const tenant_id& in, const std::string& name, const std::optional<int>& rank,
                   const std::optional<std::vector<std::string>>& permissions) const {
    control_.exec("SELECT tenancy.update_role($1, $2, $3, $4)",
                  arguments{}.id(in).text(name).number(rank).texts(permissions));
}

void roles::drop(const tenant_id& in, const std::string& name) const {
    control_.exec("SELECT tenancy.drop_role($1, $2)", arguments{}.id(in).text(name));
}

std::string invitations::create(const tenant_id& to, const std::string& email, const std::string& role,
                                std::chrono::seconds valid_for) const {
    const auto rows = control_.exec("SELECT tenancy.invite($1, $2, $3, $4)",
                                    arguments{}.id(to).text(email).text(role).interval(valid_for));
    return rows[0][0].c_str();
}

tenant_id invitations::accept(const std::string& token, const std::optional<user_id>& who) const {
    const auto rows =
        control_.exec("SELECT tenancy.accept_invitation($1, $2)", arguments{}.text(token).id(who));
    return tenant_id{rows[0][0].c_str()};
}

void invitations::revoke(const std::string& token) const {
    control_.exec("SELECT tenancy.revoke_invitation($1)", arguments{}.text(token));
}

std::vector<outbox_message> outbox::take(int at_most) const {
    static const std::string sql = "SELECT id, kind, tenant_id, payload, " + detail::micros("created_at") +
                                   " FROM tenancy.take_outbox($1)";
    return detail::read_all(control_.exec(sql, arguments{}.number(at_most)), [](row_reader& row) {
        return outbox_message{row.id<outbox_id>(), row.text(), row.maybe_id<tenant_id>(), row.text(),
                              row.time()};
    });
}

} // namespace tenancy
