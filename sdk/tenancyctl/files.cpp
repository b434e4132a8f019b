#include "tenancyctl/files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <system_error>

namespace fs = std::filesystem;

namespace tenancyctl {

namespace {

constexpr std::uintmax_t max_file_bytes = std::uintmax_t{64} << 20;

bool is_hidden(const fs::path& path) {
    const auto name = path.filename().string();
    return name.size() > 1 && name[0] == '.';
}

void find_below(const fs::path& folder, std::vector<fs::path>& found) {
    std::vector<fs::directory_entry> entries;
    for (const auto& entry : fs::directory_iterator{folder}) {
        if (!is_hidden(entry.path()))
            entries.push_back(entry);
    }
    std::sort(entries.begin(), entries.end());
    for (const auto& entry : entries) {
        std::error_code ignored; // a dangling link is neither
        if (entry.is_directory(ignored) && !entry.is_symlink(ignored))
            find_below(entry.path(), found);
        else if (entry.is_regular_file(ignored))
            found.push_back(entry.path());
    }
}

// Length of the UTF-8 character at the beginning of data, 0 if there is none (RFC 3629: no overlong forms, no
// surrogates).
std::size_t character_length(std::string_view data) {
    const auto byte = [&](std::size_t i) {
        return i < data.size() ? static_cast<unsigned char>(data[i]) : 0u;
    };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
    const unsigned first = byte(0);
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        if (!follows(1) || !follows(2) || (first == 0xe0 && byte(1) < 0xa0) ||
            (first == 0xed && byte(1) > 0x9f))
            return 0;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (!follows(1) || !follows(2) || !follows(3) || (first == 0xf0 && byte(1) < 0x90) ||
            (first == 0xf4 && byte(1) > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

} // namespace

std::vector<std::string> find_files(const std::vector<std::string>& paths) {
    std::vector<fs::path> found;
    for (const auto& name : paths) {
        const fs::path path{name};
        std::error_code problem;
        const auto status = fs::status(path, problem);
        if (!fs::exists(status))
            throw std::runtime_error{"no such file or folder: " + name};
        if (fs::is_directory(status))
            find_below(path, found);
        else if (fs::is_regular_file(status))
            found.push_back(path);
        else
            throw std::runtime_error{"neither a file nor a folder: " + name};
    }
    // Links last, so that a file is known by its own name where it has been found.
    std::stable_sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
        return !fs::is_symlink(a) && fs::is_symlink(b);
    });
    std::set<fs::path> seen;
    std::vector<std::string> files;
    for (const auto& path : found) {
        if (seen.insert(fs::canonical(path)).second)
            files.push_back(path.string());
    }
    return files;
}

std::string read_file(const std::string& path) {
    std::error_code problem;
    const auto size = fs::file_size(path, problem);
    if (!problem && size > max_file_bytes)
        throw std::runtime_error{path + " is larger than 64 MiB: split it first"};
    std::ifstream in{path, std::ios::binary};
    std::string data{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    if (!in)
        throw std::runtime_error{"cannot read " + path};
    return data;
}

bool looks_binary(std::string_view data) {
    return data.substr(0, 8192).find('\0') != std::string_view::npos;
}

std::string clean_text(std::string_view data) {
    if (data.substr(0, 3) == "\xef\xbb\xbf")
        data.remove_prefix(3);
    std::string text;
    text.reserve(data.size());
    while (!data.empty()) {
        const std::size_t length = character_length(data);
        if (length == 0) {
            text += "\xef\xbf\xbd";
            data.remove_prefix(1);
            continue;
        }
        if (data[0] == '\r' && data.size() > 1 && data[1] == '\n') {
            data.remove_prefix(1);
            continue;
        }
        if (data[0] != '\0')
            text += data[0] == '\r' ? std::string_view{"\n"} : data.substr(0, length);
        data.remove_prefix(length);
    }
    return text;
}

} // namespace tenancyctl
