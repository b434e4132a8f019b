#pragma once

#include "search/corpus.hpp"
#include "words/writer.hpp"

#include <string>

namespace tenancy::words {

/// What a statement gave.
struct packed_rows {
    std::int64_t rows = 0;
    // Of the last of them; what the tenant points to lives in the caller's memory context.
    Datum tenant = 0;
    uuid id{};
};

/// Put the words of the rows (tenant, id, words) of a statement, run as the owner of the chunks under a snapshot, into a store.
/// None of their tenants and ids may be null.
packed_rows pack_rows(const search::corpus& of, const char* statement, Snapshot snapshot, writer& into);

} // namespace tenancy::words
