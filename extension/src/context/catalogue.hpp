#pragma once

#include "context/settings.hpp"

/// Reads tenancy's own tables for the context: straight from the indexes, without SQL, privileges or policies in the way.
namespace tenancy::context {

/// In bytes; the table's constraints say the same.
inline constexpr std::size_t longest_external_key = 255;
inline constexpr std::size_t longest_permissions = 1023;

/// What the catalogue says of a tenant, and of a user or key in it. All of it is read whatever the answer, so that an
/// unknown tenant costs the same work as a known one.
struct standing {
    bool may_enter;         ///< tenant and organization are active; a user is a member; a key is of the tenant and valid
    uuid tenant_id;         ///< of the tenant found
    TimestampTz good_until; ///< when a key expires; DT_NOEND without one
    char role[NAMEDATALEN]; ///< the member's or key's; without them the one that was asked for
    char permissions[longest_permissions + 1];   ///< names separated by spaces
    char external_key[longest_external_key + 1]; ///< empty when the tenant has none
    bool has_external_key_bigint;
    std::int64_t external_key_bigint;
};

/// A tenant as its caller names it: by id or by slug.
struct tenant_name {
    bool is_slug;
    uuid id;
    const char* slug;
};

/// Look a tenant, and who acts in it, up. Sees what is committed now, also under older snapshots of the transaction.
///
/// @param role that a credential gave, for a context without user and key; empty for the application itself
standing look_up(const tenant_name& tenant, const optional_uuid& user, const optional_uuid& api_key, const char* role);

/// Oid of the empty relation whose invalidation tells backends that a context may have become stale.
Oid signal_relation();

} // namespace tenancy::context
