#include "store/tenant_key.hpp"

#include "context/errors.hpp"
#include "context/verdict.hpp"

namespace tenancy::store {

bool read_tenant_key(Datum value, Oid type, tenant_key& key) {
    switch (type) {
    case UUIDOID:
        key.set(DatumGetUUIDP(value)->data, UUID_LEN);
        return true;
    case INT8OID:
        key.set(DatumGetInt64(value));
        return true;
    case INT4OID:
        key.set(static_cast<std::int64_t>(DatumGetInt32(value)));
        return true;
    default:
        break;
    }
    text* given = DatumGetTextPP(value);
    std::size_t size = VARSIZE_ANY_EXHDR(given);
    if (size > tenant_key::longest) return false;
    key.set(VARDATA_ANY(given), size);
    return true;
}

bool read_current_tenant(Oid type, tenant_key& key) {
    switch (context::settle()) {
    case context::status::settled:
        break;
    case context::status::no_tenant:
        if (context::when_missing() == context::missing_tenant::empty) return false;
        context::raise_no_tenant();
    case context::status::not_available:
        context::raise_not_available();
    }
    const context::verdict& who = context::last_verdict();
    switch (type) {
    case UUIDOID:
        key.set(who.tenant.bytes, sizeof who.tenant.bytes);
        return true;
    case INT8OID:
    case INT4OID:
        if (!who.has_external_key_bigint) return false;
        key.set(who.external_key_bigint);
        return true;
    default:
        if (!who.has_external_key) return false;
        key.set(VARDATA(who.external_key), VARSIZE(who.external_key) - VARHDRSZ);
        return true;
    }
}

} // namespace tenancy::store
