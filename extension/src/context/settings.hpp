#pragma once

#include "pg/prelude.hpp"
#include "pure/uuid.hpp"

#include <cstdint>

/// Who is asking, as the settings `tenancy.*` say it. The parsed form is written by their assign hooks and by nothing
/// else, so savepoints, rollbacks and parallel workers restore it as they restore the settings.
namespace tenancy::context {

inline constexpr char parameter_tenant_id[] = "tenancy.tenant_id";
inline constexpr char parameter_user_id[] = "tenancy.user_id";
inline constexpr char parameter_role[] = "tenancy.role";
inline constexpr char parameter_api_key_id[] = "tenancy.api_key_id";
inline constexpr char parameter_scopes[] = "tenancy.scopes";
inline constexpr char parameter_sealed[] = "tenancy.sealed_identity";

struct optional_uuid {
    bool is_set;
    uuid value;
};

/// A tenant and, where one entered with them, a user or an API key.
struct identity {
    optional_uuid tenant;
    optional_uuid user;
    optional_uuid api_key;
};

/// In bytes; the names of permissions, separated by spaces.
inline constexpr std::size_t longest_scopes = 1023;

/// The settings in parsed form. `stamp` changes with every assignment to any of them.
struct settings {
    identity who;
    char role[NAMEDATALEN];
    char scopes[longest_scopes + 1];
    std::uint64_t stamp;
};

const settings& current_settings() noexcept;

/// The identity that the transaction is sealed to; unset before one was entered in it.
const identity& sealed_identity() noexcept;

enum class missing_tenant { error, empty };

/// What reading a protected table without a tenant does (`tenancy.missing_tenant`).
missing_tenant when_missing() noexcept;

/// Set all of the context at once: the one path that every way of entering and leaving takes.
///
/// It runs after the caller's right to do so was checked. With `is_local` the values end with the transaction. Scopes
/// narrow what the role may do; empty ones do not.
void assign(const identity& who, const char* role, const char* scopes, bool is_local);

/// Seal the transaction to an identity until it ends or is rolled back to before this point.
void seal(const identity& who);

/// Define the settings; called once from _PG_init.
void define_settings();

} // namespace tenancy::context
