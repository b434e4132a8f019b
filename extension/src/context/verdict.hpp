#pragma once

#include "context/catalogue.hpp"
#include "context/settings.hpp"

/// Whether the context that the settings name may still be used, decided at most once in a transaction.
///
/// The hot path (a policy's function, once for every row of a sequential scan) is one comparison. The catalogue is read
/// again only when the settings changed or another session said that a tenant, organization or membership did.
namespace tenancy::context {

struct verdict {
    bool holds;                        ///< the rest is valid in the transaction below
    LocalTransactionId transaction;
    bool may_write;
    uuid tenant;
    TimestampTz good_until;            ///< when a key expires; DT_NOEND without one
    char role[NAMEDATALEN];
    char permissions[longest_permissions + 1];
    bool has_external_key;
    bool has_external_key_bigint;
    // A text value in place: scan keys may point at it, so it is never freed.
    alignas(std::int64_t) char external_key[VARHDRSZ + longest_external_key];
    std::int64_t external_key_bigint;
};

enum class status {
    settled,       ///< last_verdict() may be used
    no_tenant,     ///< the settings name no tenant
    not_available, ///< they name one that the caller may not use, or no longer
};

const verdict& last_verdict() noexcept;

inline bool is_settled() noexcept {
    const verdict& last = last_verdict();
    return last.holds && last.transaction == pg::local_transaction_id();
}

/// Whom the session's own context, set before this transaction began, named when it was used in this transaction; null
/// where it was not used, or who acts was entered in this transaction.
const identity* brought_identity() noexcept;

/// Decide, reading the catalogue where that is needed. Never raises for want of a tenant.
status settle();

/// Count of the changes that other sessions told of. Taken before the catalogue is read: a message that comes while
/// reading then makes the next transaction read again.
std::uint64_t changes_seen();

/// Take over what was just read of the current settings' tenant and user, who may enter.
void settle_as(const standing& found, std::uint64_t changes_seen_before);

/// Whether who acts may do this: by role, and where a credential has scopes by them too. Only of a settled context.
bool is_permitted(std::string_view permission) noexcept;

/// The settings changed: nothing decided before holds.
void forget_verdict() noexcept;

/// Listen for other sessions' changes; called once from _PG_init.
void register_invalidation();

} // namespace tenancy::context
