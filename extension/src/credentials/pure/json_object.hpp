#pragma once

#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tenancy::credentials {

/// One JSON object in which no name comes twice, at any depth: two readers must not see different members.
///
/// @returns nothing for any other text
std::optional<nlohmann::json> parse_json_object(std::string_view text);

} // namespace tenancy::credentials
