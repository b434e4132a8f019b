#pragma once

#include "search/pure/metric.hpp"

#include <string>
#include <string_view>

namespace tenancy::search {

/// "name", whatever is in it.
std::string quote_identifier(std::string_view name);

/// The tables of a corpus as SQL text needs them. Every name is quoted, tables with their schema; an empty optional column
/// is one that the tables do not have.
struct layout {
    std::string chunks, documents;
    std::string chunks_tenant, documents_tenant;
    std::string chunks_tenant_function, documents_tenant_function; ///< what the tenant columns are compared with
    std::string id, document_id, content, embedding;
    std::string chunk_index, metadata, tsv; ///< optional
    std::string documents_id;
    std::string title, source; ///< optional
    std::string vector_schema; ///< pgvector's, quoted
    bool is_half = false;
    bool chunks_have_places = false, documents_have_places = false; ///< a ctid says where a row is: no partition has another such one
    metric by = metric::cosine;
};

/// Which filters a search has. Each combination is a statement of its own, so that the planner sees plain conditions.
struct filters {
    bool metadata = false;
    bool documents = false;
};

/// How rows are looked up by their keys. An array is faster, but only while the plan has it among the conditions of an
/// index scan: for a small table the planner may rather filter all rows of the tenant by it. By their places it takes a
/// tid[] instead, and answers with whatever rows are there: their keys must be looked at.
enum class lookup { array, join, place };

// Everything in these texts is qualified, operators too: the caller's search_path must not decide what runs. The caller's
// policies select the rows; the tenant's own condition is repeated for callers that no policy holds.

/// Parameters embedding, limit bigint, filter jsonb, document_ids uuid[]; rows (id, distance), nearest first, ties by id.
/// Orders by what no index can order by, so that an approximate one is never used.
std::string nearest_statement(const layout& of, filters given);

/// Parameters embedding, ids uuid[], filter jsonb, document_ids uuid[]; rows (id, what it is scored by) of those that pass the
/// filters, in any order. It is the embedding, or of a corpus of halfvec pgvector's distance, which may be NaN. The last column
/// is the row's place, where rows have one.
std::string distances_statement(const layout& of, filters given = {}, lookup by = lookup::array);

/// The same with what an answer has of the chunk; rows (id, the same, document_id, chunk_index, content,
/// metadata, place).
std::string scored_statement(const layout& of, filters given = {}, lookup by = lookup::array);

/// Parameters text_config regconfig, filter jsonb, document_ids uuid[]; rows (id, tsv, whether it passes the filters) of
/// every chunk.
std::string words_statement(const layout& of, filters given);

/// Parameters text_config regconfig, ids uuid[]; rows (id, tsv).
std::string words_of_statement(const layout& of);

/// No parameters; the ids of all chunks.
std::string visible_statement(const layout& of);

/// Parameters ids uuid[], filter jsonb, document_ids uuid[]; the ids of those that pass the filters.
std::string passing_statement(const layout& of, filters given);

/// Parameter ids uuid[]; rows (place in ids from 1, id, document_id, chunk_index, content, metadata, title, source) in the order of ids.
std::string rows_statement(const layout& of);

/// Parameter ids uuid[] of documents; rows (id, title, source, place).
std::string titles_statement(const layout& of, lookup by = lookup::array);

/// Parameter document_id uuid; rows (id, chunk_index, content, metadata) in reading order.
std::string document_statement(const layout& of);

} // namespace tenancy::search
