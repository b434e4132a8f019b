#pragma once

#include <optional>
#include <string>

#include <tenancy/tenancy.hpp>

namespace tenancyctl {

/// What a command needs to know of a corpus; names are quoted for SQL.
struct corpus_description {
    std::string name, documents;
    std::string source; ///< column of documents; empty if there is none
    bool has_title = false, has_metadata = false;
    std::string embedding_model; ///< empty if nobody said
    int dimensions = 0;
};

/// Describes a corpus.
/** @return nothing if there is no such corpus */
std::optional<corpus_description> describe_corpus(tenancy::connection& c, const std::string& corpus);

/// Refuses a model other than the one that the corpus is known for, or that the tenant's documents were embedded with.
/**
 * Embeddings of two models mean nothing to each other, and having the same dimensions they would mix unnoticed.
 * @throws tenancy::corpus_mismatch with both names
 */
void refuse_other_model(tenancy::transaction& tx, const corpus_description& corpus, const std::string& model);

} // namespace tenancyctl
