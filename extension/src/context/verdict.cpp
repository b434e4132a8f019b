#include "context/verdict.hpp"

#include "pure/permissions.hpp"

namespace tenancy::context {

namespace {

verdict last{};

/// Counts the messages that a tenant, organization or membership changed.
std::uint64_t generation = 1;

/// What `last` was decided from: a verdict is good for later transactions while both are unchanged.
std::uint64_t decided_stamp = 0;
std::uint64_t decided_generation = 0;

Oid signal = InvalidOid;

identity brought{};
LocalTransactionId brought_into = InvalidLocalTransactionId;

void on_invalidation(Datum, Oid relation) {
    if (!OidIsValid(relation) || relation == signal) ++generation;
}

void note_brought() noexcept {
    if (sealed_identity().tenant.is_set) return;
    brought = current_settings().who;
    brought_into = pg::local_transaction_id();
}

} // namespace

const verdict& last_verdict() noexcept { return last; }

const identity* brought_identity() noexcept {
    return brought_into == pg::local_transaction_id() ? &brought : nullptr;
}

void forget_verdict() noexcept { last.holds = false; }

std::uint64_t changes_seen() {
    signal = signal_relation();
    return generation;
}

bool is_permitted(std::string_view permission) noexcept {
    return tenancy::is_permitted(last.permissions, current_settings().scopes, permission);
}

void settle_as(const standing& found, std::uint64_t changes_seen_before) {
    const settings& now = current_settings();
    std::size_t key_length = std::strlen(found.external_key);
    last.has_external_key = key_length > 0;
    SET_VARSIZE(last.external_key, VARHDRSZ + key_length);
    std::memcpy(VARDATA(last.external_key), found.external_key, key_length);
    last.has_external_key_bigint = found.has_external_key_bigint;
    last.external_key_bigint = found.external_key_bigint;
    last.tenant = found.tenant_id;
    last.good_until = found.good_until;
    strlcpy(last.role, found.role, sizeof last.role);
    strlcpy(last.permissions, found.permissions, sizeof last.permissions);
    last.may_write = is_permitted(permission::data_write);
    last.transaction = pg::local_transaction_id();
    decided_stamp = now.stamp;
    decided_generation = changes_seen_before;
    last.holds = true;
}

status settle() {
    if (is_settled()) return status::settled;

    const settings& now = current_settings();
    if (!now.who.tenant.is_set) return status::no_tenant;

    if (last.holds && decided_stamp == now.stamp && decided_generation == generation &&
        last.good_until > GetCurrentTransactionStartTimestamp()) {
        last.transaction = pg::local_transaction_id();
        note_brought();
        return status::settled;
    }

    last.holds = false;
    std::uint64_t before = changes_seen();
    standing found =
        look_up(tenant_name{false, now.who.tenant.value, nullptr}, now.who.user, now.who.api_key, now.role);
    if (!found.may_enter) return status::not_available;
    settle_as(found, before);
    note_brought();
    return status::settled;
}

void register_invalidation() { CacheRegisterRelcacheCallback(on_invalidation, 0); }

} // namespace tenancy::context
