#include "pure/pure.hpp"

#include "credentials/pure/web_key.hpp"

#include "credentials/pure/crypto.hpp"
#include "credentials/pure/encoding.hpp"
#include "credentials/pure/json_object.hpp"
#include "pure/error.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

namespace tenancy::credentials {

namespace {

using json = nlohmann::json;

template <auto Free>
struct freed_by {
    template <typename T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

using public_key = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using big_number = std::unique_ptr<BIGNUM, freed_by<BN_free>>;

constexpr int fewest_rsa_bits = 2048;
constexpr int most_rsa_bits = 8192;

[[noreturn]] void refuse(std::string why, std::string hint = {}) {
    ERR_clear_error();
    throw error{sqlstate::invalid_parameter_value, "keys cannot be used", std::move(why), std::move(hint)};
}

bool holds(const std::vector<algorithm>& algorithms, algorithm one) {
    return std::find(algorithms.begin(), algorithms.end(), one) != algorithms.end();
}

/// The algorithm that a public key is for, or nothing when it is for none of ours.
std::optional<algorithm> algorithm_of(EVP_PKEY* key) {
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: {
        int bits = EVP_PKEY_get_bits(key);
        if (bits < fewest_rsa_bits || bits > most_rsa_bits)
            refuse("An RSA key has " + std::to_string(bits) + " bits; " + std::to_string(fewest_rsa_bits) + " to " +
                   std::to_string(most_rsa_bits) + " can be used.");
        return algorithm::rs256;
    }
    case EVP_PKEY_EC: {
        char group[64];
        std::size_t size = 0;
        if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) != 1 ||
            std::string_view{group, size} != SN_X9_62_prime256v1)
            return std::nullopt;
        return algorithm::es256;
    }
    case EVP_PKEY_ED25519:
        return algorithm::eddsa;
    default:
        return std::nullopt;
    }
}

std::string member(const json& object, const char* name) {
    auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string decoded_member(const json& object, const char* name) {
    auto bytes = from_base64url(member(object, name));
    if (!bytes || bytes->empty())
        refuse(std::string{"Member \""} + name + "\" of a JSON Web Key is missing or is not base64url.");
    return std::move(*bytes);
}

big_number number(const std::string& bytes) {
    return big_number{BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()),
                                nullptr)};
}

public_key from_parameters(const char* type, OSSL_PARAM_BLD* builder) {
    std::unique_ptr<OSSL_PARAM, freed_by<OSSL_PARAM_free>> parameters{OSSL_PARAM_BLD_to_param(builder)};
    std::unique_ptr<EVP_PKEY_CTX, freed_by<EVP_PKEY_CTX_free>> context{
        EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
    EVP_PKEY* made = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        refuse(std::string{"A JSON Web Key of type "} + type + " is not a valid key.");
    return public_key{made};
}

using parameter_builder = std::unique_ptr<OSSL_PARAM_BLD, freed_by<OSSL_PARAM_BLD_free>>;

public_key rsa_key(const json& object) {
    std::string n = decoded_member(object, "n"), e = decoded_member(object, "e");
    if (n.size() > most_rsa_bits / 8 || e.size() > 8) refuse("An RSA key is too long.");
    big_number modulus = number(n), exponent = number(e);
    parameter_builder builder{OSSL_PARAM_BLD_new()};
    if (!modulus || !exponent || !builder ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
        refuse("An RSA key is not valid.");
    return from_parameters("RSA", builder.get());
}

public_key ec_key(const json& object) {
    std::string x = decoded_member(object, "x"), y = decoded_member(object, "y");
    if (x.size() != 32 || y.size() != 32) refuse("The coordinates of a P-256 key must have 32 bytes each.");
    std::string point = '\x04' + x + y;
    parameter_builder builder{OSSL_PARAM_BLD_new()};
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
        refuse("An elliptic curve key is not valid.");
    return from_parameters("EC", builder.get());
}

public_key ed25519_key(const json& object) {
    std::string x = decoded_member(object, "x");
    public_key key{EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                               reinterpret_cast<const unsigned char*>(x.data()), x.size())};
    if (!key) refuse("An Ed25519 key must have 32 bytes.");
    return key;
}

/// JWS has r and s side by side, OpenSSL wants them in DER (RFC 7518, section 3.4).
std::string der_signature(std::string_view raw) {
    std::unique_ptr<ECDSA_SIG, freed_by<ECDSA_SIG_free>> pair{ECDSA_SIG_new()};
    auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
    big_number r{BN_bin2bn(bytes, 32, nullptr)}, s{BN_bin2bn(bytes + 32, 32, nullptr)};
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
    r.release();
    s.release();
    unsigned char* encoded = nullptr;
    int size = i2d_ECDSA_SIG(pair.get(), &encoded);
    if (size <= 0) return {};
    std::string der(reinterpret_cast<char*>(encoded), static_cast<std::size_t>(size));
    OPENSSL_free(encoded);
    return der;
}

bool signed_by(EVP_PKEY* key, algorithm by, std::string_view message, std::string_view signature) {
    std::string der;
    if (by == algorithm::es256) {
        if (signature.size() != 64) return false;
        der = der_signature(signature);
        signature = der;
    }
    std::unique_ptr<EVP_MD_CTX, freed_by<EVP_MD_CTX_free>> context{EVP_MD_CTX_new()};
    const EVP_MD* digest = by == algorithm::eddsa ? nullptr : EVP_sha256();
    bool verified =
        context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
        EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                         reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
    ERR_clear_error();
    return verified;
}

/// Whether a JSON Web Key is meant for checking signatures.
bool is_for_signatures(const json& object) {
    std::string use = member(object, "use");
    if (!use.empty() && use != "sig") return false;
    auto operations = object.find("key_ops");
    if (operations == object.end()) return true;
    return operations->is_array() && std::find(operations->begin(), operations->end(), "verify") != operations->end();
}

/// The next key of a PEM file, or null at its end.
public_key next_pem_key(BIO* source) {
    char *name = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(source, &name, &header, &data, &size) != 1) {
        bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        if (!is_end) refuse("A PEM block cannot be read.");
        ERR_clear_error();
        return nullptr;
    }
    const unsigned char* at = data;
    bool is_public_key = std::string_view{name} == PEM_STRING_PUBLIC;
    public_key key{is_public_key ? d2i_PUBKEY(nullptr, &at, size) : nullptr};
    bool is_whole = key && at == data + size;
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    if (!is_public_key) refuse("A PEM block is no public key (BEGIN PUBLIC KEY).");
    if (!is_whole) refuse("A PEM public key cannot be decoded.");
    return key;
}

} // namespace

struct key_set::key {
    algorithm by;
    std::optional<std::string> kid;
    std::string secret;
    public_key shared_with_all;
};

std::optional<algorithm> algorithm_named(std::string_view name) noexcept {
    if (name == "HS256") return algorithm::hs256;
    if (name == "RS256") return algorithm::rs256;
    if (name == "ES256") return algorithm::es256;
    if (name == "EdDSA") return algorithm::eddsa;
    return std::nullopt;
}

key_set::key_set() = default;
key_set::key_set(key_set&&) noexcept = default;
key_set& key_set::operator=(key_set&&) noexcept = default;
key_set::~key_set() = default;

std::size_t key_set::size() const noexcept { return m_keys.size(); }

key_set key_set::parse(std::string_view text, const std::vector<algorithm>& algorithms) {
    if (text.size() > longest_keys)
        refuse("They have " + std::to_string(text.size()) + " bytes; " + std::to_string(longest_keys) + " are possible.");
    if (algorithms.empty()) refuse("No algorithm is given.");
    const bool is_secret = holds(algorithms, algorithm::hs256);
    if (is_secret && algorithms.size() > 1)
        refuse("HS256 goes with no other algorithm.", "A public key must never be taken for a shared secret.");

    key_set keys;
    auto add_secret = [&](std::string secret, std::optional<std::string> kid) {
        if (secret.size() < shortest_secret)
            refuse("A secret for HS256 has " + std::to_string(secret.size()) + " bytes; at least " +
                   std::to_string(shortest_secret) + " are needed.");
        keys.m_keys.push_back({algorithm::hs256, std::move(kid), std::move(secret), nullptr});
    };
    auto add_public = [&](public_key key, std::optional<std::string> kid, bool must_fit) {
        auto by = algorithm_of(key.get());
        if (by && holds(algorithms, *by))
            keys.m_keys.push_back({*by, std::move(kid), {}, std::move(key)});
        else if (must_fit)
            refuse("A key is for none of the issuer's algorithms.");
    };

    std::size_t start = text.find_first_not_of(" \t\r\n");
    std::string_view body = start == std::string_view::npos ? std::string_view{} : text.substr(start);
    if (!body.empty() && body[0] == '{') {
        auto document = parse_json_object(body);
        if (!document) refuse("They begin like JSON and are not a JSON object in which every name comes once.");
        json list = document->contains("keys") ? (*document)["keys"] : json::array({*document});
        if (!list.is_array()) refuse("Member \"keys\" of a JSON Web Key set must be an array.");
        if (list.size() > most_keys) refuse("There are more than " + std::to_string(most_keys) + " keys.");
        for (const json& object : list) {
            if (!object.is_object()) refuse("A JSON Web Key must be an object.");
            std::string type = member(object, "kty"), curve = member(object, "crv"), alg = member(object, "alg");
            std::optional<std::string> kid;
            if (object.contains("kid")) {
                if (!object["kid"].is_string()) refuse("Member \"kid\" of a JSON Web Key must be a string.");
                kid = object["kid"].get<std::string>();
            }
            if (!is_for_signatures(object)) continue;
            auto named = algorithm_named(alg);
            if (!alg.empty() && (!named || !holds(algorithms, *named))) continue;
            if (type == "oct") {
                if (is_secret) add_secret(decoded_member(object, "k"), std::move(kid));
                continue;
            }
            if (object.contains("d")) refuse("A JSON Web Key is a private one; give its public half.");
            if (is_secret) continue;
            public_key key;
            if (type == "RSA")
                key = rsa_key(object);
            else if (type == "EC" && curve == "P-256")
                key = ec_key(object);
            else if (type == "OKP" && curve == "Ed25519")
                key = ed25519_key(object);
            else
                continue;
            // What "alg" says must be what the key is.
            if (named && algorithm_of(key.get()) != named) refuse("A JSON Web Key is not for its own \"alg\".");
            add_public(std::move(key), std::move(kid), false);
        }
    } else if (is_secret) {
        if (body.substr(0, 11) == "-----BEGIN ")
            refuse("A PEM file is not a shared secret.", "Name RS256, ES256 or EdDSA as the algorithm.");
        add_secret(std::string{text}, std::nullopt);
    } else {
        if (text.find("PRIVATE KEY-----") != std::string_view::npos) refuse("A private key was given; give its public half.");
        std::unique_ptr<BIO, freed_by<BIO_free>> source{
            BIO_new_mem_buf(body.data(), static_cast<int>(body.size()))};
        if (!source) refuse("They could not be read.");
        while (public_key key = next_pem_key(source.get())) {
            if (keys.m_keys.size() >= most_keys) refuse("There are more than " + std::to_string(most_keys) + " keys.");
            add_public(std::move(key), std::nullopt, true);
        }
    }
    if (keys.m_keys.empty())
        refuse("There is no key in them for the issuer's algorithms.",
               "Give PEM public keys, a JSON Web Key set, or for HS256 the shared secret.");
    return keys;
}

bool key_set::verifies(algorithm by, const std::optional<std::string>& kid, std::string_view message,
                       std::string_view signature) const {
    bool verified = false;
    for (const key& candidate : m_keys) {
        if (candidate.by != by || (kid && candidate.kid && *kid != *candidate.kid)) continue;
        if (by == algorithm::hs256)
            verified |= same_bytes(view(hmac_sha256(candidate.secret, message)), signature);
        else
            verified = verified || signed_by(candidate.shared_with_all.get(), by, message, signature);
    }
    return verified;
}

} // namespace tenancy::credentials
