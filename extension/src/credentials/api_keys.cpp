#include "context/enter.hpp"
#include "credentials/credentials.hpp"
#include "credentials/pure/api_key.hpp"
#include "credentials/pure/crypto.hpp"
#include "credentials/store.hpp"
#include "credentials/tries.hpp"
#include "metering/rate.hpp"
#include "pg/arguments.hpp"
#include "pg/guard.hpp"

#include <openssl/crypto.h>

extern "C" {
#include "access/detoast.h"
}

namespace {

using namespace tenancy;
using namespace tenancy::credentials;

void random_bytes(std::uint8_t* bytes, std::size_t size) {
    if (!pg_strong_random(bytes, size))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
}

/// The text of a key, without unpacking what is too long to be one.
std::string_view key_argument(FunctionCallInfo fcinfo) {
    if (toast_raw_datum_size(PG_GETARG_DATUM(0)) > longest_api_key + VARHDRSZ) return {};
    return pg::text_view(PG_GETARG_TEXT_PP(0));
}

/// Look a key up and check its secret. An unknown key costs what a known one does.
stored_key verified_key(std::string_view given) {
    api_key_parts parts;
    if (!parse_api_key(given, parts)) refuse_wrong_try({});

    stored_key key = read_api_key(parts.short_id);
    secret_bytes pepper = read_secret(secret_kind::pepper, "", key.found ? key.pepper_id : 1);
    mac made = hmac_sha256(pepper.view(), parts.authenticated);
    bool is_same = CRYPTO_memcmp(made.data(), key.mac, made.size()) == 0;
    if (!(is_same & key.found & pepper.found())) refuse_wrong_try(parts.short_id);
    return key;
}

} // namespace

TENANCY_FUNCTION(tenancy_enter_with_key) {
    pg::refuse_null(fcinfo, 0, "api_key");
    pg::refuse_null(fcinfo, 1, "is_local");
    stored_key key = verified_key(key_argument(fcinfo));
    context::tenant_name tenant{false, key.tenant, nullptr};
    context::enter({tenant, {}, {true, key.id}, key.scopes}, PG_GETARG_BOOL(1), raise_not_valid);
    if (key.requests_per_minute > 0) metering::take_rate(key.id, key.requests_per_minute);
    note_use(key.id);
    return pg::uuid_copy(key.tenant);
}

// make_api_key(environment) -> (short_id, api_key, secret_mac, pepper_id)
TENANCY_FUNCTION(tenancy_make_api_key) {
    pg::refuse_null(fcinfo, 0, "environment");
    std::string_view environment = pg::text_view(PG_GETARG_TEXT_PP(0));
    TupleDesc descriptor;
    if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");

    std::uint8_t short_id[random_short_id_bytes], secret[random_secret_bytes];
    random_bytes(short_id, sizeof short_id);
    random_bytes(secret, sizeof secret);
    std::int32_t pepper_id;
    secret_bytes pepper = newest_secret(secret_kind::pepper, pepper_id);

    char text[longest_api_key + 1];
    {
        std::string made = format_api_key(key_prefix(), environment, short_id, secret);
        strlcpy(text, made.c_str(), sizeof text);
    }
    OPENSSL_cleanse(secret, sizeof secret);
    api_key_parts parts;
    if (!parse_api_key(text, parts))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("environment must be live or test")));
    mac code = hmac_sha256(pepper.view(), parts.authenticated);

    auto* stored = static_cast<bytea*>(palloc(VARHDRSZ + code.size()));
    SET_VARSIZE(stored, VARHDRSZ + code.size());
    std::memcpy(VARDATA(stored), code.data(), code.size());
    Datum values[] = {
        PointerGetDatum(cstring_to_text_with_len(parts.short_id.data(), static_cast<int>(parts.short_id.size()))),
        CStringGetTextDatum(text),
        PointerGetDatum(stored),
        Int32GetDatum(pepper_id),
    };
    bool nulls[lengthof(values)] = {};
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

TENANCY_FUNCTION(tenancy_random_secret) {
    constexpr std::size_t size = 32;
    auto* made = static_cast<bytea*>(palloc(VARHDRSZ + size));
    SET_VARSIZE(made, VARHDRSZ + size);
    random_bytes(reinterpret_cast<std::uint8_t*>(VARDATA(made)), size);
    PG_RETURN_BYTEA_P(made);
}
