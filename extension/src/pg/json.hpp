#pragma once

#include "pg/prelude.hpp"

namespace tenancy::pg {

/// A JSON text as jsonb. There is JSON that jsonb cannot hold: \u0000, half a surrogate pair, numbers beyond numeric.
///
/// @param text  valid JSON, as the type json holds it
/// @param into  set in the current memory context, where the text fits
/// @returns     whether it fits
bool to_jsonb(char* text, Datum& into);

} // namespace tenancy::pg
