#include "tenancy/control/audit.hpp"

#include "control/rows.hpp"

namespace tenancy {

using detail::arguments;
using detail::row_reader;

std::vector<audit_event> audit_log::read(const audit_query& query) const {
    static const std::string sql = "SELECT id, " + detail::micros("at") +
                                   ", actor, action, object, before, after "
                                   "FROM tenancy.audit_log($1, $2, $3, $4, $5, $6, $7, $8)";
    return detail::read_all(control_.exec(sql, arguments{}
                                                   .id(query.tenant)
                                                   .time(query.since)
                                                   .time(query.until)
                                                   .text(query.action)
                                                   .text(query.actor)
                                                   .text(query.object)
                                                   .number(query.at_most)
                                                   .id(query.before)),
                            [](row_reader& row) {
                                return audit_event{
                                    row.id<audit_event_id>(), row.time(),       row.text(),      row.text(),
                                    row.maybe_text(),         row.maybe_text(), row.maybe_text()};
                            });
}

std::int64_t audit_log::export_events(const std::optional<tenant_id>& of,
                                      const std::function<void(const std::string&)>& take,
                                      const std::optional<timestamp>& since,
                                      const std::optional<timestamp>& until) const {
    // COPY takes no parameters; ids and moments have no characters to quote.
    const auto literal = [](const auto& value, const auto& text) {
        return value ? "'" + text(*value) + "'" : std::string{"NULL"};
    };
    const auto moment = [](timestamp value) { return to_string(value); };
    const std::string sql = "SELECT event FROM tenancy.export_audit(" +
                            literal(of, [](const tenant_id& id) { return id.to_string(); }) + ", " +
                            literal(since, moment) + ", " + literal(until, moment) + ") AS event";
    return control_.translating([&] {
        std::int64_t count = 0;
        for (auto [event] : control_.transaction_base().stream<std::string>(sql)) {
            take(event);
            ++count;
        }
        return count;
    });
}

audit_verification audit_log::verify(const std::optional<tenant_id>& of,
                                     const std::optional<audit_seal>& known) const {
    const auto rows =
        control_.exec("SELECT intact, events, unsealed, last_number, encode(last_hash, 'hex'), problem "
                      "FROM tenancy.verify_audit($1, $2, decode($3, 'hex'))",
                      arguments{}
                          .id(of)
                          .number(known ? std::optional{known->number} : std::nullopt)
                          .text(known ? std::optional{known->hash} : std::nullopt));
    row_reader row{rows, 0};
    audit_verification found{};
    found.intact = row.boolean();
    found.events = row.maybe_number<std::int64_t>().value_or(0);
    found.unsealed = row.maybe_number<std::int64_t>().value_or(0);
    const auto number = row.maybe_number<std::int64_t>();
    const auto hash = row.maybe_text();
    if (number && hash)
        found.last = audit_seal{*number, *hash};
    found.problem = row.maybe_text();
    return found;
}

std::int64_t audit_log::seal() const {
    return control_.exec("SELECT sealed FROM tenancy.seal_audit()", arguments{})[0][0].as<std::int64_t>();
}

void audit_log::record_table(const std::string& relation, const std::vector<std::string>& omit) const {
    control_.exec("SELECT tenancy.audit($1, $2)", arguments{}.text(relation).texts(omit));
}

void audit_log::forget_table(const std::string& relation) const {
    control_.exec("SELECT tenancy.unaudit($1)", arguments{}.text(relation));
}

} // namespace tenancy
