#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tenancyctl/conninfo.hpp"
#include "tenancyctl/files.hpp"
#include "tenancyctl/progress.hpp"
#include "tenancyctl/text.hpp"

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

std::vector<std::string> paths_of(const std::vector<found_file>& files) {
    std::vector<std::string> paths;
    for (const auto& file : files)
        paths.push_back(file.path);
    return paths;
}

using list = std::vector<std::string>;

TEST_F(files, folders_stand_for_what_is_in_them) {
    const auto b = write("b.txt", "b");
    const auto a = write("a/deep/a.txt", "a");
    write(".hidden", "no");
    write(".git/config", "no");
    EXPECT_EQ(paths_of(find_files({folder.string()}).files), (list{a, b}));
}

TEST_F(files, each_file_comes_once_under_its_own_name) {
    const auto gpl = write("GPL-3", "text");
    fs::create_symlink("GPL-3", folder / "GPL");
    fs::create_symlink("nowhere", folder / "dangling");
    fs::create_directory_symlink(".", folder / "loop");
    EXPECT_EQ(paths_of(find_files({folder.string()}).files), (list{gpl}));
    EXPECT_EQ(paths_of(find_files({gpl, folder.string(), gpl}).files), (list{gpl}));
    EXPECT_EQ(paths_of(find_files({(folder / "GPL").string()}).files), (list{(folder / "GPL").string()}));
}

TEST_F(files, the_same_file_has_the_same_identity_however_it_is_named) {
    const auto path = fs::canonical(write("one/README.md", "one")).string();
    write("two/README.md", "two");
    const auto before = fs::current_path();
    fs::current_path(folder / "one");
    const auto here = find_files({"./README.md"}).files, plain = find_files({"README.md"}).files,
               around = find_files({"../one/../one"}).files;
    fs::current_path(before);
    for (const auto& found : {here, plain, around}) {
        ASSERT_EQ(found.size(), 1u);
        EXPECT_EQ(found[0].identity, path);
    }
    const auto both = find_files({folder.string()}).files;
    ASSERT_EQ(both.size(), 2u);
    EXPECT_NE(both[0].identity, both[1].identity) << "two projects' files of one name are two";
}

TEST_F(files, a_root_makes_identities_that_other_machines_share) {
    write("docs/a/one.txt", "1");
    const auto outside = write("other.txt", "2");
    const auto found = find_files({(folder / "docs/a").string(), outside}, (folder / "docs").string());
    ASSERT_EQ(found.files.size(), 1u);
    EXPECT_EQ(found.files[0].identity, "a/one.txt");
    ASSERT_EQ(found.failed.size(), 1u);
    EXPECT_EQ(found.failed[0].path, outside);
    EXPECT_NE(found.failed[0].why.find("outside of the root"), std::string::npos);
    EXPECT_THROW(find_files({outside}, (folder / "no").string()), std::runtime_error);
    EXPECT_THROW(find_files({outside}, outside), std::runtime_error);
}

TEST_F(files, a_link_does_not_lead_out_of_its_folder) {
    const auto secret = write("secret.txt", "s");
    const auto named = write("in/real.txt", "r");
    fs::create_symlink(secret, folder / "in/link.txt");
    fs::create_symlink("../secret.txt", folder / "in/relative.txt");
    const auto found = find_files({(folder / "in").string()});
    EXPECT_EQ(paths_of(found.files), (list{named}));
    ASSERT_EQ(found.skipped.size(), 2u);
    EXPECT_EQ(found.skipped[0].why, "it is a link that leads out of the folder");
    EXPECT_EQ(find_files({(folder / "in/link.txt").string()}).files.size(), 1u) << "who names it means it";
}

TEST_F(files, one_that_is_missing_is_reported_and_the_others_are_found) {
    const auto there = write("there.txt", "t");
    const auto found = find_files({(folder / "no").string(), there, "/dev/null"});
    EXPECT_EQ(paths_of(found.files), (list{there}));
    ASSERT_EQ(found.failed.size(), 2u);
    EXPECT_EQ(found.failed[0].why, "there is no such file or folder");
    EXPECT_EQ(found.failed[1].why, "it is neither a file nor a folder");
    EXPECT_THROW(read_file((folder / "no").string()), std::runtime_error);
    EXPECT_TRUE(find_files({}).files.empty());
    EXPECT_TRUE(find_files({(folder / "no").string()}).files.empty());
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
    EXPECT_EQ(clean_text("a\r"), "a\n");
    EXPECT_EQ(clean_text("\xef\xbb\xbftext"), "text");
    EXPECT_EQ(clean_text(std::string("a\0b", 3)), "ab");
    EXPECT_EQ(clean_text("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(text, utf8_is_what_postgresql_takes) {
    for (const char* good : {"", "plain", "gr\xc3\xbc\xc3\x9f \xe6\xbc\xa2 \xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
        EXPECT_TRUE(is_utf8(good)) << good;
    // Overlong, surrogate, beyond U+10FFFF, cut off.
    for (const char* bad : {"gr\xfc\xdf", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\xe6\xbc",
                            "\xf0\x9f\x98"})
        EXPECT_FALSE(is_utf8(bad));
}

TEST(text, other_encodings_are_named_and_never_guessed) {
    EXPECT_EQ(decode("gr\xc3\xbc\xc3\x9f", ""), "gr\xc3\xbc\xc3\x9f");
    EXPECT_THROW(decode("gr\xfc\xdf", ""), std::runtime_error);
    EXPECT_EQ(decode("gr\xfc\xdf", "LATIN1"), "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(decode("gr\xc3\xbc\xc3\x9f", "LATIN1"), "gr\xc3\xbc\xc3\x9f") << "what is UTF-8 stays";
    EXPECT_THROW(decode("\xff", "ASCII"), std::runtime_error);
    EXPECT_THROW(decode("\xff", "no such encoding"), std::invalid_argument);
    std::string large(100'000, '\xfc');
    EXPECT_EQ(decode(large, "LATIN1").size(), 200'000u);
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
