#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tenancyctl/conninfo.hpp"
#include "tenancyctl/files.hpp"
#include "tenancyctl/progress.hpp"

namespace fs = std::filesystem;

namespace {

using namespace tenancyctl;

class files : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/tenancy_files.XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
    }
    void TearDown() override { fs::remove_all(folder); }

    std::string write(const std::string& name, const std::string& data) {
        const fs::path path = folder / name;
        fs::create_directories(path.parent_path());
        std::ofstream{path, std::ios::binary} << data;
        return path.string();
    }

    fs::path folder;
};

TEST_F(files, folders_stand_for_what_is_in_them) {
    const auto b = write("b.txt", "b");
    const auto a = write("a/deep/a.txt", "a");
    write(".hidden", "no");
    write(".git/config", "no");
    EXPECT_EQ(find_files({folder.string()}), (std::vector<std::string>{a, b}));
}

TEST_F(files, each_file_comes_once_under_its_own_name) {
    const auto gpl = write("GPL-3", "text");
    fs::create_symlink("GPL-3", folder / "GPL");
    fs::create_symlink("nowhere", folder / "dangling");
    fs::create_directory_symlink(".", folder / "loop");
    EXPECT_EQ(find_files({folder.string()}), (std::vector<std::string>{gpl}));
    EXPECT_EQ(find_files({gpl, folder.string(), gpl}), (std::vector<std::string>{gpl}));
    EXPECT_EQ(find_files({(folder / "GPL").string()}), (std::vector<std::string>{(folder / "GPL").string()}));
}

TEST_F(files, what_is_missing_is_said) {
    EXPECT_THROW(find_files({(folder / "no").string()}), std::runtime_error);
    EXPECT_THROW(find_files({"/dev/null"}), std::runtime_error);
    EXPECT_THROW(read_file((folder / "no").string()), std::runtime_error);
    EXPECT_TRUE(find_files({}).empty());
    EXPECT_TRUE(find_files({folder.string()}).empty());
}

TEST_F(files, read_gives_every_byte) {
    const std::string data("a\0b\r\n\xff", 6);
    EXPECT_EQ(read_file(write("x", data)), data);
    EXPECT_EQ(read_file(write("empty", "")), "");
}

TEST(text, binary_data_has_zero_bytes) {
    EXPECT_TRUE(looks_binary(std::string("ELF\0", 4)));
    EXPECT_FALSE(looks_binary("text"));
    EXPECT_FALSE(looks_binary(""));
}

TEST(text, cleaning_makes_it_storable) {
    EXPECT_EQ(clean_text("plain\n"), "plain\n");
    EXPECT_EQ(clean_text("a\r\nb\rc"), "a\nb\nc");
    EXPECT_EQ(clean_text("\xef\xbb\xbftext"), "text");
    EXPECT_EQ(clean_text(std::string("a\0b", 3)), "ab");
    EXPECT_EQ(clean_text("gr\xfc\xdf"), "gr\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(clean_text("gr\xc3\xbc\xc3\x9f \xe6\xbc\xa2 \xf0\x9f\x98\x80"),
              "gr\xc3\xbc\xc3\x9f \xe6\xbc\xa2 \xf0\x9f\x98\x80");
    // Overlong, surrogate, beyond U+10FFFF, cut off: PostgreSQL refuses them all.
    for (const char* bad :
         {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\xe6\xbc", "\xf0\x9f\x98"})
        EXPECT_EQ(clean_text(bad).find("\xef\xbf\xbd"), 0u);
}

TEST(conninfo, a_role_is_added_to_any_form) {
    unsetenv("PGOPTIONS");
    EXPECT_EQ(with_role("host=/x dbname=d", ""), "host=/x dbname=d");
    EXPECT_EQ(with_role("", "app"), "options='-c role=app'");
    EXPECT_EQ(with_role("postgresql://u@h/d?options=-c%20jit%3Doff", "app"),
              "user='u' dbname='d' host='h' options='-c jit=off -c role=app'");
    EXPECT_EQ(with_role("password='its'", "a b"), "password='its' options='-c role=a\\\\ b'");
    EXPECT_THROW(with_role("nonsense", "app"), std::invalid_argument);
}

TEST(progress, the_line_fits_and_is_printable) {
    EXPECT_EQ(progress_line(1, 2, "file", 80), "[############............] 1/2 file");
    EXPECT_EQ(progress_line(0, 0, "", 80), "[########################] 0/0 ");
    EXPECT_EQ(progress_line(5, 2, "x", 80).substr(0, 26), "[########################]");
    EXPECT_EQ(progress_line(1, 2, std::string(500, 'x'), 40).size(), 40u);
    EXPECT_EQ(progress_line(1, 2, "\x1b[31m\n", 80).find('\x1b'), std::string::npos);
    EXPECT_EQ(progress_line(1, 2, "x", 0), "");
}

} // namespace
