#include "tenancy/control/usage.hpp"

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

void usage::record(const std::string& metric, std::int64_t amount, const std::optional<tenant_id>& of) const {
    control_.exec("SELECT tenancy.record_usage($1, $2, $3)", arguments{}.text(metric).number(amount).id(of));
}

void usage::release(const std::string& metric, std::int64_t amount,
                    const std::optional<tenant_id>& of) const {
    control_.exec("SELECT tenancy.release_usage($1, $2, $3)", arguments{}.text(metric).number(amount).id(of));
}

std::optional<std::int64_t> usage::remaining(const std::string& metric,
                                             const std::optional<tenant_id>& of) const {
    const auto rows = control_.exec("SELECT tenancy.remaining($1, $2)", arguments{}.text(metric).id(of));
    return row_reader{rows, 0}.maybe_number<std::int64_t>();
}

std::vector<usage_limit> usage::limits(const std::optional<tenant_id>& of) const {
    static const std::string sql = "SELECT metric, kind, scope, max_amount, used, remaining, " +
                                   detail::micros("resets_at") + " FROM tenancy.limits($1) ORDER BY metric";
    return detail::read_all(control_.exec(sql, arguments{}.id(of)), [](row_reader& row) {
        return usage_limit{row.text(),
                           row.text(),
                           row.text(),
                           row.maybe_number<std::int64_t>(),
                           row.maybe_number<std::int64_t>().value_or(0),
                           row.maybe_number<std::int64_t>(),
                           row.maybe_time()};
    });
}

std::vector<usage_line> usage::report(const usage_query& query) const {
    return detail::read_all(
        control_.exec(
            "SELECT organization_id, tenant_id, tenant_slug, to_char(month, 'YYYY-MM'), metric, amount "
            "FROM tenancy.usage_report($1, $2, $3, $4)",
            arguments{}.text(query.since).text(query.until).id(query.tenant).id(query.organization)),
        [](row_reader& row) {
            return usage_line{row.maybe_id<organization_id>(),
                              row.maybe_id<tenant_id>(),
                              row.maybe_text(),
                              row.text(),
                              row.text(),
                              row.number<std::int64_t>()};
        });
}

void usage::set_limit(const std::string& metric, const std::optional<std::int64_t>& max_amount,
                      const tenant_id& of) const {
    control_.exec("SELECT tenancy.set_limit($1, $2, tenant => $3)",
                  arguments{}.text(metric).number(max_amount).id(of));
}

void usage::set_limit(const std::string& metric, const std::optional<std::int64_t>& max_amount,
                      const organization_id& of) const {
    control_.exec("SELECT tenancy.set_limit($1, $2, organization => $3)",
                  arguments{}.text(metric).number(max_amount).id(of));
}

bool usage::drop_limit(const std::string& metric, const tenant_id& of) const {
    const auto rows =
        control_.exec("SELECT tenancy.drop_limit($1, tenant => $2)", arguments{}.text(metric).id(of));
    return row_reader{rows, 0}.boolean();
}

bool usage::drop_limit(const std::string& metric, const organization_id& of) const {
    const auto rows =
        control_.exec("SELECT tenancy.drop_limit($1, organization => $2)", arguments{}.text(metric).id(of));
    return row_reader{rows, 0}.boolean();
}

std::vector<plan_limit> plans::list() const {
    return detail::read_all(
        control_.exec("SELECT plan, description, metric, max_amount FROM tenancy.list_plans()", arguments{}),
        [](row_reader& row) {
            return plan_limit{row.text(), row.text(), row.maybe_text(), row.maybe_number<std::int64_t>()};
        });
}

void plans::set(const std::string& plan, const std::string& description) const {
    control_.exec("SELECT tenancy.set_plan($1, $2)", arguments{}.text(plan).text(description));
}

void plans::set_limit(const std::string& plan, const std::string& metric,
                      const std::optional<std::int64_t>& max_amount) const {
    control_.exec("SELECT tenancy.set_plan_limit($1, $2, $3)",
                  arguments{}.text(plan).text(metric).number(max_amount));
}

void plans::drop(const std::string& plan) const {
    control_.exec("SELECT tenancy.drop_plan($1)", arguments{}.text(plan));
}

void plans::define_metric(const std::string& metric, const std::string& kind, const std::string& scope,
                          const std::string& description) const {
    control_.exec("SELECT tenancy.define_metric($1, $2, $3, $4)",
                  arguments{}.text(metric).text(kind).text(scope).text(description));
}

} // namespace tenancy
