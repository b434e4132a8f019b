#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace fs = std::filesystem;

namespace {

// Installs the SDK to a folder of its own and uses it from there, as a project that knows only the installed
// files.
class install : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        char name[] = "/tmp/tenancy_install.XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
        // Root may have installed from this build before; what it left there must not be in the way.
        fs::remove(fs::path{BUILD_FOLDER} / "install_manifest.txt");
        installed = shell(std::string{CMAKE_PROGRAM} + " --install '" + BUILD_FOLDER + "' --prefix '" +
                          (folder / "prefix").string() + "'") == 0;
    }
    static void TearDownTestSuite() { fs::remove_all(folder); }

    void SetUp() override { ASSERT_TRUE(installed) << output(); }

    static int shell(const std::string& command) {
        return std::system(("{ " + command + "; } >'" + (folder / "output").string() + "' 2>&1").c_str());
    }
    static std::string output() {
        std::ifstream in{folder / "output"};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    inline static fs::path folder;
    inline static bool installed = false;
};

TEST_F(install, a_project_finds_links_and_runs_it) {
    const std::string build = (folder / "build").string();
    ASSERT_EQ(shell(std::string{CMAKE_PROGRAM} + " -S '" + CONSUMER_FOLDER + "' -B '" + build +
                    "' -DEXPECTED_VERSION=" + EXPECTED_VERSION +
                    " '-DCMAKE_PREFIX_PATH=" + (folder / "prefix").string() + ";" + DEPENDENCY_PREFIX +
                    "' && " + CMAKE_PROGRAM + " --build '" + build + "'"),
              0)
        << output();
    ASSERT_EQ(shell("'" + build + "/consumer'"), 0) << output();
    EXPECT_EQ(output(), std::string{EXPECTED_VERSION} + "\n");
}

TEST_F(install, every_public_header_stands_alone) {
    const fs::path include = folder / "prefix" / "include";
    std::string sources;
    for (const auto& entry : fs::recursive_directory_iterator{include / "tenancy"}) {
        if (!entry.is_regular_file())
            continue;
        const auto header = fs::relative(entry.path(), include).string();
        std::ofstream{folder / "one.cpp"} << "#include <" << header << ">\n#include <" << header << ">\n";
        EXPECT_EQ(shell(std::string{CXX_PROGRAM} + " " + CXX_STANDARD_FLAG +
                        " -fsyntax-only -Wall -Wextra -Werror -I'" + include.string() + "' -isystem '" +
                        DEPENDENCY_PREFIX + "/include' '" + (folder / "one.cpp").string() + "'"),
                  0)
            << header << "\n"
            << output();
    }
}

TEST_F(install, pkg_config_knows_it) {
    if (shell("command -v pkg-config") != 0)
        GTEST_SKIP() << "there is no pkg-config";
    const std::string path = "PKG_CONFIG_PATH='" + (folder / "prefix").string() + "/" + LIBRARY_FOLDER +
                             "/pkgconfig:" + DEPENDENCY_PREFIX + "/lib/pkgconfig' ";
    ASSERT_EQ(shell(path + "pkg-config --modversion tenancy"), 0) << output();
    EXPECT_EQ(output(), std::string{EXPECTED_VERSION} + "\n");
    ASSERT_EQ(shell(path + "pkg-config --cflags --libs tenancy"), 0) << output();
    EXPECT_NE(output().find("-ltenancy"), std::string::npos);
    const std::string flags = output();
    const auto from = flags.find("-I") + 2;
    EXPECT_TRUE(
        fs::exists(fs::path{flags.substr(from, flags.find(' ', from) - from)} / "tenancy" / "tenancy.hpp"))
        << flags;
}

TEST_F(install, the_tool_runs_from_where_it_is_installed) {
    ASSERT_EQ(shell("'" + (folder / "prefix" / "bin" / "tenancyctl").string() + "' --version"), 0)
        << output();
    EXPECT_EQ(output(), std::string{"tenancyctl "} + EXPECTED_VERSION + "\n");
}

} // namespace
