#pragma once

#include "credentials/pure/web_key.hpp"

#include <nlohmann/json_fwd.hpp>

/// JSON Web Tokens in compact form (RFC 7519), signed (RFC 7515); never encrypted, never unsigned.
namespace tenancy::credentials {

/// In bytes. Longer ones are refused before any work.
inline constexpr std::size_t longest_token = 16384;

/// What a token must say beside its signature.
struct claim_rules {
    /// Must be among the token's audiences; without one a token that names an audience is meant for somebody else.
    std::optional<std::string> audience;
    std::int64_t now = 0;  ///< seconds since 1970
    std::int64_t skew = 0; ///< seconds by which the issuer's clock may differ
};

/// The claims of a token, or of whoever checked one.
class claims {
public:
    /// @returns nothing for what is not one JSON object, names a member of it twice, or is longer than a token
    static std::optional<claims> parse(std::string_view text);

    /// A claim that is a string without zero bytes: a member of this name, or by a JSON pointer that begins with a slash.
    std::optional<std::string> text(const std::string& path) const;

    /// Whether they hold now and for us. exp is needed, nbf and aud are looked at when they are there.
    bool hold(const claim_rules& rules) const;

private:
    std::shared_ptr<const nlohmann::json> m_object;
};

/// A token taken apart; nothing in it may be believed before its signature was verified.
struct web_token {
    algorithm by;
    std::optional<std::string> kid;
    std::string_view signed_part; ///< points into the token's text
    std::string signature;
    std::string claims_text; ///< JSON
    claims said;

    /// @returns nothing for what is malformed, too long, has an algorithm that we do not verify, or critical extensions
    static std::optional<web_token> parse(std::string_view text);
};

/// Sign claims with HS256.
std::string sign(std::string_view claims_as_json, std::string_view kid, std::string_view secret);

/// Whether a path of claims::text() can ever find something: a name, or a well-formed JSON pointer.
bool is_claim_path(const std::string& path);

} // namespace tenancy::credentials
