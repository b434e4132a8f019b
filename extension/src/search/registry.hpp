#pragma once

#include "search/corpus.hpp"

namespace tenancy::search {

/// Fill in what the registry says of the corpus `into.name`, checked against the tables as they are now.
///
/// @throws error TN010 when there is none, or its tables no longer fit
void read_registration(corpus& into);

} // namespace tenancy::search
