#pragma once

#include <cstddef>
#include <string>

#include <pqxx/pqxx>

// Every difference between libpqxx 7.8 and 8 that the SDK meets is here and nowhere else.

#if PQXX_VERSION_MAJOR > 8 || PQXX_VERSION_MAJOR < 7 || (PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR < 8)
#error "tenancy needs libpqxx 7.8 to 8"
#endif

#if PQXX_VERSION_MAJOR >= 8
// libpqxx 8 hands a source location through its virtual functions.
#define TENANCY_PQXX_LOCATION_PARAMETER pqxx::sl loc
#define TENANCY_PQXX_LOCATION_ARGUMENT , loc
#define TENANCY_PQXX_LOCATION_HERE , pqxx::sl::current()
#else
#define TENANCY_PQXX_LOCATION_PARAMETER
#define TENANCY_PQXX_LOCATION_ARGUMENT
#define TENANCY_PQXX_LOCATION_HERE
#endif

namespace tenancy::detail {

// What libpqxx sends as a parameter in binary form: a string of std::byte, from 8 on a vector of them.
#if PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR < 10
using parameter_bytes = std::basic_string<std::byte>;
#else
using parameter_bytes = pqxx::bytes;
#endif

// exec with parameters: exec_params before 7.10, exec with a params object from then on.
inline pqxx::result exec_params(pqxx::transaction_base& tx, const std::string& query,
                                const pqxx::params& parameters) {
#if PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR < 10
    return tx.exec_params(query, parameters);
#else
    return tx.exec(query, parameters);
#endif
}

} // namespace tenancy::detail
