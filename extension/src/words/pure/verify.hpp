#pragma once

#include "words/pure/parts.hpp"

namespace tenancy::words {

/// Read all rows of a segment, and refuse it as corrupt unless they fit together: ids in order under the right fences, each
/// posting and its places in order, and as many of them in each chunk as it has words.
void verify_segment(const segment_head& head, part_source& from);

/// The same for a row of the log, whose entries must have the words that they were written with.
///
/// @returns chunks that came less those that went
std::int64_t verify_log_row(std::string_view row);

} // namespace tenancy::words
