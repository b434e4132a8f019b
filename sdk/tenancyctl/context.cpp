#include "tenancyctl/context.hpp"

#include <cstdlib>
#include <stdexcept>

namespace tenancyctl {

tenancy::caller parse_caller(const std::string& tenant, const std::string& user) {
    const auto id = tenancy::tenant_id::parse(tenant);
    if (user.empty())
        return id ? tenancy::caller{*id} : tenancy::caller{tenancy::tenant_slug{tenant}};
    if (!id)
        throw std::invalid_argument{"--user needs the tenant's id in --tenant, not its slug"};
    return {*id, tenancy::user_id{user}};
}

std::unique_ptr<tenancy::embedder> make_embedder(const embedder_choice& choice, int corpus_dimensions) {
    const int dimensions = choice.dimensions != 0 ? choice.dimensions : corpus_dimensions;
    if (choice.kind == "hashing")
        return std::make_unique<tenancy::hashing_embedder>(dimensions != 0 ? dimensions : 256);
    tenancy::http_embedder_options options;
    options.base_url = choice.base_url;
    options.model = choice.model;
    options.dimensions = dimensions;
    options.request_dimensions = choice.dimensions != 0;
    for (const char* name : {"TENANCY_EMBEDDING_API_KEY", "OPENAI_API_KEY"}) {
        const char* key = std::getenv(name);
        if (key && *key) {
            options.api_key = key;
            break;
        }
    }
    return std::make_unique<tenancy::http_embedder>(std::move(options));
}

std::string one_line(const std::string& text, std::size_t width) {
    std::string line;
    bool blank = false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte == 0x7f) {
            blank = !line.empty();
            continue;
        }
        if (line.size() + 1 >= width && (byte & 0xc0u) != 0x80u)
            return line + "...";
        if (blank)
            line += ' ';
        blank = false;
        line += c;
    }
    return line;
}

} // namespace tenancyctl
