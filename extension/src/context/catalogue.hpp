#pragma once

#include "context/settings.hpp"

/// Reads tenancy's own tables for the context: straight from the indexes, without SQL, privileges or policies in the way.
namespace tenancy::context {

/// In bytes; the table's constraint says the same.
inline constexpr std::size_t longest_external_key = 255;

/// What the catalogue says of a tenant, and of a user in it. Everything is read whatever the answer, so that an
/// unknown tenant costs the same work as a known one.
struct standing {
    bool may_enter;                  ///< tenant and organization are active, and a user is a member
    uuid tenant_id;                  ///< of the tenant found
    char role[NAMEDATALEN];          ///< the member's role; empty without a user
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

/// Look a tenant, and a user in it, up. Sees what is committed now, also under older snapshots of the transaction.
standing look_up(const tenant_name& tenant, const optional_uuid& user);

/// Oid of the empty relation whose invalidation tells backends that a context may have become stale.
Oid signal_relation();

} // namespace tenancy::context
