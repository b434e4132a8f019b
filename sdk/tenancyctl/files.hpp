#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenancyctl {

/// Finds the files that a list of paths means.
/**
 * @param paths files, and folders, which stand for all files in and below them except hidden ones
 * @return each file once, folders' files in the order of their names; a link to a file that is named or found
 * anyway counts as that file
 * @throws std::runtime_error if a path does not exist or cannot be read
 */
std::vector<std::string> find_files(const std::vector<std::string>& paths);

/// Reads a whole file.
/** @throws std::runtime_error if it cannot be read or is larger than 64 MiB */
std::string read_file(const std::string& path);

/// Whether data does not look like text: it has a zero byte in its first 8 KiB.
bool looks_binary(std::string_view data);

/// Makes any bytes storable as text.
/** @return UTF-8 with line ends of one byte; bytes that are not UTF-8 become U+FFFD, zero bytes and a byte
 * order mark vanish */
std::string clean_text(std::string_view data);

} // namespace tenancyctl
