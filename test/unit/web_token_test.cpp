#include "credentials/pure/web_token.hpp"

#include "credentials/pure/crypto.hpp"
#include "credentials/pure/encoding.hpp"
#include "pure/error.hpp"

#include <gtest/gtest.h>

using namespace tenancy::credentials;

namespace {

// RFC 7515, appendices A.1 to A.3, and RFC 8037, appendix A.4.
const std::string rfc_payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

const std::string hs256_token =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfc_payload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const std::string hs256_key =
    R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";

const std::string rs256_token =
    "eyJhbGciOiJSUzI1NiJ9." + rfc_payload +
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1"
    "dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu"
    "sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const std::string rs256_key =
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL)"
    R"(-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7W)"
    R"(TBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD)"
    R"(TW9gb54h4FRWyuXpoQ","e":"AQAB"})";

const std::string es256_token =
    "eyJhbGciOiJFUzI1NiJ9." + rfc_payload +
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const std::string es256_key =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";

const std::string eddsa_signed_part = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const std::string eddsa_signature =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
const std::string eddsa_key = R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";

bool verifies(const std::string& token, const std::string& keys, const std::vector<algorithm>& algorithms) {
    auto parsed = web_token::parse(token);
    return parsed && key_set::parse(keys, algorithms).verifies(parsed->by, parsed->kid, parsed->signed_part, parsed->signature);
}

std::string unsigned_token(const std::string& header, const std::string& payload) {
    return base64url(header) + '.' + base64url(payload) + ".AAAA";
}

const std::vector<algorithm> any_public{algorithm::rs256, algorithm::es256, algorithm::eddsa};

} // namespace

TEST(web_token, signatures_of_the_standards_verify) {
    EXPECT_TRUE(verifies(hs256_token, hs256_key, {algorithm::hs256}));
    EXPECT_TRUE(verifies(rs256_token, rs256_key, {algorithm::rs256}));
    EXPECT_TRUE(verifies(es256_token, es256_key, {algorithm::es256}));
    auto signature = from_base64url(eddsa_signature);
    ASSERT_TRUE(signature);
    EXPECT_TRUE(key_set::parse(eddsa_key, {algorithm::eddsa}).verifies(algorithm::eddsa, std::nullopt, eddsa_signed_part, *signature));
    EXPECT_FALSE(key_set::parse(eddsa_key, {algorithm::eddsa}).verifies(algorithm::eddsa, std::nullopt, eddsa_signed_part + "x", *signature));
}

TEST(web_token, every_changed_character_of_a_signed_token_is_noticed) {
    for (const auto& [token, keys, by] : {std::tuple{hs256_token, hs256_key, algorithm::hs256},
                                          std::tuple{es256_token, es256_key, algorithm::es256}}) {
        for (std::size_t i = 0; i < token.size(); ++i) {
            std::string changed = token;
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            EXPECT_FALSE(verifies(changed, keys, {by})) << i;
        }
        EXPECT_FALSE(verifies(token.substr(0, token.size() - 1), keys, {by}));
        EXPECT_FALSE(verifies(token + "A", keys, {by}));
    }
}

TEST(web_token, a_signature_is_good_for_its_own_algorithm_and_key_only) {
    EXPECT_FALSE(verifies(es256_token, rs256_key, any_public));
    EXPECT_FALSE(verifies(rs256_token, es256_key, any_public));
    EXPECT_FALSE(verifies(hs256_token, rs256_key, any_public));
    // The old trick: HS256 with the text of the public key as its secret.
    std::string forged = sign(R"({"iss":"joe"})", "k", rs256_key);
    EXPECT_FALSE(verifies(forged, rs256_key, any_public));
    EXPECT_THROW(key_set::parse(rs256_key, {algorithm::hs256}), tenancy::error);
    EXPECT_THROW(key_set::parse(rs256_key, {algorithm::hs256, algorithm::rs256}), tenancy::error);
}

TEST(web_token, none_and_what_is_unknown_are_refused) {
    for (const char* alg : {"none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS384", "PS256", "ES384", "ES512", "hs256", "ES256K"})
        EXPECT_FALSE(web_token::parse(unsigned_token(std::string{R"({"alg":")"} + alg + R"("})", "{}"))) << alg;
    EXPECT_TRUE(web_token::parse(unsigned_token(R"({"alg":"HS256"})", "{}")));
    EXPECT_FALSE(web_token::parse(unsigned_token(R"({"alg":["HS256"]})", "{}")));
    EXPECT_FALSE(web_token::parse(unsigned_token(R"({"alg":null})", "{}")));
    EXPECT_FALSE(web_token::parse(unsigned_token(R"({})", "{}")));
    EXPECT_FALSE(web_token::parse(unsigned_token(R"({"alg":"HS256","crit":["exp"]})", "{}")));
    EXPECT_FALSE(web_token::parse(unsigned_token(R"({"alg":"HS256","kid":7})", "{}")));
    EXPECT_FALSE(web_token::parse(unsigned_token(R"({"alg":"none","alg":"HS256"})", "{}")));
}

TEST(web_token, shape_is_three_parts_of_json_objects) {
    const std::string header = base64url(R"({"alg":"HS256"})"), body = base64url("{}");
    EXPECT_TRUE(web_token::parse(header + '.' + body + ".AAAA"));
    for (const std::string& text : {std::string{}, std::string{"."}, std::string{".."}, header, header + '.' + body,
                                    header + '.' + body + '.', header + '.' + body + ".AAAA.AAAA", header + "=." + body + ".AAAA",
                                    header + '.' + body + ".A", ' ' + header + '.' + body + ".AAAA",
                                    header + '.' + base64url("[]") + ".AAAA", header + '.' + base64url("{} {}") + ".AAAA",
                                    header + '.' + base64url(R"({"a":1,"a":2})") + ".AAAA",
                                    header + '.' + base64url("{\"a\":\"\xff\"}") + ".AAAA",
                                    header + '.' + base64url(std::string(10000, '[')) + ".AAAA"})
        EXPECT_FALSE(web_token::parse(text)) << text;
    EXPECT_FALSE(web_token::parse(header + '.' + base64url("{\"a\":\"" + std::string(longest_token, 'x') + "\"}") + ".AAAA"));
}

TEST(web_token, a_name_that_comes_twice_is_refused_at_every_depth) {
    const std::string header = R"({"alg":"HS256"})";
    const std::vector<std::string> ambiguous{
        R"({"exp":1,"exp":2})",
        R"({"app":{"tenant":"a","tenant":"b"}})",
        R"({"app":{"tenant":"a"},"app":{"tenant":"b"}})",
        R"({"app":[{"x":1},{"tenant":"a","tenant":"b"}]})",
        R"({"a":{"b":{"c":{"d":1,"e":{},"d":{}}}}})",
        R"({"app":{"tenant":"a","ten\u0061nt":"b"}})",
        R"({"app":{"":1,"":2}})",
    };
    for (const std::string& text : ambiguous) {
        EXPECT_FALSE(claims::parse(text)) << text;
        EXPECT_FALSE(web_token::parse(unsigned_token(header, text))) << text;
    }
    EXPECT_FALSE(web_token::parse(unsigned_token(R"({"alg":"HS256","jwk":{"k":"a","k":"b"}})", "{}")));

    const std::vector<std::string> clear{
        R"({"app":{"tenant":"a"},"tenant":"b"})",
        R"({"app":[{"tenant":"a"},{"tenant":"b"}]})",
        R"({"tenant":{"tenant":{"tenant":"a"}},"x":{"tenant":"a"}})",
        R"({"a":{"b":1},"c":{"b":1},"b":1})",
    };
    for (const std::string& text : clear) {
        EXPECT_TRUE(claims::parse(text)) << text;
        EXPECT_TRUE(web_token::parse(unsigned_token(header, text))) << text;
    }
    EXPECT_EQ(claims::parse(clear[2])->text("/tenant/tenant/tenant"), "a");
}

TEST(key_set, refuses_a_name_that_comes_twice) {
    const std::vector<std::string> ambiguous{
        R"({"keys":[],"keys":[)" + es256_key + "]}",
        R"({"keys":[{"kty":"EC","kty":"oct","crv":"P-256","x":"a","y":"b"}]})",
        es256_key.substr(0, es256_key.size() - 1) + R"(,"other":{"a":1,"a":2}})",
    };
    for (const std::string& text : ambiguous) {
        try {
            key_set::parse(text, {algorithm::es256});
            ADD_FAILURE() << text;
        } catch (const tenancy::error& e) {
            EXPECT_NE(e.detail().find("in which every name comes once"), std::string::npos) << text << ": " << e.detail();
        }
    }
    EXPECT_EQ(key_set::parse(R"({"keys":[)" + es256_key + "," + es256_key + "]}", {algorithm::es256}).size(), 2u);
}

TEST(web_token, what_we_sign_verifies) {
    const std::string secret(32, 's');
    std::string token = sign(R"({"exp":2000})", "3", secret);
    auto parsed = web_token::parse(token);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->kid, "3");
    EXPECT_EQ(parsed->claims_text, R"({"exp":2000})");
    EXPECT_TRUE(verifies(token, secret, {algorithm::hs256}));
    EXPECT_FALSE(verifies(token, std::string(32, 't'), {algorithm::hs256}));
}

TEST(claims, hold_between_nbf_and_exp) {
    auto holds = [](const char* text, std::int64_t now, std::int64_t skew = 0) {
        return claims::parse(text)->hold({std::nullopt, now, skew});
    };
    EXPECT_TRUE(holds(R"({"exp":100})", 99));
    EXPECT_FALSE(holds(R"({"exp":100})", 100));
    EXPECT_TRUE(holds(R"({"exp":100})", 129, 30));
    EXPECT_FALSE(holds(R"({"exp":100})", 130, 30));
    EXPECT_TRUE(holds(R"({"exp":100.5})", 100));
    EXPECT_TRUE(holds(R"({"exp":100,"nbf":50})", 50));
    EXPECT_FALSE(holds(R"({"exp":100,"nbf":50})", 49));
    EXPECT_TRUE(holds(R"({"exp":100,"nbf":50})", 20, 30));
    EXPECT_FALSE(holds(R"({"exp":100,"nbf":50})", 19, 30));
    EXPECT_TRUE(holds(R"({"exp":1e300})", 99));
    for (const char* text : {"{}", R"({"exp":"100"})", R"({"exp":null})", R"({"exp":true})", R"({"exp":-1})", R"({"exp":100,"nbf":"1"})"})
        EXPECT_FALSE(holds(text, 10)) << text;
}

TEST(claims, are_for_the_audience) {
    auto holds = [](const char* text, std::optional<std::string> audience) {
        return claims::parse(text)->hold({std::move(audience), 1, 0});
    };
    EXPECT_TRUE(holds(R"({"exp":9,"aud":"us"})", "us"));
    EXPECT_TRUE(holds(R"({"exp":9,"aud":["them","us"]})", "us"));
    EXPECT_TRUE(holds(R"({"exp":9})", std::nullopt));
    EXPECT_FALSE(holds(R"({"exp":9})", "us"));
    EXPECT_FALSE(holds(R"({"exp":9,"aud":"them"})", "us"));
    EXPECT_FALSE(holds(R"({"exp":9,"aud":["them"]})", "us"));
    EXPECT_FALSE(holds(R"({"exp":9,"aud":[]})", "us"));
    EXPECT_FALSE(holds(R"({"exp":9,"aud":{"us":1}})", "us"));
    EXPECT_FALSE(holds(R"({"exp":9,"aud":"us"})", std::nullopt));
}

TEST(claims, are_found_by_name_or_pointer) {
    auto said = claims::parse(R"({"sub":"a","https://x.example/tenant":"b","app":{"tenant":"c","list":["d"]},"n":1,"z":"\u0000","e":""})");
    ASSERT_TRUE(said);
    EXPECT_EQ(said->text("sub"), "a");
    EXPECT_EQ(said->text("https://x.example/tenant"), "b");
    EXPECT_EQ(said->text("/app/tenant"), "c");
    EXPECT_EQ(said->text("/app/list/0"), "d");
    for (const char* path : {"", "n", "z", "e", "app", "none", "/app/none", "/app/list/1", "/app/list/-", "/app/list/x", "/app/list/00",
                             "/app/list/99999999999999999999999", "/sub/x", "/app~2", "/~", "app.tenant"})
        EXPECT_FALSE(said->text(path)) << path;
}

TEST(claims, paths_are_checked) {
    EXPECT_TRUE(is_claim_path("tenant"));
    EXPECT_TRUE(is_claim_path("/a~0b/~1"));
    EXPECT_FALSE(is_claim_path(""));
    EXPECT_FALSE(is_claim_path("/a~"));
    EXPECT_FALSE(is_claim_path("/a~2"));
    EXPECT_FALSE(is_claim_path(std::string(256, 'a')));
}

TEST(key_set, chooses_by_kid) {
    const std::string first(32, 'a'), second(32, 'b');
    const std::string set = R"({"keys":[{"kty":"oct","kid":"1","k":")" + base64url(first) + R"("},{"kty":"oct","kid":"2","k":")" +
                            base64url(second) + R"("}]})";
    EXPECT_TRUE(verifies(sign("{}", "1", first), set, {algorithm::hs256}));
    EXPECT_TRUE(verifies(sign("{}", "2", second), set, {algorithm::hs256}));
    EXPECT_FALSE(verifies(sign("{}", "1", second), set, {algorithm::hs256}));
    EXPECT_FALSE(verifies(sign("{}", "3", first), set, {algorithm::hs256}));
}

TEST(key_set, passes_over_keys_that_are_for_something_else) {
    const std::string set = R"({"keys":[{"kty":"EC","crv":"secp256k1","x":"","y":""},{"kty":"new"},)" + rs256_key + ',' +
                            es256_key.substr(0, es256_key.size() - 1) + R"(,"use":"enc"},)" +
                            eddsa_key.substr(0, eddsa_key.size() - 1) + R"(,"key_ops":["sign"]},)" + hs256_key + "]}";
    EXPECT_EQ(key_set::parse(set, any_public).size(), 1u);
    EXPECT_TRUE(verifies(rs256_token, set, any_public));
    EXPECT_FALSE(verifies(es256_token, set, any_public));
    EXPECT_EQ(key_set::parse(set, {algorithm::hs256}).size(), 1u);
    EXPECT_THROW(key_set::parse(set, {algorithm::es256}), tenancy::error);
}

TEST(key_set, refuses_what_cannot_be_used_with_the_reason) {
    auto refused = [](const std::string& text, const std::vector<algorithm>& algorithms) {
        try {
            key_set::parse(text, algorithms);
        } catch (const tenancy::error& e) {
            EXPECT_EQ(e.sqlstate(), "22023");
            EXPECT_FALSE(e.detail().empty());
            return true;
        }
        return false;
    };
    EXPECT_TRUE(refused("", any_public));
    EXPECT_TRUE(refused("", {algorithm::hs256}));
    EXPECT_TRUE(refused("short", {algorithm::hs256}));
    EXPECT_TRUE(refused(std::string(31, 'a'), {algorithm::hs256}));
    EXPECT_FALSE(refused(std::string(32, 'a'), {algorithm::hs256}));
    EXPECT_TRUE(refused(std::string(longest_keys + 1, 'a'), {algorithm::hs256}));
    EXPECT_TRUE(refused(std::string(32, 'a'), {}));
    EXPECT_TRUE(refused("{", any_public));
    EXPECT_TRUE(refused("{}", any_public));
    EXPECT_TRUE(refused(R"({"keys":{}})", any_public));
    EXPECT_TRUE(refused(R"({"keys":[]})", any_public));
    EXPECT_TRUE(refused(R"({"keys":["x"]})", any_public));
    EXPECT_TRUE(refused(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})", any_public));
    EXPECT_TRUE(refused(R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})", any_public));
    // A point that is not on the curve.
    EXPECT_TRUE(refused(R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"})", any_public));
    EXPECT_TRUE(refused(eddsa_key.substr(0, eddsa_key.size() - 1) + R"(,"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})", any_public));
    EXPECT_TRUE(refused(eddsa_key.substr(0, eddsa_key.size() - 1) + R"(,"alg":"ES256"})", any_public));
    EXPECT_TRUE(refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", any_public));
    EXPECT_TRUE(refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\nand more text than 32 bytes", {algorithm::hs256}));
    EXPECT_TRUE(refused("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v_VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n", any_public));
}

TEST(key_set, reads_pem) {
    // The key of RFC 8037 with the fixed header that RFC 8410 gives it.
    const std::string pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    auto signature = from_base64url(eddsa_signature);
    ASSERT_TRUE(signature);
    key_set keys = key_set::parse("\n" + pem + pem, any_public);
    EXPECT_EQ(keys.size(), 2u);
    EXPECT_TRUE(keys.verifies(algorithm::eddsa, "any", eddsa_signed_part, *signature));
    EXPECT_THROW(key_set::parse(pem, {algorithm::rs256}), tenancy::error);
    EXPECT_THROW(key_set::parse(pem + "-----BEGIN PUBLIC KEY-----\nAAAA\n", any_public), tenancy::error);
}
