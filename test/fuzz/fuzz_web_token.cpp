#include "credentials/pure/web_token.hpp"

#include "credentials/pure/encoding.hpp"

#include "fuzz.hpp"

using namespace tenancy::credentials;

// Tokens, and texts as the claims of a token that is signed as it should be.
FUZZ_TARGET(web_token) {
    if (auto token = web_token::parse(text)) {
        require(token->signed_part.size() < text.size());
        token->said.text("sub");
        token->said.text("/app/tenant");
        token->said.hold({std::string{"us"}, 1700000000, 30});
    }
    if (auto bytes = from_base64url(text)) require(base64url(*bytes) == text);
    auto said = claims::parse(text);
    // A name that comes twice deep inside makes the whole ambiguous.
    if (said) {
        std::string twice = "{\"a\":" + std::string{text} + ",\"b\":[{\"c\":0,\"c\":1}]}";
        require(!claims::parse(twice));
    }
    const std::string secret(32, 's');
    std::string made = sign(text, "1", secret);
    auto token = web_token::parse(made);
    if (made.size() <= longest_token) require(token.has_value() == said.has_value());
    if (token)
        require(key_set::parse(secret, {algorithm::hs256})
                    .verifies(token->by, token->kid, token->signed_part, token->signature));
}
