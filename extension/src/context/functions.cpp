#include "context/enter.hpp"
#include "context/errors.hpp"
#include "context/verdict.hpp"
#include "pg/arguments.hpp"
#include "pg/guard.hpp"

// The SQL face of the context. The readers run once for every row of a sequential scan under a policy: no C++ object
// with a destructor lives in them, so they need no boundary and go straight to PostgreSQL.

namespace {

using namespace tenancy;
using namespace tenancy::context;
using namespace tenancy::pg;

enum class access { read, write };

/// The verdict for a policy, or null for "no tenant, show nothing".
template <access Access>
inline const verdict* usable_verdict() {
    if (unlikely(!is_settled())) {
        switch (settle()) {
        case status::settled:
            break;
        case status::no_tenant:
            if (when_missing() == missing_tenant::empty) return nullptr;
            raise_no_tenant();
        case status::not_available:
            raise_not_available();
        }
    }
    const verdict& last = last_verdict();
    if (Access == access::write && unlikely(!last.may_write)) raise_may_not_write(last.role);
    return &last;
}

inline Datum uuid_result(const uuid& value) {
    return UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(&value));
}

template <access Access>
inline Datum tenant_id(FunctionCallInfo fcinfo) {
    const verdict* last = usable_verdict<Access>();
    if (last == nullptr) PG_RETURN_NULL();
    return uuid_result(last->tenant);
}

template <access Access>
inline Datum tenant_key(FunctionCallInfo fcinfo) {
    const verdict* last = usable_verdict<Access>();
    if (last == nullptr || !last->has_external_key) PG_RETURN_NULL();
    return PointerGetDatum(last->external_key);
}

template <access Access>
inline Datum tenant_key_bigint(FunctionCallInfo fcinfo) {
    const verdict* last = usable_verdict<Access>();
    if (last == nullptr || !last->has_external_key_bigint) PG_RETURN_NULL();
    PG_RETURN_INT64(last->external_key_bigint);
}

template <access Access>
inline Datum tenant_key_integer(FunctionCallInfo fcinfo) {
    const verdict* last = usable_verdict<Access>();
    if (last == nullptr || !last->has_external_key_bigint || last->external_key_bigint > PG_INT32_MAX ||
        last->external_key_bigint < PG_INT32_MIN)
        PG_RETURN_NULL();
    PG_RETURN_INT32(static_cast<int32>(last->external_key_bigint));
}

/// A text names a tenant by its id in canonical form, else by its slug.
tenant_name name_argument(FunctionCallInfo fcinfo, int argument) {
    // What is longer than any name is nobody's, and is not carried through look-ups and logs whole.
    constexpr int longest = 255;
    text* given = PG_GETARG_TEXT_PP(argument);
    std::string_view view = text_view(given);
    tenant_name name{false, {}, nullptr};
    if (!parse_canonical(view, name.id)) {
        name.is_slug = true;
        int size = static_cast<int>(view.size());
        name.slug = pnstrdup(view.data(), static_cast<Size>(size > longest ? pg_mbcliplen(view.data(), size, longest) : size));
    }
    return name;
}

} // namespace

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_current_tenant_id);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_writable_tenant_id);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_current_tenant_key);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_writable_tenant_key);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_current_tenant_key_bigint);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_writable_tenant_key_bigint);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_current_tenant_key_integer);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_writable_tenant_key_integer);

PGDLLEXPORT Datum tenancy_current_tenant_id(PG_FUNCTION_ARGS) { return tenant_id<access::read>(fcinfo); }
PGDLLEXPORT Datum tenancy_writable_tenant_id(PG_FUNCTION_ARGS) { return tenant_id<access::write>(fcinfo); }
PGDLLEXPORT Datum tenancy_current_tenant_key(PG_FUNCTION_ARGS) { return tenant_key<access::read>(fcinfo); }
PGDLLEXPORT Datum tenancy_writable_tenant_key(PG_FUNCTION_ARGS) { return tenant_key<access::write>(fcinfo); }
PGDLLEXPORT Datum tenancy_current_tenant_key_bigint(PG_FUNCTION_ARGS) {
    return tenant_key_bigint<access::read>(fcinfo);
}
PGDLLEXPORT Datum tenancy_writable_tenant_key_bigint(PG_FUNCTION_ARGS) {
    return tenant_key_bigint<access::write>(fcinfo);
}
PGDLLEXPORT Datum tenancy_current_tenant_key_integer(PG_FUNCTION_ARGS) {
    return tenant_key_integer<access::read>(fcinfo);
}
PGDLLEXPORT Datum tenancy_writable_tenant_key_integer(PG_FUNCTION_ARGS) {
    return tenant_key_integer<access::write>(fcinfo);
}
}

TENANCY_FUNCTION(tenancy_has_context) { PG_RETURN_BOOL(settle() == status::settled); }

TENANCY_FUNCTION(tenancy_current_user_id) {
    const verdict* last = usable_verdict<access::read>();
    const optional_uuid& user = current_settings().who.user;
    if (last == nullptr || !user.is_set) PG_RETURN_NULL();
    return uuid_result(user.value);
}

TENANCY_FUNCTION(tenancy_current_role_name) {
    const verdict* last = usable_verdict<access::read>();
    if (last == nullptr || last->role[0] == '\0') PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(last->role));
}

TENANCY_FUNCTION(tenancy_set_tenant) {
    refuse_null(fcinfo, 0, "tenant");
    refuse_null(fcinfo, 1, "is_local");
    tenant_name tenant{false, uuid_argument(fcinfo, 0), nullptr};
    uuid entered = enter({tenant, {}, {}, ""}, PG_GETARG_BOOL(1));
    return uuid_copy(entered);
}

TENANCY_FUNCTION(tenancy_set_tenant_by_name) {
    refuse_null(fcinfo, 0, "tenant");
    refuse_null(fcinfo, 1, "is_local");
    uuid entered = enter({name_argument(fcinfo, 0), {}, {}, ""}, PG_GETARG_BOOL(1));
    return uuid_copy(entered);
}

TENANCY_FUNCTION(tenancy_enter) {
    refuse_null(fcinfo, 0, "tenant");
    refuse_null(fcinfo, 1, "user_id");
    refuse_null(fcinfo, 2, "is_local");
    tenant_name tenant{false, uuid_argument(fcinfo, 0), nullptr};
    uuid entered = enter({tenant, {true, uuid_argument(fcinfo, 1)}, {}, ""}, PG_GETARG_BOOL(2));
    return uuid_copy(entered);
}

TENANCY_FUNCTION(tenancy_enter_by_name) {
    refuse_null(fcinfo, 0, "tenant");
    refuse_null(fcinfo, 1, "user_id");
    refuse_null(fcinfo, 2, "is_local");
    uuid entered = enter({name_argument(fcinfo, 0), {true, uuid_argument(fcinfo, 1)}, {}, ""}, PG_GETARG_BOOL(2));
    return uuid_copy(entered);
}

TENANCY_FUNCTION(tenancy_leave) {
    leave();
    PG_RETURN_VOID();
}

TENANCY_FUNCTION(tenancy_current_api_key_id) {
    const verdict* last = usable_verdict<access::read>();
    const optional_uuid& api_key = current_settings().who.api_key;
    if (last == nullptr || !api_key.is_set) PG_RETURN_NULL();
    return uuid_result(api_key.value);
}

TENANCY_FUNCTION(tenancy_has_permission) {
    if (settle() != status::settled) PG_RETURN_BOOL(false);
    PG_RETURN_BOOL(is_permitted(text_view(PG_GETARG_TEXT_PP(0))));
}

TENANCY_FUNCTION(tenancy_require_permission) {
    refuse_null(fcinfo, 0, "permission");
    const verdict* last = usable_verdict<access::read>();
    if (last == nullptr) raise_no_tenant();
    std::string_view permission = text_view(PG_GETARG_TEXT_PP(0));
    if (!is_permitted(permission)) raise_lacks_permission(last->role, permission);
    PG_RETURN_VOID();
}

TENANCY_FUNCTION(tenancy_context_changed) {
    require_statement_trigger(fcinfo, "tenancy.context_changed()");
    CacheInvalidateRelcacheByRelid(signal_relation());
    return PointerGetDatum(nullptr);
}
