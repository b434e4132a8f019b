#include "tenancy/control/api_keys.hpp"

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

namespace {

created_api_key read_created(const pqxx::result& rows) {
    row_reader row{rows, 0};
    return {row.id<api_key_id>(), row.text()};
}

} // namespace

created_api_key api_keys::create(const tenant_id& of, const new_api_key& what) const {
    return read_created(
        control_.exec("SELECT id, api_key FROM tenancy.create_api_key($1, $2, $3, $4, $5, $6, $7)",
                      arguments{}
                          .id(of)
                          .text(what.name)
                          .text(what.role)
                          .texts(what.scopes)
                          .text(what.environment)
                          .time(what.expires_at)
                          .number(what.requests_per_minute)));
}

std::vector<api_key> api_keys::list(const tenant_id& of) const {
    static const std::string sql = "SELECT id, short_id, name, environment, role, " + detail::list("scopes") +
                                   ", " + detail::micros("expires_at") + ", " + detail::micros("revoked_at") +
                                   ", requests_per_minute, pepper_id, created_by, " +
                                   detail::micros("created_at") + ", " + detail::micros("last_used_at") +
                                   " FROM tenancy.list_api_keys($1)";
    return detail::read_all(control_.exec(sql, arguments{}.id(of)), [](row_reader& row) {
        return api_key{row.id<api_key_id>(),
                       row.text(),
                       row.text(),
                       row.text(),
                       row.text(),
                       row.texts(),
                       row.maybe_time(),
                       row.maybe_time(),
                       row.maybe_number<int>(),
                       row.number<int>(),
                       row.maybe_id<user_id>(),
                       row.time(),
                       row.maybe_time()};
    });
}

void api_keys::revoke(const api_key_id& which) const {
    control_.exec("SELECT tenancy.revoke_api_key($1)", arguments{}.id(which));
}

created_api_key api_keys::rotate(const api_key_id& which, std::chrono::seconds overlap) const {
    return read_created(control_.exec("SELECT new_id, api_key FROM tenancy.rotate_api_key($1, $2)",
                                      arguments{}.id(which).interval(overlap)));
}

void token_issuers::add(const token_issuer& what, const std::optional<std::string>& keys) const {
    control_.exec("SELECT tenancy.add_token_issuer($1, $2, $3, $4, $5, $6, $7, $8)",
                  arguments{}
                      .text(what.issuer)
                      .texts(what.algorithms)
                      .text(keys)
                      .text(what.audience)
                      .text(what.tenant_claim)
                      .text(what.subject_claim)
                      .id(what.tenant)
                      .interval(what.clock_skew));
}

int token_issuers::set_keys(const std::string& issuer, const std::string& keys) const {
    return control_
        .exec("SELECT tenancy.set_token_issuer_keys($1, $2)", arguments{}.text(issuer).text(keys))[0][0]
        .as<int>();
}

void token_issuers::drop(const std::string& issuer) const {
    control_.exec("SELECT tenancy.drop_token_issuer($1)", arguments{}.text(issuer));
}

std::vector<token_issuer> token_issuers::list() const {
    static const std::string sql = "SELECT issuer, " + detail::list("algorithms") +
                                   ", audience, tenant_claim, subject_claim, tenant_id, "
                                   "extract(epoch FROM clock_skew)::bigint, has_keys "
                                   "FROM tenancy.list_token_issuers()";
    return detail::read_all(control_.exec(sql, arguments{}), [](row_reader& row) {
        return token_issuer{row.text(),
                            row.texts(),
                            row.maybe_text(),
                            row.text(),
                            row.text(),
                            row.maybe_id<tenant_id>(),
                            std::chrono::seconds{row.number<std::int64_t>()},
                            row.boolean()};
    });
}

int secrets::rotate_pepper() const {
    return control_.exec("SELECT tenancy.rotate_pepper()", arguments{})[0][0].as<int>();
}

int secrets::rotate_invitation_secret(bool keep_old) const {
    return control_.exec("SELECT tenancy.rotate_invitation_secret($1)", arguments{}.boolean(keep_old))[0][0]
        .as<int>();
}

} // namespace tenancy
