#include "credentials/pure/crypto.hpp"
#include "credentials/pure/web_token.hpp"

#include "credentials/credentials.hpp"
#include "credentials/store.hpp"
#include "pg/arguments.hpp"
#include "pg/guard.hpp"

#include <charconv>

extern "C" {
#include "access/detoast.h"
}

// Invitations are tokens that we sign ourselves. What they say, and who may make and accept them, is sql/39_invitations.sql.

namespace {

using namespace tenancy;
using namespace tenancy::credentials;

/// As sql/39_invitations.sql writes it.
constexpr char audience[] = "tenancy:invitation";

/// The claims of an invitation that we have signed and that is not over, as JSON; null for any other text.
const char* claims_of(std::string_view text) {
    auto token = web_token::parse(text);
    if (!token || token->by != algorithm::hs256 || !token->kid) return nullptr;
    std::int32_t id = 0;
    const char* end = token->kid->data() + token->kid->size();
    if (auto [stop, failed] = std::from_chars(token->kid->data(), end, id); failed != std::errc{} || stop != end)
        return nullptr;
    secret_bytes secret = pg::guarded([&] { return read_secret(secret_kind::invitation, "", id); });
    if (!secret.found() || !same_bytes(view(hmac_sha256(secret.view(), token->signed_part)), token->signature))
        return nullptr;
    claim_rules rules;
    rules.audience = audience;
    rules.now = unix_seconds();
    if (!token->said.hold(rules)) return nullptr;
    return pg::guarded([&] { return pnstrdup(token->claims_text.data(), token->claims_text.size()); });
}

} // namespace

TENANCY_FUNCTION(tenancy_sign_invitation) {
    std::int32_t id;
    secret_bytes secret = newest_secret(secret_kind::invitation, id);
    std::string_view said{DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(0)))};
    std::string token = sign(said, std::to_string(id), secret.view());
    text* result = pg::guarded([&] { return cstring_to_text_with_len(token.data(), static_cast<int>(token.size())); });
    PG_RETURN_TEXT_P(result);
}

TENANCY_FUNCTION(tenancy_open_invitation) {
    if (toast_raw_datum_size(PG_GETARG_DATUM(0)) > longest_token + VARHDRSZ) PG_RETURN_NULL();
    const char* said = claims_of(pg::text_view(PG_GETARG_TEXT_PP(0)));
    if (said == nullptr) PG_RETURN_NULL();
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(said));
}
