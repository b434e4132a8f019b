#include "credentials/pure/encoding.hpp"

#include <gtest/gtest.h>

using namespace tenancy::credentials;

TEST(encoding, crc32_has_the_catalogued_check_value) {
    EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
    EXPECT_EQ(crc32(""), 0u);
}

// The first vector of the Base58 draft (draft-msporny-base58).
TEST(encoding, base58_writes_numbers_of_a_fixed_width) {
    const std::uint8_t hello[] = {'H', 'e', 'l', 'l', 'o', ' ', 'W', 'o', 'r', 'l', 'd', '!'};
    EXPECT_EQ(base58(hello, sizeof hello, 17), "2NEpo7TZRRrLZSi2U");
    EXPECT_EQ(base58(hello, sizeof hello, 20), "1112NEpo7TZRRrLZSi2U");
    EXPECT_EQ(base58(hello, sizeof hello, 3), "i2U");
    EXPECT_EQ(base58(nullptr, 0, 4), "1111");
    std::uint8_t largest[32];
    for (auto& byte : largest) byte = 0xff;
    EXPECT_EQ(base58(largest, sizeof largest, 44).size(), 44u);
    EXPECT_TRUE(is_base58(base58(largest, sizeof largest, 44)));
    EXPECT_EQ(base58(largest, sizeof largest, 45)[0], '1');
}

TEST(encoding, base58_leaves_out_what_people_mistake) {
    for (const char* text : {"0", "O", "I", "l", "a b", "_", "\xc3\xa4"}) EXPECT_FALSE(is_base58(text)) << text;
    EXPECT_TRUE(is_base58(base58_digits));
}

// RFC 7515, appendix C.
TEST(encoding, base64url_has_no_padding) {
    const std::string bytes{"\x03\xec\xff\xe0\xc1", 5};
    EXPECT_EQ(base64url(bytes), "A-z_4ME");
    EXPECT_EQ(from_base64url("A-z_4ME"), bytes);
    EXPECT_EQ(base64url(""), "");
    EXPECT_EQ(from_base64url(""), "");
}

TEST(encoding, base64url_has_one_text_for_one_value) {
    for (const char* text : {"A", "A-z_4ME=", "A+z/4ME", "A-z_4MF", "QR", "QUF", "A-z_ 4ME", "A-z_4ME\n"})
        EXPECT_FALSE(from_base64url(text)) << text;
    EXPECT_EQ(from_base64url("QQ"), "A");
    EXPECT_EQ(from_base64url("QUE"), "AA");
}

TEST(encoding, base64url_takes_back_what_it_wrote) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(from_base64url(base64url(bytes)), bytes);
        bytes += static_cast<char>(i * 37);
    }
}
