#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Keys that verify JSON Web Signatures: a shared secret, public keys in PEM, or a JSON Web Key set (RFC 7517).
namespace tenancy::credentials {

enum class algorithm { hs256, rs256, es256, eddsa };

/// The algorithm that tokens call by this name; "none" and everything that we do not verify is nothing.
std::optional<algorithm> algorithm_named(std::string_view name) noexcept;

/// In bytes, of all the keys of one issuer as text.
inline constexpr std::size_t longest_keys = 65536;
inline constexpr std::size_t most_keys = 64;
/// In bytes, of an HS256 secret (RFC 7518, section 3.2).
inline constexpr std::size_t shortest_secret = 32;

/// The keys of one issuer. Each is for one algorithm only, so that a public key is never taken for a shared secret.
class key_set {
public:
    /// Read keys: for HS256 alone the secret itself or a JWKS of kty "oct"; otherwise PEM public keys, one after the
    /// other, or a JWKS.
    ///
    /// Of a JWKS the keys for other algorithms, for encryption and of unknown types are passed over.
    ///
    /// @throws tenancy::error 22023 when a key cannot be used, is too weak or private, or none is left
    static key_set parse(std::string_view text, const std::vector<algorithm>& algorithms);

    key_set(key_set&&) noexcept;
    key_set& operator=(key_set&&) noexcept;
    ~key_set();

    /// Whether one of the keys made this signature. Of keys with a kid only those with the token's are tried.
    bool verifies(algorithm by, const std::optional<std::string>& kid, std::string_view message,
                  std::string_view signature) const;

    std::size_t size() const noexcept;

private:
    struct key;
    key_set();
    std::vector<key> m_keys;
};

} // namespace tenancy::credentials
