#include "tenancy/ingest.hpp"

#include <cmath>
#include <stdexcept>

#include "literals.hpp"

namespace tenancy {

namespace {

struct corpus_tables {
    std::string documents;
    std::string chunks;
    std::string vector_type; // as it must be written here: pgvector's schema need not be in the search_path
};

corpus_tables find_tables(transaction& tx, const std::string& corpus) {
    pqxx::params parameters;
    parameters.append(corpus);
    const auto rows = tx.exec(
        "SELECT c.documents, c.chunks, "
        "(SELECT pg_catalog.format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute a "
        "WHERE a.attrelid OPERATOR(pg_catalog.=) c.chunks AND a.attname OPERATOR(pg_catalog.=) 'embedding') "
        "FROM tenancy.corpora c WHERE c.name OPERATOR(pg_catalog.=) $1",
        parameters);
    if (rows.empty()) {
        diagnostics info{"TN010", "corpus \"" + corpus + "\" is not configured", "",
                         "Create it with tenancy.create_corpus."};
        throw corpus_mismatch{info.message, "", info};
    }
    return {rows[0][0].c_str(), rows[0][1].c_str(), rows[0][2].c_str()};
}

const std::string& checked_text(const std::string& text, const char* what) {
    if (text.find('\0') != std::string::npos)
        throw std::invalid_argument{std::string{what} + " must not hold a zero byte"};
    return text;
}

void append_optional(detail::array_text& array, const std::optional<std::string>& text, const char* what) {
    if (text)
        array.append(checked_text(*text, what));
    else
        array.append_null();
}

class document_batch {
public:
    void add(const new_document& document, const document_id& id) {
        ids_.append_plain(id.to_string());
        append_optional(titles_, document.title, "a document's title");
        append_optional(sources_, document.source, "a document's source");
        metadata_.append(checked_text(document.metadata, "a document's metadata"));
        bytes_ += 36 + (document.title ? document.title->size() : 0) +
                  (document.source ? document.source->size() : 0) + document.metadata.size();
    }

    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    void send(transaction& tx, const corpus_tables& tables) {
        if (bytes_ == 0)
            return;
        pqxx::params parameters;
        parameters.append(ids_.take());
        parameters.append(titles_.take());
        parameters.append(sources_.take());
        parameters.append(metadata_.take());
        tx.exec("INSERT INTO " + tables.documents +
                    " (id, title, source, metadata) SELECT * FROM "
                    "unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[])",
                parameters);
        bytes_ = 0;
    }

private:
    detail::array_text ids_, titles_, sources_, metadata_;
    std::size_t bytes_ = 0;
};

class chunk_batch {
public:
    void add(const new_chunk& chunk, const document_id& document, std::size_t index) {
        ids_.append_plain((chunk.id ? *chunk.id : chunk_id::generate()).to_string());
        documents_.append_plain(document.to_string());
        indexes_.append_plain(std::to_string(index));
        contents_.append(checked_text(chunk.content, "a chunk's content"));
        if (chunk.embedding.empty()) {
            embeddings_.append_null();
        } else {
            for (const float value : chunk.embedding) {
                if (!std::isfinite(value))
                    throw std::invalid_argument{"an embedding must hold finite numbers, not " +
                                                std::to_string(value)};
            }
            vector_text_.clear();
            detail::append_vector_text(vector_text_, chunk.embedding);
            // Quoted for its commas; there is nothing in it to escape.
            embeddings_.append_plain('"' + vector_text_ + '"');
        }
        metadata_.append(checked_text(chunk.metadata, "a chunk's metadata"));
        bytes_ += 80 + chunk.content.size() + 12 * chunk.embedding.size() + chunk.metadata.size();
    }

    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    void send(transaction& tx, const corpus_tables& tables) {
        if (bytes_ == 0)
            return;
        pqxx::params parameters;
        parameters.append(ids_.take());
        parameters.append(documents_.take());
        parameters.append(indexes_.take());
        parameters.append(contents_.take());
        parameters.append(embeddings_.take());
        parameters.append(metadata_.take());
        tx.exec(
            "INSERT INTO " + tables.chunks +
                " (id, document_id, chunk_index, content, embedding, metadata) "
                "SELECT u.i, u.d, u.n, u.c, u.e::" +
                tables.vector_type +
                ", u.m FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], "
                "$6::jsonb[]) AS u(i, d, n, c, e, m)",
            parameters);
        bytes_ = 0;
    }

private:
    detail::array_text ids_, documents_, indexes_, contents_, embeddings_, metadata_;
    std::string vector_text_;
    std::size_t bytes_ = 0;
};

} // namespace

std::vector<document_id> ingest(transaction& tx, const std::vector<new_document>& documents,
                                const ingest_options& options) {
    if (options.batch_bytes == 0)
        throw std::invalid_argument{"batch_bytes must be positive"};
    std::vector<document_id> ids;
    if (documents.empty())
        return ids;
    const corpus_tables tables = find_tables(tx, checked_text(options.corpus, "a corpus's name"));
    ids.reserve(documents.size());
    document_batch document_rows;
    chunk_batch chunk_rows;
    for (const auto& document : documents) {
        ids.push_back(document.id ? *document.id : document_id::generate());
        document_rows.add(document, ids.back());
        for (std::size_t i = 0; i < document.chunks.size(); ++i) {
            chunk_rows.add(document.chunks[i], ids.back(), i);
            if (chunk_rows.bytes() >= options.batch_bytes) {
                document_rows.send(tx, tables); // a chunk refers to its document
                chunk_rows.send(tx, tables);
            }
        }
        if (document_rows.bytes() >= options.batch_bytes)
            document_rows.send(tx, tables);
    }
    document_rows.send(tx, tables);
    chunk_rows.send(tx, tables);
    return ids;
}

} // namespace tenancy
