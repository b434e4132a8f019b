#pragma once

#include "pg/prelude.hpp"
#include "words/pure/document.hpp"

namespace tenancy::words {

/// The words of a tsvector, as search counts them: a lexeme as often as it has places, or once where it has none.
///
/// @param into its lexemes point into the tsvector, its places into `places`
void read_words(TSVector from, std::vector<word>& into, std::vector<std::uint16_t>& places);

} // namespace tenancy::words
