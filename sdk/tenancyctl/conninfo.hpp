#pragma once

#include <string>

namespace tenancyctl {

/// Adds to a connection string what makes the session act as another role from its first statement.
/**
 * @param conninfo a libpq connection string or URI
 * @param role the role to become a member of; empty leaves it as it is
 * @return a connection string that means the same, with that role
 * @throws std::invalid_argument if @a conninfo cannot be read; the message is libpq's
 */
std::string with_role(const std::string& conninfo, const std::string& role);

} // namespace tenancyctl
