#include "pure/pure.hpp"

#include "credentials/pure/crypto.hpp"
#include "pure/error.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace tenancy::credentials {

mac hmac_sha256(std::string_view secret, std::string_view message) {
    mac result;
    unsigned size = 0;
    // A null key means "the last one" to OpenSSL, so that an empty secret needs an address.
    const char* key = secret.empty() ? "" : secret.data();
    const unsigned char* made =
        HMAC(EVP_sha256(), key, static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(message.data()), message.size(), result.data(), &size);
    if (made == nullptr || size != result.size()) {
        ERR_clear_error();
        throw error{sqlstate::internal_error, "could not compute HMAC-SHA-256"};
    }
    return result;
}

bool same_bytes(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace tenancy::credentials
