#include "pure/pure.hpp"

#include "pure/roles.hpp"

namespace tenancy {

bool role_may_write(std::string_view role) noexcept { return role.empty() || role == "editor" || role == "admin"; }

} // namespace tenancy
