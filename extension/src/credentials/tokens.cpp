#include "credentials/pure/web_token.hpp"

#include "audit/denials.hpp"
#include "context/enter.hpp"
#include "credentials/credentials.hpp"
#include "credentials/store.hpp"
#include "pg/arguments.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "access/detoast.h"
#include "mb/pg_wchar.h"
}

namespace {

using namespace tenancy;
using namespace tenancy::credentials;

/// Where PostgREST puts the claims of the token that it has verified.
constexpr char request_claims[] = "request.jwt.claims";

/// A copy that PostgreSQL owns. Claims are UTF-8; in another encoding only their ASCII can be one of our names.
/// Raises nothing but out of memory.
const char* to_server(const std::optional<std::string>& text) {
    if (!text) return nullptr;
    bool is_ascii = std::all_of(text->begin(), text->end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!is_ascii && GetDatabaseEncoding() != PG_UTF8) return nullptr;
    return pg::guarded([&] { return pnstrdup(text->data(), text->size()); });
}

std::vector<algorithm> algorithms_in(std::string_view names) {
    std::vector<algorithm> result;
    while (!names.empty()) {
        std::size_t end = std::min(names.find(' '), names.size());
        if (auto one = algorithm_named(names.substr(0, end))) result.push_back(*one);
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return result;
}

/// Whom claims name, as their issuer is configured. The claims must have been verified.
bool identify(const claims& said, const char* issuer_name, const stored_issuer& issuer, context::entrant& who) {
    claim_rules rules;
    if (issuer.audience) rules.audience = issuer.audience;
    rules.now = unix_seconds();
    rules.skew = issuer.clock_skew;
    if (!said.hold(rules)) return false;

    who.scopes = "";
    if (issuer.subject_claim) {
        const char* subject = to_server(said.text(issuer.subject_claim));
        if (subject == nullptr) return false;
        who.user = pg::guarded([&] { return user_of(issuer_name, subject); });
        if (!who.user.is_set) return false;
    }
    context::optional_uuid tenant = issuer.tenant;
    if (!tenant.is_set && issuer.tenant_claim) {
        const char* name = to_server(said.text(issuer.tenant_claim));
        if (name == nullptr) return false;
        who.tenant = {false, {}, name};
        who.tenant.is_slug = !parse_canonical(name, who.tenant.id);
        return true;
    }
    if (!tenant.is_set) tenant = pg::guarded([&] { return remembered_tenant(who.user.value); });
    who.tenant = {false, tenant.value, nullptr};
    return tenant.is_set;
}

bool is_signed(const web_token& token, const char* issuer_name, const stored_issuer& issuer) {
    std::vector<algorithm> algorithms = algorithms_in(issuer.algorithms);
    if (std::find(algorithms.begin(), algorithms.end(), token.by) == algorithms.end()) return false;
    secret_bytes keys = pg::guarded([&] { return read_secret(secret_kind::issuer, issuer_name, 1); });
    return keys.found() &&
           key_set::parse(keys.view(), algorithms).verifies(token.by, token.kid, token.signed_part, token.signature);
}

bool identify_by_token(std::string_view text, context::entrant& who) {
    auto token = web_token::parse(text);
    if (!token) return false;
    const char* issuer_name = to_server(token->said.text("iss"));
    if (issuer_name == nullptr) return false;
    stored_issuer issuer = pg::guarded([&] { return read_issuer(issuer_name); });
    return issuer.found && is_signed(*token, issuer_name, issuer) && identify(token->said, issuer_name, issuer, who);
}

bool identify_by_claims(std::string_view text, context::entrant& who) {
    auto said = claims::parse(text);
    if (!said) return false;
    const char* issuer_name = to_server(said->text("iss"));
    if (issuer_name == nullptr) return false;
    stored_issuer issuer = pg::guarded([&] { return read_issuer(issuer_name); });
    return issuer.found && identify(*said, issuer_name, issuer, who);
}

[[noreturn]] void refuse_token() {
    audit::note_denial(sqlstate::credential_not_valid, nullptr, "token");
    raise_not_valid();
}

} // namespace

TENANCY_FUNCTION(tenancy_enter_with_token) {
    pg::refuse_null(fcinfo, 0, "token");
    pg::refuse_null(fcinfo, 1, "is_local");
    // Before the text is even unpacked.
    if (toast_raw_datum_size(PG_GETARG_DATUM(0)) > longest_token + VARHDRSZ) refuse_token();
    context::entrant who{};
    if (!identify_by_token(pg::text_view(PG_GETARG_TEXT_PP(0)), who)) refuse_token();
    return pg::uuid_copy(context::enter(who, PG_GETARG_BOOL(1), raise_not_valid));
}

TENANCY_FUNCTION(tenancy_pre_request) {
    const char* text = GetConfigOption(request_claims, true, false);
    // A request without a token is nobody's: it gets no tenant, and so sees no row of any.
    if (text == nullptr || text[0] == '\0') PG_RETURN_VOID();
    context::entrant who{};
    if (std::strlen(text) > longest_token || !identify_by_claims(text, who)) refuse_token();
    context::enter(who, true, raise_not_valid);
    PG_RETURN_VOID();
}

// check_token_keys(algorithms, keys) -> how many keys can be used; raises 22023 when none can
TENANCY_FUNCTION(tenancy_check_token_keys) {
    std::string_view algorithms = pg::text_view(PG_GETARG_TEXT_PP(0)), keys = pg::text_view(PG_GETARG_TEXT_PP(1));
    PG_RETURN_INT32(static_cast<int32>(key_set::parse(keys, algorithms_in(algorithms)).size()));
}

TENANCY_FUNCTION(tenancy_is_claim_path) {
    PG_RETURN_BOOL(is_claim_path(std::string{pg::text_view(PG_GETARG_TEXT_PP(0))}));
}
