#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tenancy/detail/export.hpp"
#include "tenancy/ids.hpp"
#include "tenancy/transaction.hpp"

namespace tenancy {

/// A chunk of a document, and where it is from.
struct found_chunk {
    chunk_id chunk;
    document_id document;
    /// Position of the chunk in its document, from 0; nothing if the corpus has no column for it.
    std::optional<int> chunk_index;
    std::string content;
    /// A JSON object as text.
    std::string metadata;
    std::optional<std::string> document_title;
    std::optional<std::string> document_source;
};

/// A result of @ref match_chunks.
struct chunk_match : found_chunk {
    /// By the corpus's metric; higher is nearer. Cosine similarity, from -1 to 1, for a corpus as created by
    /// default.
    double similarity;
};

/// A result of @ref keyword_search.
struct keyword_match : found_chunk {
    /// BM25 score with the tenant's own statistics; higher is better, and comparable within one result only.
    double score;
};

/// A result of @ref hybrid_search.
struct hybrid_match : found_chunk {
    /// What the results are ordered by.
    double combined_score;
    /// As in chunk_match; nothing if the chunk has no embedding.
    std::optional<double> vector_similarity;
    /// As in keyword_match; nothing if the chunk has none of the words.
    std::optional<double> text_similarity;
};

/// A result of @ref get_document_chunks.
struct document_chunk {
    chunk_id chunk;
    /// Position in the document, from 0; nothing if the corpus has no column for it.
    std::optional<int> chunk_index;
    std::string content;
    /// A JSON object as text.
    std::string metadata;
};

/// What a search looks at.
struct search_options {
    /// How many results at most; at least 1. Fewer come only if the tenant has fewer that match the filters.
    int count = 10;
    /// A JSON object as text; only chunks whose metadata contains it.
    std::optional<std::string> filter;
    /// Only chunks of these documents. An empty list matches nothing; a document of another tenant is like
    /// one that does not exist.
    std::optional<std::vector<document_id>> documents;
    /// The corpus's name.
    std::string corpus = "default";
};

/// What @ref match_chunks takes beside the embedding.
struct match_options : search_options {
    /// Only results at least this similar.
    std::optional<double> threshold;
};

/// How @ref hybrid_search puts its two rankings together.
enum class fusion {
    /// The server chooses.
    automatic,
    /// Reciprocal rank fusion: by ranks alone (Cormack, Clarke and Buettcher, SIGIR 2009).
    rrf,
    /// A weighted sum of the normalized scores.
    convex
};

/// What @ref hybrid_search takes beside the embedding and the text.
struct hybrid_options : search_options {
    /// Weight of the words against the embedding, from 0 to 1.
    double text_weight = 0.3;
    tenancy::fusion fusion = tenancy::fusion::automatic;
    /// The constant of reciprocal rank fusion; at least 1.
    int rrf_k = 60;
};

/// Finds the chunks nearest to an embedding.
/**
 * @param tx says whose chunks
 * @param embedding as many floats as the corpus has dimensions
 * @param options count, filters, corpus
 * @return at most `options.count` chunks, the nearest first
 * @throws std::invalid_argument if @a embedding is empty or holds a NaN or an infinity
 * @throws corpus_mismatch if there is no such corpus or the embedding has another number of dimensions
 * @throws pqxx::data_exception if another argument is out of its range
 */
TENANCY_EXPORT std::vector<chunk_match> match_chunks(transaction& tx, const std::vector<float>& embedding,
                                                     const match_options& options = {});

/// Finds chunks by embedding and words together.
/**
 * @param tx says whose chunks
 * @param embedding as many floats as the corpus has dimensions
 * @param text the words, in no particular syntax; any of them may match
 * @param options weights, count, filters, corpus
 * @return at most `options.count` chunks, the best first
 * @throws std::invalid_argument if @a embedding is empty or holds a NaN or an infinity, or @a text holds a
 * zero byte
 * @throws corpus_mismatch if there is no such corpus or the embedding has another number of dimensions
 * @throws pqxx::data_exception if another argument is out of its range
 */
TENANCY_EXPORT std::vector<hybrid_match> hybrid_search(transaction& tx, const std::vector<float>& embedding,
                                                       const std::string& text,
                                                       const hybrid_options& options = {});

/// Finds chunks by words.
/**
 * @param tx says whose chunks
 * @param text the words, in no particular syntax; any of them may match
 * @param options count, filters, corpus
 * @return at most `options.count` chunks that have one of the words, the best first
 * @throws std::invalid_argument if @a text holds a zero byte
 * @throws corpus_mismatch if there is no such corpus
 * @throws pqxx::data_exception if another argument is out of its range
 */
TENANCY_EXPORT std::vector<keyword_match> keyword_search(transaction& tx, const std::string& text,
                                                         const search_options& options = {});

/// All chunks of a document in order.
/**
 * @param tx says whose document
 * @param document its id
 * @param corpus the corpus's name
 * @return the chunks by chunk_index; none if this tenant has no such document
 * @throws corpus_mismatch if there is no such corpus
 */
TENANCY_EXPORT std::vector<document_chunk> get_document_chunks(transaction& tx, const document_id& document,
                                                               const std::string& corpus = "default");

} // namespace tenancy
