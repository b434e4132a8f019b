#include "tenancy/errors.hpp"

#include <utility>

namespace tenancy {

error::error(const std::string& what, const std::string& query, diagnostics info)
    : pqxx::sql_error{what, query, info.sqlstate.c_str()}, info_{std::move(info)} {}

// Out of line, so that each type's vtable and type information live in the library and catch clauses agree.
error::~error() noexcept = default;
no_tenant::~no_tenant() noexcept = default;
tenant_unavailable::~tenant_unavailable() noexcept = default;
context_sealed::~context_sealed() noexcept = default;
role_denied::~role_denied() noexcept = default;
quota_exceeded::~quota_exceeded() noexcept = default;
rate_limited::~rate_limited() noexcept = default;
invalid_credential::~invalid_credential() noexcept = default;
invalid_invitation::~invalid_invitation() noexcept = default;
protection_failed::~protection_failed() noexcept = default;
corpus_mismatch::~corpus_mismatch() noexcept = default;
pool_timeout::~pool_timeout() noexcept = default;

void throw_if_tenancy_error(const std::string& what, const std::string& query, const diagnostics& info) {
    const std::string_view code = info.sqlstate;
    if (code.size() != 5 || code.substr(0, 2) != "TN")
        return;
    if (code == "TN001")
        throw no_tenant{what, query, info};
    if (code == "TN002")
        throw tenant_unavailable{what, query, info};
    if (code == "TN003")
        throw context_sealed{what, query, info};
    if (code == "TN004")
        throw role_denied{what, query, info};
    if (code == "TN005")
        throw quota_exceeded{what, query, info};
    if (code == "TN006")
        throw rate_limited{what, query, info};
    if (code == "TN007")
        throw invalid_credential{what, query, info};
    if (code == "TN008")
        throw invalid_invitation{what, query, info};
    if (code == "TN009")
        throw protection_failed{what, query, info};
    if (code == "TN010")
        throw corpus_mismatch{what, query, info};
    throw error{what, query, info};
}

} // namespace tenancy
