#pragma once

#include <string>
#include <vector>

namespace tenancyctl {

/// A file to read, and what it is known by: the same file has the same identity however it was named.
struct found_file {
    std::string path;
    std::string identity;
};

struct file_problem {
    std::string path, why;
};

/// What a list of paths means.
struct found_files {
    std::vector<found_file> files;     ///< each file once, folders' files in the order of their names
    std::vector<file_problem> skipped; ///< links that lead out of their folder
    std::vector<file_problem> failed;  ///< what is missing, cannot be read, or lies outside of the root
};

/// Finds the files that a list of paths means.
/**
 * A link in a folder counts as the file that it leads to, if that lies in the folder too; a link that is named itself
 * is followed.
 * @param paths files, and folders, which stand for all files in and below them except hidden ones
 * @param root if not empty, an identity is the canonical path under this folder, with slashes; if empty, it is the
 * canonical path from the file system's root
 * @throws std::runtime_error if the root is not a folder that can be entered
 */
found_files find_files(const std::vector<std::string>& paths, const std::string& root = "");

/// Reads a whole file.
/** @throws std::runtime_error if it cannot be read or is larger than 64 MiB */
std::string read_file(const std::string& path);

} // namespace tenancyctl
