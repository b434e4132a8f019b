#pragma once

#include "context/settings.hpp"

/// Reads the tables of credentials (sql/12_identity.sql, 36_secrets.sql to 38_tokens.sql) straight from their indexes. What is
/// returned lives in the current memory context. These functions raise errors of PostgreSQL.
namespace tenancy::credentials {

/// Bytes of a secret; none when there is no such secret.
struct secret_bytes {
    const char* data = nullptr;
    std::size_t size = 0;

    bool found() const noexcept { return data != nullptr; }
    std::string_view view() const noexcept { return {data, size}; }
};

enum class secret_kind { pepper, invitation, issuer };

/// @param name the issuer whose keys are meant; empty for the other kinds
secret_bytes read_secret(secret_kind kind, const char* name, std::int32_t id);

/// The secret of the highest id, which is the one to use for new things.
secret_bytes newest_secret(secret_kind kind, std::int32_t& id);

struct stored_key {
    bool found;
    uuid id;
    uuid tenant;
    std::uint8_t mac[32];
    std::int32_t pepper_id;
    std::int32_t requests_per_minute; ///< 0 without a limit
    char scopes[context::longest_scopes + 1];
};

stored_key read_api_key(std::string_view short_id);

/// Write down that a key was used, unless that was done within the last minute, somebody else is just doing it, or this
/// transaction cannot write.
void note_use(const uuid& api_key);

struct stored_issuer {
    bool found;
    const char* algorithms; ///< names separated by spaces
    const char* audience;   ///< null without one
    const char* tenant_claim;
    const char* subject_claim;
    context::optional_uuid tenant;
    std::int32_t clock_skew; ///< seconds
};

stored_issuer read_issuer(const char* issuer);

/// The user whom an issuer calls so.
context::optional_uuid user_of(const char* issuer, const char* subject);

/// The tenant that a user switched to last.
context::optional_uuid remembered_tenant(const uuid& user);

} // namespace tenancy::credentials
