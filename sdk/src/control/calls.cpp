#include "tenancy/control/calls.hpp"

#include <cstdio>

namespace tenancy {

namespace {

// Days since 1970-01-01 as year, month and day of the Gregorian calendar, whose years are counted from March
// so that leap days come last; eras are its periods of 400 years.
struct civil_date {
    std::int64_t year;
    int month, day;
};

civil_date civil(std::int64_t days) {
    days += 719'468; // from 0000-03-01
    const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const std::int64_t day_of_era = days - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t from_march = (5 * day_of_year + 2) / 153;
    const int month = static_cast<int>(from_march < 10 ? from_march + 3 : from_march - 9);
    return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month,
            static_cast<int>(day_of_year - (153 * from_march + 2) / 5 + 1)};
}

} // namespace

std::string to_string(timestamp moment) {
    constexpr std::int64_t day = 86'400'000'000;
    const std::int64_t micros = moment.time_since_epoch().count();
    const std::int64_t days = micros >= 0 ? micros / day : (micros - day + 1) / day;
    const std::int64_t rest = micros - days * day;
    const auto date = civil(days);
    char text[64];
    std::snprintf(text, sizeof text, "%04lld-%02d-%02dT%02d:%02d:%02d.%06dZ",
                  static_cast<long long>(date.year), date.month, date.day,
                  static_cast<int>(rest / 3'600'000'000), static_cast<int>(rest / 60'000'000 % 60),
                  static_cast<int>(rest / 1'000'000 % 60), static_cast<int>(rest % 1'000'000));
    return text;
}

control::control(transaction& tx) noexcept : tx_{&tx}, connection_{&tx.tenant_connection()} {}

control::control(pqxx::transaction_base& tx) noexcept : tx_{&tx}, connection_{nullptr} {
    // A tenancy::transaction that comes as its base still knows its connection.
    if (auto* known = dynamic_cast<transaction*>(&tx))
        connection_ = &known->tenant_connection();
}

control::control(connection& c, pqxx::transaction_base& tx) noexcept : tx_{&tx}, connection_{&c} {}

pqxx::result control::exec(const std::string& sql, const pqxx::params& parameters) const {
    return translating([&] { return detail::exec_params(*tx_, sql, parameters); });
}

void control::throw_translated(const pqxx::sql_error& e) const {
    if (connection_)
        connection_->translating([&] { throw; });
    diagnostics info;
    info.sqlstate = std::string{e.sqlstate()};
    info.message = e.what();
    throw_if_tenancy_error(e.what(), std::string{e.query()}, info);
}

} // namespace tenancy
