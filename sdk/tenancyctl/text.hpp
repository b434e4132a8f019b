#pragma once

#include <string>
#include <string_view>

namespace tenancyctl {

/// Whether data is UTF-8 as PostgreSQL takes it, apart from zero bytes (RFC 3629: no overlong forms, no surrogates).
bool is_utf8(std::string_view data);

/// Whether data does not look like text: it has a zero byte in its first 8 KiB.
bool looks_binary(std::string_view data);

/// Brings text of a file into UTF-8.
/**
 * @param data the file's bytes; what is UTF-8 already stays as it is
 * @param encoding what other bytes are in, by a name that iconv knows, such as LATIN1; empty if nobody said
 * @throws std::runtime_error if the bytes are not UTF-8 and nobody said what they are, or if they are not that either
 * @throws std::invalid_argument if iconv does not know the encoding
 */
std::string decode(std::string_view data, const std::string& encoding);

/// Makes UTF-8 storable: line ends of one byte, without zero bytes and a byte order mark.
std::string clean_text(std::string_view text);

} // namespace tenancyctl
