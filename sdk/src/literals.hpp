#pragma once

#include <string>
#include <vector>

namespace tenancy::detail {

/// pgvector's text form, `[1,2.5,3]`, with the fewest digits that read back as the same floats.
std::string vector_text(const std::vector<float>& values);

} // namespace tenancy::detail
