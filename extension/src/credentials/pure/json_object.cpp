#include "pure/pure.hpp"

#include "credentials/pure/json_object.hpp"

#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace tenancy::credentials {

using json = nlohmann::json;

std::optional<json> parse_json_object(std::string_view text) {
    // Of each object that is open, from the outermost on.
    std::vector<std::set<std::string>> names;
    bool is_unambiguous = true;
    auto watch = [&](int, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start)
            names.emplace_back();
        else if (event == json::parse_event_t::object_end)
            names.pop_back();
        else if (event == json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second)
            is_unambiguous = false;
        return true;
    };
    json object = json::parse(text, watch, false);
    if (!is_unambiguous || !object.is_object()) return std::nullopt;
    return object;
}

} // namespace tenancy::credentials
