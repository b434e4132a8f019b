#include "credentials/pure/api_key.hpp"

#include "fuzz.hpp"

#include <cstring>

using namespace tenancy::credentials;

// What parses is what was written; what is written parses.
FUZZ_TARGET(api_key) {
    api_key_parts parts;
    if (parse_api_key(text, parts)) {
        require(parts.authenticated.size() + checksum_size == text.size());
        require(text.size() <= longest_api_key);
    }
    std::uint8_t short_id[random_short_id_bytes] = {}, secret[random_secret_bytes] = {};
    std::memcpy(short_id, text.data(), std::min(text.size(), sizeof short_id));
    std::memcpy(secret, text.data(), std::min(text.size(), sizeof secret));
    std::string made = format_api_key("acme", text.size() % 2 ? "live" : "test", short_id, secret);
    require(parse_api_key(made, parts));
}
