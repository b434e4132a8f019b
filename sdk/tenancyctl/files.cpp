#include "tenancyctl/files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <system_error>

#include "tenancyctl/text.hpp"

namespace fs = std::filesystem;

namespace tenancyctl {

namespace {

constexpr std::uintmax_t max_file_bytes = std::uintmax_t{64} << 20;

bool is_hidden(const fs::path& path) {
    const auto name = path.filename().string();
    return name.size() > 1 && name[0] == '.';
}

bool lies_in(const fs::path& canonical, const fs::path& folder) {
    return std::mismatch(folder.begin(), folder.end(), canonical.begin(), canonical.end()).first == folder.end();
}

// Collects files; what goes wrong with one of them leaves the others alone.
class search {
public:
    explicit search(const std::string& root) {
        if (root.empty())
            return;
        std::error_code problem;
        root_ = fs::canonical(root, problem);
        if (problem || !fs::is_directory(root_, problem))
            throw std::runtime_error{"the root is no folder: " + root};
    }

    void take(const std::string& name) {
        const fs::path path{name};
        std::error_code problem;
        const auto status = fs::status(path, problem);
        if (!fs::exists(status))
            found_.failed.push_back({name, problem && problem != std::errc::no_such_file_or_directory
                                               ? problem.message()
                                               : "there is no such file or folder"});
        else if (fs::is_directory(status))
            take_below(path, fs::canonical(path, problem));
        else if (fs::is_regular_file(status))
            candidates_.push_back(path);
        else
            found_.failed.push_back({name, "it is neither a file nor a folder"});
    }

    found_files finish() {
        // Links last, so that a file is known by its own name where it has been found.
        std::stable_sort(candidates_.begin(), candidates_.end(), [](const fs::path& a, const fs::path& b) {
            return !fs::is_symlink(a) && fs::is_symlink(b);
        });
        std::set<fs::path> seen;
        for (const auto& path : candidates_) {
            std::error_code problem;
            const auto canonical = fs::canonical(path, problem);
            if (problem)
                found_.failed.push_back({path.string(), problem.message()});
            else if (seen.insert(canonical).second)
                add(path, canonical);
        }
        return std::move(found_);
    }

private:
    void take_below(const fs::path& folder, const fs::path& top) {
        std::error_code problem;
        std::vector<fs::directory_entry> entries;
        fs::directory_iterator next{folder, problem};
        for (; !problem && next != fs::directory_iterator{}; next.increment(problem)) {
            if (!is_hidden(next->path()))
                entries.push_back(*next);
        }
        if (problem)
            found_.failed.push_back({folder.string(), problem.message()});
        std::sort(entries.begin(), entries.end());
        for (const auto& entry : entries) {
            std::error_code ignored; // a dangling link is neither
            if (entry.is_directory(ignored) && !entry.is_symlink(ignored))
                take_below(entry.path(), top);
            else if (entry.is_regular_file(ignored) && stays_in(entry, top))
                candidates_.push_back(entry.path());
        }
    }

    bool stays_in(const fs::directory_entry& entry, const fs::path& top) {
        if (!entry.is_symlink() || lies_in(fs::canonical(entry.path()), top))
            return true;
        found_.skipped.push_back({entry.path().string(), "it is a link that leads out of the folder"});
        return false;
    }

    void add(const fs::path& path, const fs::path& canonical) {
        if (!root_.empty() && !lies_in(canonical, root_)) {
            found_.failed.push_back({path.string(), "it lies outside of the root " + root_.string()});
            return;
        }
        const auto identity = (root_.empty() ? canonical : canonical.lexically_relative(root_)).generic_string();
        if (!is_utf8(identity))
            found_.failed.push_back({path.string(), "its name is not UTF-8"});
        else
            found_.files.push_back({path.string(), identity});
    }

    fs::path root_;
    std::vector<fs::path> candidates_;
    found_files found_;
};

} // namespace

found_files find_files(const std::vector<std::string>& paths, const std::string& root) {
    search all{root};
    for (const auto& path : paths)
        all.take(path);
    return all.finish();
}

std::string read_file(const std::string& path) {
    std::error_code problem;
    const auto size = fs::file_size(path, problem);
    if (!problem && size > max_file_bytes)
        throw std::runtime_error{"it is larger than 64 MiB: split it first"};
    std::ifstream in{path, std::ios::binary};
    std::string data{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    if (!in)
        throw std::runtime_error{"it cannot be read"};
    return data;
}

} // namespace tenancyctl
