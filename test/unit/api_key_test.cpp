#include "credentials/pure/api_key.hpp"

#include "credentials/pure/crypto.hpp"
#include "credentials/pure/encoding.hpp"

#include <gtest/gtest.h>

using namespace tenancy::credentials;

namespace {

std::string sample(std::string_view prefix = "acme", std::string_view environment = "live") {
    std::uint8_t short_id[random_short_id_bytes], secret[random_secret_bytes];
    for (std::size_t i = 0; i < sizeof short_id; ++i) short_id[i] = static_cast<std::uint8_t>(3 * i + 1);
    for (std::size_t i = 0; i < sizeof secret; ++i) secret[i] = static_cast<std::uint8_t>(7 * i);
    return format_api_key(prefix, environment, short_id, secret);
}

/// A text with the checksum that its other parts call for.
std::string with_checksum(const std::string& text) {
    std::uint32_t value = crc32(text);
    const std::uint8_t bytes[] = {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
                                  static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    return text + base58(bytes, sizeof bytes, checksum_size);
}

bool parses(std::string_view text) {
    api_key_parts parts;
    return parse_api_key(text, parts);
}

} // namespace

TEST(api_key, is_taken_apart_as_it_was_put_together) {
    std::string text = sample();
    api_key_parts parts;
    ASSERT_TRUE(parse_api_key(text, parts));
    EXPECT_EQ(parts.prefix, "acme");
    EXPECT_EQ(parts.environment, "live");
    EXPECT_EQ(parts.short_id.size(), short_id_size);
    EXPECT_EQ(parts.secret.size(), secret_size);
    EXPECT_EQ(parts.authenticated.size() + checksum_size, text.size());
    EXPECT_TRUE(parses(sample("a", "test")));
    EXPECT_TRUE(parses(sample("abcdefghijklmn01", "live")));
    EXPECT_EQ(sample("abcdefghijklmn01", "live").size(), longest_api_key);
}

TEST(api_key, no_character_may_differ) {
    const std::string text = sample();
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        EXPECT_FALSE(parses(changed)) << i;
        EXPECT_FALSE(parses(text.substr(0, i))) << i;
    }
    EXPECT_FALSE(parses(text + "1"));
    EXPECT_FALSE(parses(" " + text));
    EXPECT_FALSE(parses(text + std::string(1, '\0')));
    EXPECT_FALSE(parses(""));
    EXPECT_FALSE(parses("____"));
}

TEST(api_key, shape_counts_also_where_the_checksum_is_right) {
    const std::string id(short_id_size, 'a'), secret(secret_size, 'b');
    EXPECT_TRUE(parses(with_checksum("acme_live_" + id + "_" + secret)));
    EXPECT_FALSE(parses(with_checksum("Acme_live_" + id + "_" + secret)));
    EXPECT_FALSE(parses(with_checksum("1acme_live_" + id + "_" + secret)));
    EXPECT_FALSE(parses(with_checksum("_live_" + id + "_" + secret)));
    EXPECT_FALSE(parses(with_checksum("abcdefghijklmnopq_live_" + id + "_" + secret)));
    EXPECT_FALSE(parses(with_checksum("acme_dev_" + id + "_" + secret)));
    EXPECT_FALSE(parses(with_checksum("acme_live_" + id + "a_" + secret)));
    EXPECT_FALSE(parses(with_checksum("acme_live_" + id.substr(1) + "_" + secret)));
    EXPECT_FALSE(parses(with_checksum("acme_live_" + id.substr(1) + "0_" + secret)));
    EXPECT_FALSE(parses(with_checksum("acme_live_" + id + "_" + secret.substr(1))));
    EXPECT_FALSE(parses(with_checksum("acme_live_" + id + "_" + secret + "b")));
    EXPECT_FALSE(parses(with_checksum("acme_live_" + id + "_" + secret.substr(1) + "l")));
}

TEST(api_key, a_failed_parse_leaves_the_parts_alone) {
    api_key_parts parts;
    parts.prefix = "before";
    EXPECT_FALSE(parse_api_key("nonsense", parts));
    EXPECT_EQ(parts.prefix, "before");
}

// RFC 4231, test cases 1 and 2.
TEST(crypto, hmac_sha256_of_the_standard) {
    auto hex = [](const mac& value) {
        std::string text;
        for (std::uint8_t byte : value) {
            text += "0123456789abcdef"[byte >> 4];
            text += "0123456789abcdef"[byte & 15];
        }
        return text;
    };
    EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(hmac_sha256("", "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(crypto, same_bytes_compares_lengths_too) {
    EXPECT_TRUE(same_bytes("", ""));
    EXPECT_TRUE(same_bytes("abc", "abc"));
    EXPECT_FALSE(same_bytes("abc", "abd"));
    EXPECT_FALSE(same_bytes("abc", "abcd"));
}
