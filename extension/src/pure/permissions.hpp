#pragma once

#include <string_view>

namespace tenancy {

namespace permission {
inline constexpr std::string_view data_read = "data.read";
inline constexpr std::string_view data_write = "data.write";
} // namespace permission

/// What the application itself may do in a tenant that it entered without a user or key: what serves requests, and
/// nothing that manages the tenant.
inline constexpr char application_permissions[] = "agents.read agents.run data.read data.write usage.read usage.record";

/// Whether a list of names separated by single spaces holds just this name. The empty name is in no list.
bool lists(std::string_view names, std::string_view name) noexcept;

/// Whether a permission is given by a role's list and not taken away by a credential's scopes. Empty scopes take nothing.
bool is_permitted(std::string_view of_role, std::string_view scopes, std::string_view permission) noexcept;

} // namespace tenancy
