#pragma once

#include <string_view>

namespace tenancy {

/// Whether a member with this role may write protected tables. The empty role is the application itself.
///
/// A name that is not known may not: a role that was dropped must not become a way to write.
bool role_may_write(std::string_view role) noexcept;

} // namespace tenancy
