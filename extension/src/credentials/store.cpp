#include "credentials/store.hpp"

#include "context/row_lookup.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
#include "catalog/indexing.h"
}

namespace tenancy::credentials {

namespace {

using namespace context;

// Column numbers of the tables; columns are only ever appended there.
enum api_keys_column : AttrNumber {
    api_keys_id = 1,
    api_keys_tenant_id = 2,
    api_keys_short_id = 3,
    api_keys_scopes = 5,
    api_keys_secret_mac = 8,
    api_keys_pepper_id = 9,
    api_keys_requests_per_minute = 12,
};
enum api_key_uses_column : AttrNumber { api_key_uses_api_key_id = 1, api_key_uses_last_used_at = 2 };
enum secrets_column : AttrNumber { secrets_kind = 1, secrets_name = 2, secrets_id = 3, secrets_secret = 4 };
enum token_issuers_column : AttrNumber {
    token_issuers_issuer = 1,
    token_issuers_algorithms = 2,
    token_issuers_audience = 3,
    token_issuers_tenant_claim = 4,
    token_issuers_subject_claim = 5,
    token_issuers_tenant_id = 6,
    token_issuers_clock_skew = 7,
};
enum user_identities_column : AttrNumber {
    user_identities_issuer = 1,
    user_identities_subject = 2,
    user_identities_user_id = 3,
};
enum users_column : AttrNumber { users_id = 1, users_current_tenant_id = 6 };

constexpr TimestampTz use_resolution = INT64CONST(60) * USECS_PER_SEC;

const char* name_of(secret_kind kind) noexcept {
    switch (kind) {
    case secret_kind::pepper:
        return "pepper";
    case secret_kind::invitation:
        return "invitation";
    case secret_kind::issuer:
        break;
    }
    return "issuer";
}

secret_bytes copy_bytes(Datum value) {
    bytea* bytes = DatumGetByteaPCopy(value);
    return {VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ};
}

optional_uuid optional_of(const row_lookup& row, AttrNumber number) {
    bool is_null;
    row.column(number, is_null);
    return {!is_null, row.uuid_of(number)};
}

void write_use(Relation table, HeapTuple old, Snapshot snapshot, TimestampTz when) {
    // Not what a standby or a read-only transaction could do, and never worth waiting for.
    TM_FailureData failure;
    TupleTableSlot* slot = table_slot_create(table, nullptr);
    ItemPointerData place = old->t_self;
    TM_Result locked = table_tuple_lock(table, &place, snapshot, slot, GetCurrentCommandId(true),
                                        LockTupleNoKeyExclusive, LockWaitSkip, 0, &failure);
    ExecDropSingleTupleTableSlot(slot);
    if (locked != TM_Ok) return;

    Datum values[2] = {0, TimestampTzGetDatum(when)};
    bool nulls[2] = {false, false};
    bool replaces[2] = {false, true};
    HeapTuple tuple = heap_modify_tuple(old, RelationGetDescr(table), values, nulls, replaces);
    CatalogTupleUpdate(table, &place, tuple);
}

} // namespace

secret_bytes read_secret(secret_kind kind, const char* name, std::int32_t id) {
    ScanKeyData keys[3];
    ScanKeyInit(&keys[0], secrets_kind, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name_of(kind)));
    ScanKeyInit(&keys[1], secrets_name, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
    ScanKeyInit(&keys[2], secrets_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    row_lookup row{"secrets", "secrets_pkey", snapshot, lengthof(keys), keys};
    secret_bytes result;
    bool is_null;
    if (row.found()) result = copy_bytes(row.column(secrets_secret, is_null));
    row.close();
    UnregisterSnapshot(snapshot);
    return result;
}

secret_bytes newest_secret(secret_kind kind, std::int32_t& id) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], secrets_kind, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name_of(kind)));
    ScanKeyInit(&keys[1], secrets_name, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(""));
    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    Relation table = table_open(own_relation("secrets"), AccessShareLock);
    Relation index = index_open(own_relation("secrets_pkey"), AccessShareLock);
    SysScanDesc scan = systable_beginscan_ordered(table, index, snapshot, lengthof(keys), keys);
    HeapTuple tuple = systable_getnext_ordered(scan, BackwardScanDirection);
    if (!HeapTupleIsValid(tuple))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no secret of kind \"%s\"", name_of(kind)),
                        errhint("Restore tenancy.secrets, or make a new one with tenancy.rotate_pepper() or "
                                "tenancy.rotate_invitation_secret().")));
    bool is_null;
    id = DatumGetInt32(heap_getattr(tuple, secrets_id, RelationGetDescr(table), &is_null));
    secret_bytes result = copy_bytes(heap_getattr(tuple, secrets_secret, RelationGetDescr(table), &is_null));
    systable_endscan_ordered(scan);
    index_close(index, AccessShareLock);
    table_close(table, AccessShareLock);
    UnregisterSnapshot(snapshot);
    return result;
}

stored_key read_api_key(std::string_view short_id) {
    ScanKeyData key;
    Datum wanted = PointerGetDatum(cstring_to_text_with_len(short_id.data(), static_cast<int>(short_id.size())));
    ScanKeyInit(&key, api_keys_short_id, BTEqualStrategyNumber, F_TEXTEQ, wanted);
    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    row_lookup row{"api_keys", "api_keys_short_id_key", snapshot, 1, &key};
    stored_key result{};
    if (row.found()) {
        bool is_null;
        secret_bytes mac = copy_bytes(row.column(api_keys_secret_mac, is_null));
        result.found = mac.size == sizeof result.mac;
        if (result.found) std::memcpy(result.mac, mac.data, sizeof result.mac);
        result.id = row.uuid_of(api_keys_id);
        result.tenant = row.uuid_of(api_keys_tenant_id);
        result.pepper_id = DatumGetInt32(row.column(api_keys_pepper_id, is_null));
        row.copy_text(api_keys_scopes, result.scopes, sizeof result.scopes);
        Datum rate = row.column(api_keys_requests_per_minute, is_null);
        if (!is_null) result.requests_per_minute = DatumGetInt32(rate);
    }
    row.close();
    UnregisterSnapshot(snapshot);
    return result;
}

void note_use(const uuid& api_key) {
    if (XactReadOnly || RecoveryInProgress()) return;
    ScanKeyData key;
    ScanKeyInit(&key, api_key_uses_api_key_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(api_key));
    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    row_lookup row{"api_key_uses", "api_key_uses_pkey", snapshot, 1, &key};
    bool is_null = true;
    TimestampTz now = GetCurrentTimestamp();
    Datum last = row.found() ? row.column(api_key_uses_last_used_at, is_null) : 0;
    bool is_due = row.found() && (is_null || DatumGetTimestampTz(last) + use_resolution <= now);
    HeapTuple old = is_due ? heap_copytuple(row.tuple()) : nullptr;
    row.close();
    if (is_due) {
        Relation table = table_open(own_relation("api_key_uses"), RowExclusiveLock);
        write_use(table, old, snapshot, now);
        table_close(table, NoLock);
    }
    UnregisterSnapshot(snapshot);
}

stored_issuer read_issuer(const char* issuer) {
    ScanKeyData key;
    ScanKeyInit(&key, token_issuers_issuer, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(issuer));
    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    row_lookup row{"token_issuers", "token_issuers_pkey", snapshot, 1, &key};
    stored_issuer result{};
    if (row.found()) {
        bool is_null;
        result.found = true;
        result.algorithms = row.text_or_null(token_issuers_algorithms);
        result.audience = row.text_or_null(token_issuers_audience);
        result.tenant_claim = row.text_or_null(token_issuers_tenant_claim);
        result.subject_claim = row.text_or_null(token_issuers_subject_claim);
        result.tenant = optional_of(row, token_issuers_tenant_id);
        result.clock_skew = DatumGetInt32(row.column(token_issuers_clock_skew, is_null));
    }
    row.close();
    UnregisterSnapshot(snapshot);
    return result;
}

optional_uuid user_of(const char* issuer, const char* subject) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], user_identities_issuer, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(issuer));
    ScanKeyInit(&keys[1], user_identities_subject, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(subject));
    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    row_lookup row{"user_identities", "user_identities_pkey", snapshot, lengthof(keys), keys};
    optional_uuid user{};
    if (row.found()) user = optional_of(row, user_identities_user_id);
    row.close();
    UnregisterSnapshot(snapshot);
    return user;
}

optional_uuid remembered_tenant(const uuid& user) {
    ScanKeyData key;
    ScanKeyInit(&key, users_id, BTEqualStrategyNumber, F_UUID_EQ, uuid_datum(user));
    Snapshot snapshot = RegisterSnapshot(snapshot_of_now());
    row_lookup row{"users", "users_pkey", snapshot, 1, &key};
    optional_uuid tenant{};
    if (row.found()) tenant = optional_of(row, users_current_tenant_id);
    row.close();
    UnregisterSnapshot(snapshot);
    return tenant;
}

} // namespace tenancy::credentials
