#include "tenancy/ingest.hpp"

#include <cmath>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <utility>

#include "binary_array.hpp"

namespace tenancy {

namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
    const diagnostics info{"TN010", message, "", hint};
    throw corpus_mismatch{message, "", info};
}

// The tables of a corpus and their columns' names there, quoted for SQL; an empty name means that there is no
// such column.
struct corpus_tables {
    std::string documents, document_id, title, source, document_metadata;
    std::string chunks, chunk_id, chunk_document_id, chunk_index, content, embedding, metadata;
    std::string vector_type; // as it must be written here: pgvector's schema need not be in the search_path
    std::uint32_t vector_oid;
    std::size_t dimensions;
    std::string embedding_model;
};

constexpr const char* tables_sql =
    "SELECT c.documents, quote_ident(c.columns->>'documents_id'), quote_ident(c.columns->>'title'), "
    "quote_ident(c.columns->>'source'), (SELECT quote_ident(a.attname) FROM pg_catalog.pg_attribute a "
    "WHERE a.attrelid = c.documents AND a.attname = 'metadata' AND NOT a.attisdropped "
    "AND a.atttypid = 'pg_catalog.jsonb'::pg_catalog.regtype), "
    "c.chunks, quote_ident(c.columns->>'id'), quote_ident(c.columns->>'document_id'), "
    "quote_ident(c.columns->>'chunk_index'), quote_ident(c.columns->>'content'), "
    "quote_ident(c.columns->>'embedding'), quote_ident(c.columns->>'metadata'), "
    "pg_catalog.format_type(v.oid, NULL), v.oid, c.dimensions, c.embedding_model FROM tenancy.corpora c "
    // The column may be of pgvector's halfvec; the embeddings travel as its sibling vector in any case.
    "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.chunks AND a.attname = c.columns->>'embedding' "
    "LEFT JOIN pg_catalog.pg_type e ON e.oid = a.atttypid "
    "LEFT JOIN pg_catalog.pg_type v ON v.typnamespace = e.typnamespace AND v.typname = 'vector' "
    "WHERE c.name = $1";

corpus_tables find_tables(transaction& tx, const std::string& corpus) {
    pqxx::params parameters;
    parameters.append(corpus);
    const auto rows = tx.exec(tables_sql, parameters);
    if (rows.empty())
        refuse("corpus \"" + corpus + "\" is not configured", "Create it with tenancy.create_corpus.");
    if (rows[0][13].is_null())
        refuse("corpus \"" + corpus + "\" has lost its column for embeddings", "Attach it again.");
    const auto text = [&](int column) {
        return rows[0][column].is_null() ? std::string{} : std::string{rows[0][column].c_str()};
    };
    return {text(0),
            text(1),
            text(2),
            text(3),
            text(4),
            text(5),
            text(6),
            text(7),
            text(8),
            text(9),
            text(10),
            text(11),
            text(12),
            rows[0][13].as<std::uint32_t>(),
            rows[0][14].as<std::size_t>(),
            text(15)};
}

const std::string& checked_text(const std::string& text, const char* what) {
    if (text.find('\0') != std::string::npos)
        throw std::invalid_argument{std::string{what} + " must not hold a zero byte"};
    return text;
}

// The columns of one table on their way to it: each becomes an array parameter.
class column_batch {
public:
    // A column without a name takes values and is not sent.
    detail::binary_array& column(const std::string& name, const std::string& type, std::uint32_t oid) {
        columns_.push_back({name, type, detail::binary_array{oid}});
        return columns_.back().values;
    }

    [[nodiscard]] std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& column : columns_)
            sum += column.values.size();
        return sum;
    }

    void send(transaction& tx, const std::string& table) {
        std::string names, arrays;
        pqxx::params parameters;
        int number = 0;
        for (auto& column : columns_) {
            auto array = column.values.take();
            if (column.name.empty())
                continue;
            const std::string comma = ++number > 1 ? ", " : "";
            names += comma + column.name;
            arrays += comma + "$" + std::to_string(number) + "::" + column.type + "[]";
            parameters.append(std::move(array));
        }
        tx.exec("INSERT INTO " + table + " (" + names + ") SELECT * FROM unnest(" + arrays + ")", parameters);
    }

private:
    struct column_values {
        std::string name, type;
        detail::binary_array values;
    };

    std::deque<column_values> columns_; // references to its elements stay good
};

class document_batch {
public:
    explicit document_batch(const corpus_tables& tables)
        : tables_{tables}, ids_{rows_.column(tables.document_id, "uuid", detail::oid_uuid)},
          titles_{rows_.column(tables.title, "text", detail::oid_text)},
          sources_{rows_.column(tables.source, "text", detail::oid_text)}, metadata_{rows_.column(
                                                                               tables.document_metadata,
                                                                               "jsonb", detail::oid_jsonb)} {}

    void add(const new_document& document, const document_id& id) {
        ++count_;
        ids_.append_uuid(id.bytes());
        append_optional(titles_, document.title, tables_.title, "a document's title");
        append_optional(sources_, document.source, tables_.source, "a document's source");
        if (tables_.document_metadata.empty() && document.metadata != "{}")
            refuse("the corpus has no place for a document's metadata",
                   "Add a column metadata of type jsonb to " + tables_.documents + ", or leave it out.");
        metadata_.append_jsonb(checked_text(document.metadata, "a document's metadata"));
    }

    [[nodiscard]] std::size_t bytes() const { return rows_.bytes(); }

    void send(transaction& tx) {
        if (std::exchange(count_, 0) > 0)
            rows_.send(tx, tables_.documents);
    }

private:
    static void append_optional(detail::binary_array& values, const std::optional<std::string>& text,
                                const std::string& column, const char* what) {
        if (!text)
            return values.append_null();
        if (column.empty())
            refuse(std::string{"the corpus has no place for "} + what,
                   "Name a column for it in attach_corpus, or leave it out.");
        values.append_text(checked_text(*text, what));
    }

    const corpus_tables& tables_;
    column_batch rows_;
    detail::binary_array &ids_, &titles_, &sources_, &metadata_;
    std::size_t count_ = 0;
};

class chunk_batch {
public:
    explicit chunk_batch(const corpus_tables& tables)
        : tables_{tables}, ids_{rows_.column(tables.chunk_id, "uuid", detail::oid_uuid)},
          documents_{rows_.column(tables.chunk_document_id, "uuid", detail::oid_uuid)},
          indexes_{rows_.column(tables.chunk_index, "integer", detail::oid_integer)},
          contents_{rows_.column(tables.content, "text", detail::oid_text)},
          embeddings_{rows_.column(tables.embedding, tables.vector_type, tables.vector_oid)},
          metadata_{rows_.column(tables.metadata, "jsonb", detail::oid_jsonb)} {}

    void add(const new_chunk& chunk, const document_id& document, std::size_t index) {
        ++count_;
        ids_.append_uuid((chunk.id ? *chunk.id : chunk_id::generate()).bytes());
        documents_.append_uuid(document.bytes());
        indexes_.append_integer(static_cast<std::int32_t>(index));
        contents_.append_text(checked_text(chunk.content, "a chunk's content"));
        if (chunk.embedding.empty())
            embeddings_.append_null();
        else
            embeddings_.append_vector(checked_embedding(chunk.embedding));
        if (tables_.metadata.empty() && chunk.metadata != "{}")
            refuse("the corpus has no place for a chunk's metadata",
                   "Name a column of type jsonb in attach_corpus, or leave it out.");
        metadata_.append_jsonb(checked_text(chunk.metadata, "a chunk's metadata"));
    }

    [[nodiscard]] std::size_t bytes() const { return rows_.bytes(); }

    void send(transaction& tx) {
        if (std::exchange(count_, 0) > 0)
            rows_.send(tx, tables_.chunks);
    }

private:
    [[nodiscard]] const std::vector<float>& checked_embedding(const std::vector<float>& embedding) const {
        if (embedding.size() != tables_.dimensions)
            refuse("expected " + std::to_string(tables_.dimensions) + " dimensions, not " +
                       std::to_string(embedding.size()),
                   "Use the embedding model that the corpus was made for.");
        for (const float value : embedding) {
            if (!std::isfinite(value))
                throw std::invalid_argument{"an embedding must hold finite numbers, not " +
                                            std::to_string(value)};
        }
        return embedding;
    }

    const corpus_tables& tables_;
    column_batch rows_;
    detail::binary_array &ids_, &documents_, &indexes_, &contents_, &embeddings_, &metadata_;
    std::size_t count_ = 0;
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
    if (!options.embedding_model.empty() && !tables.embedding_model.empty() &&
        options.embedding_model != tables.embedding_model)
        refuse("corpus \"" + options.corpus + "\" takes embeddings of " + tables.embedding_model + ", not of " +
                   options.embedding_model,
               "Embed with that model, or make another corpus for the new one.");
    ids.reserve(documents.size());
    document_batch document_rows{tables};
    chunk_batch chunk_rows{tables};
    for (const auto& document : documents) {
        ids.push_back(document.id ? *document.id : document_id::generate());
        document_rows.add(document, ids.back());
        for (std::size_t i = 0; i < document.chunks.size(); ++i) {
            chunk_rows.add(document.chunks[i], ids.back(), i);
            if (chunk_rows.bytes() >= options.batch_bytes) {
                document_rows.send(tx); // a chunk refers to its document
                chunk_rows.send(tx);
            }
        }
        if (document_rows.bytes() >= options.batch_bytes)
            document_rows.send(tx);
    }
    document_rows.send(tx);
    chunk_rows.send(tx);
    return ids;
}

} // namespace tenancy
