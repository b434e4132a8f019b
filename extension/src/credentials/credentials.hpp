#pragma once

#include "pg/prelude.hpp"

/// What the ways of entering by a credential share.
namespace tenancy::credentials {

/// Raise TN007: the one text for a credential that is malformed, unknown, wrong, expired, revoked or of a tenant that
/// cannot be entered, so that trying tells nothing.
[[noreturn]] void raise_not_valid();

/// Now, as tokens count time.
std::int64_t unix_seconds();

/// Prefix of the API keys that are made (`tenancy.key_prefix`).
const char* key_prefix() noexcept;

/// How long a wrong try may have to wait for its answer, in milliseconds (`tenancy.wrong_try_delay`).
int longest_delay() noexcept;

/// Define the settings of credentials; called once from _PG_init.
void define_settings();

} // namespace tenancy::credentials
