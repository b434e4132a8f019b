#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tenancy/detail/export.hpp"
#include "tenancy/ids.hpp"
#include "tenancy/transaction.hpp"

namespace tenancy {

/// A piece of a document to store.
struct new_chunk {
    /// UTF-8 text without zero bytes.
    std::string content;
    /// As many floats as the corpus has dimensions; empty stores no embedding.
    std::vector<float> embedding;
    /// A JSON object as text.
    std::string metadata = "{}";
    /// Made by the SDK if not given.
    std::optional<chunk_id> id = std::nullopt;
};

/// A document to store, with its chunks in order.
struct new_document {
    std::optional<std::string> title = std::nullopt;
    /// Where it is from: a path, a URL.
    std::optional<std::string> source = std::nullopt;
    /// A JSON object as text.
    std::string metadata = "{}";
    /// Made by the SDK if not given.
    std::optional<document_id> id = std::nullopt;
    std::vector<new_chunk> chunks;
};

/// How @ref ingest stores.
struct ingest_options {
    /// The corpus's name.
    std::string corpus = "default";
    /// The model that made the embeddings, such as embedder::name(); empty says nothing. A corpus that knows its
    /// model (tenancy.set_embedding_model) refuses another.
    std::string embedding_model;
    /// About how many bytes go to the server in one statement.
    std::size_t batch_bytes = std::size_t{4} << 20;
};

/// Stores documents and their chunks, many rows per statement.
/**
 * The rows travel as arrays, one statement for every `batch_bytes`; bench/sdk shows against row by row.
 * (`COPY FROM` is refused on tables with row level security.) All of it is part of @a tx: nothing is stored
 * before it commits.
 *
 * @param tx says whose documents they become
 * @param documents documents with their chunks; a chunk's index is its position
 * @param options corpus, batch size
 * @return the documents' ids, in the same order
 * @throws std::invalid_argument if a text holds a zero byte or an embedding a NaN or an infinity
 * @throws corpus_mismatch if there is no such corpus, it knows another embedding model, an embedding has another
 * number of dimensions, or the
 * corpus has no column for a title, a source, or metadata that is given
 * @throws role_denied if the caller's role may not write
 * @throws pqxx::sql_error if the server refuses a row, such as metadata that is not JSON
 */
TENANCY_EXPORT std::vector<document_id> ingest(transaction& tx, const std::vector<new_document>& documents,
                                               const ingest_options& options = {});

} // namespace tenancy
