#include "pure/pure.hpp"

#include "credentials/pure/api_key.hpp"

#include "credentials/pure/encoding.hpp"

namespace tenancy::credentials {

namespace {

std::string checksum(std::string_view text) {
    std::uint32_t value = crc32(text);
    const std::uint8_t bytes[4] = {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
                                   static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    return base58(bytes, sizeof bytes, checksum_size);
}

/// What comes before the next underscore; nothing when there is none.
std::string_view next_part(std::string_view& rest) noexcept {
    std::size_t end = rest.find('_');
    if (end == std::string_view::npos) return {};
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return part;
}

} // namespace

bool is_prefix(std::string_view text) noexcept {
    if (text.empty() || text.size() > longest_prefix || text[0] < 'a' || text[0] > 'z') return false;
    return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos;
}

bool parse_api_key(std::string_view text, api_key_parts& parts) {
    if (text.size() > longest_api_key) return false;
    std::string_view rest = text;
    api_key_parts found;
    found.prefix = next_part(rest);
    found.environment = next_part(rest);
    found.short_id = next_part(rest);
    if (!is_prefix(found.prefix) || (found.environment != "live" && found.environment != "test")) return false;
    if (found.short_id.size() != short_id_size || !is_base58(found.short_id)) return false;
    if (rest.size() != secret_size + checksum_size || !is_base58(rest)) return false;
    found.secret = rest.substr(0, secret_size);
    found.authenticated = text.substr(0, text.size() - checksum_size);
    if (checksum(found.authenticated) != rest.substr(secret_size)) return false;
    parts = found;
    return true;
}

std::string format_api_key(std::string_view prefix, std::string_view environment,
                           const std::uint8_t (&random_short_id)[random_short_id_bytes],
                           const std::uint8_t (&random_secret)[random_secret_bytes]) {
    std::string text;
    text.append(prefix).append("_").append(environment).append("_");
    text.append(base58(random_short_id, sizeof random_short_id, short_id_size)).append("_");
    text.append(base58(random_secret, sizeof random_secret, secret_size));
    text.append(checksum(text));
    return text;
}

} // namespace tenancy::credentials
