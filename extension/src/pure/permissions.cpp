#include "pure/pure.hpp"

#include "pure/permissions.hpp"

#include <algorithm>

namespace tenancy {

bool lists(std::string_view names, std::string_view name) noexcept {
    if (name.empty()) return false;
    while (!names.empty()) {
        std::size_t end = std::min(names.find(' '), names.size());
        if (names.substr(0, end) == name) return true;
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return false;
}

bool is_permitted(std::string_view of_role, std::string_view scopes, std::string_view permission) noexcept {
    return lists(of_role, permission) && (scopes.empty() || lists(scopes, permission));
}

} // namespace tenancy
