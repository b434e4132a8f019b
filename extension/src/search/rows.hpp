#pragma once

#include "search/corpus.hpp"
#include "search/spi.hpp"

#include <vector>

namespace tenancy::search {

/// One row of an answer before its chunk is fetched.
struct answer {
    uuid key;
    double scores[3];
    bool are_null[3];
};

/// Fetch the chunks of an answer under the caller's policies and put the rows into the function's result, in this order.
///
/// The result has the columns chunk_id, document_id, chunk_index, content, then `scores` scores, metadata, document_title,
/// document_source. A chunk that the caller may not see makes no row.
void emit_rows(ReturnSetInfo* result, corpus& of, const std::vector<answer>& answers, int scores);

/// Put the chunks of one document into the result (chunk_id, chunk_index, content, metadata), in reading order.
void emit_document(ReturnSetInfo* result, corpus& of, Datum document_id);

} // namespace tenancy::search
