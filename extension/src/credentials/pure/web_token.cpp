#include "pure/pure.hpp"

#include "credentials/pure/web_token.hpp"

#include "credentials/pure/crypto.hpp"
#include "credentials/pure/encoding.hpp"
#include "credentials/pure/json_object.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace tenancy::credentials {

namespace {

using json = nlohmann::json;

/// A NumericDate: seconds since 1970, perhaps with a fraction.
std::optional<double> time_of(const json& value) {
    if (!value.is_number()) return std::nullopt;
    double seconds = value.get<double>();
    return std::isfinite(seconds) ? std::optional{seconds} : std::nullopt;
}

} // namespace

std::optional<claims> claims::parse(std::string_view text) {
    if (text.size() > longest_token) return std::nullopt;
    auto object = parse_json_object(text);
    if (!object) return std::nullopt;
    claims result;
    result.m_object = std::make_shared<const json>(std::move(*object));
    return result;
}

std::optional<std::string> claims::text(const std::string& path) const {
    const json* found = &*m_object;
    if (!is_claim_path(path)) return std::nullopt;
    if (path[0] == '/') {
        json::json_pointer pointer{path};
        try {
            if (!found->contains(pointer)) return std::nullopt;
            found = &found->at(pointer);
        } catch (const json::exception&) {
            // An index that no array can have.
            return std::nullopt;
        }
    } else {
        auto member = found->find(path);
        if (member == found->end()) return std::nullopt;
        found = &*member;
    }
    if (!found->is_string()) return std::nullopt;
    auto value = found->get<std::string>();
    if (value.empty() || value.find('\0') != std::string::npos) return std::nullopt;
    return value;
}

bool claims::hold(const claim_rules& rules) const {
    auto now = static_cast<double>(rules.now), skew = static_cast<double>(rules.skew);
    auto exp = m_object->find("exp");
    if (exp == m_object->end()) return false;
    auto end = time_of(*exp);
    if (!end || now >= *end + skew) return false;
    auto nbf = m_object->find("nbf");
    if (nbf != m_object->end()) {
        auto begin = time_of(*nbf);
        if (!begin || now < *begin - skew) return false;
    }
    auto aud = m_object->find("aud");
    if (!rules.audience) return aud == m_object->end();
    if (aud == m_object->end()) return false;
    if (aud->is_string()) return aud->get_ref<const std::string&>() == *rules.audience;
    return aud->is_array() && std::find(aud->begin(), aud->end(), *rules.audience) != aud->end();
}

std::optional<web_token> web_token::parse(std::string_view text) {
    if (text.size() > longest_token) return std::nullopt;
    std::size_t first = text.find('.');
    if (first == std::string_view::npos) return std::nullopt;
    std::size_t second = text.find('.', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    // A third dot is not in the alphabet of base64url, so that an encrypted token of five parts ends here too.
    auto header_text = from_base64url(text.substr(0, first));
    auto claims_text = from_base64url(text.substr(first + 1, second - first - 1));
    auto signature = from_base64url(text.substr(second + 1));
    if (!header_text || !claims_text || !signature || signature->empty()) return std::nullopt;

    auto header = parse_json_object(*header_text);
    if (!header) return std::nullopt;
    auto alg = header->find("alg"), kid = header->find("kid");
    if (alg == header->end() || !alg->is_string()) return std::nullopt;
    auto by = algorithm_named(alg->get_ref<const std::string&>());
    // What is marked critical must be understood, and we understand no extension (RFC 7515, section 4.1.11).
    if (!by || header->contains("crit")) return std::nullopt;
    std::optional<std::string> named_key;
    if (kid != header->end()) {
        if (!kid->is_string()) return std::nullopt;
        named_key = kid->get<std::string>();
    }
    auto said = claims::parse(*claims_text);
    if (!said) return std::nullopt;
    return web_token{*by,
                     std::move(named_key),
                     text.substr(0, second),
                     std::move(*signature),
                     std::move(*claims_text),
                     std::move(*said)};
}

std::string sign(std::string_view claims_as_json, std::string_view kid, std::string_view secret) {
    std::string header = json{{"alg", "HS256"}, {"kid", kid}, {"typ", "JWT"}}.dump();
    std::string text = base64url(header) + '.' + base64url(claims_as_json);
    return text + '.' + base64url(view(hmac_sha256(secret, text)));
}

bool is_claim_path(const std::string& path) {
    if (path.empty() || path.size() > 255) return false;
    if (path[0] != '/') return true;
    // A tilde of a JSON pointer is followed by 0 or 1 (RFC 6901, section 3).
    for (std::size_t i = path.find('~'); i != std::string::npos; i = path.find('~', i + 1))
        if (i + 1 >= path.size() || (path[i + 1] != '0' && path[i + 1] != '1')) return false;
    return true;
}

} // namespace tenancy::credentials
