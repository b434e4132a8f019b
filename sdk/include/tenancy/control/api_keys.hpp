#pragma once

#include <chrono>
#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy {

/// What is known of an API key. Its text is not: nobody can get that back.
struct api_key {
    api_key_id id;
    /// The part of the key's text by which people recognize it.
    std::string short_id;
    std::string name;
    /// `live` or `test`.
    std::string environment;
    std::string role;
    /// What it may do of what its role may; all of that if empty.
    std::vector<std::string> scopes;
    /// Nothing if it does not expire.
    std::optional<timestamp> expires_at;
    /// When it ends or ended, by being revoked or rotated.
    std::optional<timestamp> revoked_at;
    std::optional<int> requests_per_minute;
    int pepper_id;
    /// Nothing if an operator made it.
    std::optional<user_id> created_by;
    timestamp created_at;
    /// To the minute.
    std::optional<timestamp> last_used_at;
};

/// What a new API key is made of.
struct new_api_key {
    std::string name;
    std::string role = "editor";
    /// Permissions; the key may do what both its role and these allow, or all that its role does if empty.
    std::vector<std::string> scopes = {};
    /// `live` or `test`.
    std::string environment = "live";
    std::optional<timestamp> expires_at = std::nullopt;
    std::optional<int> requests_per_minute = std::nullopt;
};

/// An API key that was made just now.
struct created_api_key {
    api_key_id id;
    /// The key itself: a secret, shown this once only. @see api_key_credential
    std::string text;
};

/// Calls about the API keys of a tenant; permission `keys.manage`.
class TENANCY_EXPORT api_keys : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Makes an API key.
    /**
     * @throws pqxx::insufficient_privilege if it would do more than the caller may
     * @throws pqxx::data_exception if a scope, the environment, the expiry or the rate is not valid
     */
    [[nodiscard]] created_api_key create(const tenant_id& of, const new_api_key& what) const;
    /// The keys of a tenant, also those that ended.
    [[nodiscard]] std::vector<api_key> list(const tenant_id& of) const;
    /// Ends a key; sessions that entered with it lose the tenant by their next transaction.
    /** @throws pqxx::sql_error with 42704 if it is unknown or of another tenant */
    void revoke(const api_key_id& which) const;
    /// Replaces a key by a new one with the same rights.
    /** @param overlap how long the old one goes on working */
    [[nodiscard]] created_api_key rotate(const api_key_id& which,
                                         std::chrono::seconds overlap = std::chrono::hours{1}) const;
};

/// An identity provider whose tokens let users in.
struct token_issuer {
    /// The tokens' `iss`.
    std::string issuer;
    /// Of `HS256`, `RS256`, `ES256` and `EdDSA`.
    std::vector<std::string> algorithms;
    std::optional<std::string> audience = std::nullopt;
    std::string tenant_claim = "tenant";
    std::string subject_claim = "sub";
    /// If set, all its tokens are of this tenant, whatever they claim.
    std::optional<tenant_id> tenant = std::nullopt;
    /// How far clocks may differ.
    std::chrono::seconds clock_skew{30};
    /// Whether it has keys to check tokens with; @ref token_issuers::add does not look at it.
    bool has_keys = false;
};

/// Calls about whose tokens are accepted; for operators.
class TENANCY_EXPORT token_issuers : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Lets the tokens of an identity provider enter.
    /**
     * @param what the provider
     * @param keys the shared secret (HS256), or public keys as PEM or as a JSON Web Key set
     * @throws pqxx::unique_violation if it is known already
     * @throws pqxx::data_exception if the keys or the algorithms cannot be used
     */
    void add(const token_issuer& what, const std::optional<std::string>& keys) const;
    /// Replaces the keys of a provider.
    /** @return how many of them can be used */
    int set_keys(const std::string& issuer, const std::string& keys) const;
    /// Ends the trust in a provider's tokens.
    void drop(const std::string& issuer) const;
    /// Whose tokens are accepted.
    [[nodiscard]] std::vector<token_issuer> list() const;
};

/// Calls about what credentials are signed and hashed with; for operators.
class TENANCY_EXPORT secrets : public detail::control_calls {
public:
    using control_calls::control_calls;

    /// Makes a new pepper for API keys; existing keys go on with theirs until they are rotated.
    /** @return its number */
    int rotate_pepper() const;
    /// Makes a new secret that signs invitations.
    /**
     * @param keep_old whether invitations that are open stay valid
     * @return its number
     */
    int rotate_invitation_secret(bool keep_old = true) const;
};

} // namespace tenancy
