#pragma once

#include "pg/prelude.hpp"
#include "pure/error.hpp"

namespace tenancy::context {

/// A SQLSTATE's five characters as ereport wants them.
inline int errcode_of(const char (&state)[6]) noexcept {
    return MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]);
}

[[noreturn]] void raise_no_tenant();
[[noreturn]] void raise_not_available();
[[noreturn]] void raise_sealed();
[[noreturn]] void raise_may_not_write(const char* role);
[[noreturn]] void raise_lacks_permission(const char* role, std::string_view permission);

} // namespace tenancy::context
