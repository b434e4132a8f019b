#include "tenancy/ingest.hpp"

#include <cmath>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "literals.hpp"

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
    std::size_t dimensions;
};

constexpr const char* tables_sql =
    "SELECT c.documents, quote_ident(c.columns->>'documents_id'), quote_ident(c.columns->>'title'), "
    "quote_ident(c.columns->>'source'), (SELECT quote_ident(a.attname) FROM pg_catalog.pg_attribute a "
    "WHERE a.attrelid = c.documents AND a.attname = 'metadata' AND NOT a.attisdropped "
    "AND a.atttypid = 'pg_catalog.jsonb'::pg_catalog.regtype), "
    "c.chunks, quote_ident(c.columns->>'id'), quote_ident(c.columns->>'document_id'), "
    "quote_ident(c.columns->>'chunk_index'), quote_ident(c.columns->>'content'), "
    "quote_ident(c.columns->>'embedding'), quote_ident(c.columns->>'metadata'), "
    "(SELECT pg_catalog.format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute a "
    "WHERE a.attrelid = c.chunks AND a.attname = c.columns->>'embedding' AND NOT a.attisdropped), "
    "c.dimensions "
    "FROM tenancy.corpora c WHERE c.name = $1";

corpus_tables find_tables(transaction& tx, const std::string& corpus) {
    pqxx::params parameters;
    parameters.append(corpus);
    const auto rows = tx.exec(tables_sql, parameters);
    if (rows.empty()) {
        refuse("corpus \"" + corpus + "\" is not configured", "Create it with tenancy.create_corpus.");
    }
    const auto text = [&](int column) {
        return rows[0][column].is_null() ? std::string{} : std::string{rows[0][column].c_str()};
    };
    return {text(0), text(1), text(2), text(3),  text(4),  text(5),  text(6),
            text(7), text(8), text(9), text(10), text(11), text(12), rows[0][13].as<std::size_t>()};
}

const std::string& checked_text(const std::string& text, const char* what) {
    if (text.find('\0') != std::string::npos)
        throw std::invalid_argument{std::string{what} + " must not hold a zero byte"};
    return text;
}

// The columns of one table on their way to it: each becomes an array parameter.
class column_batch {
public:
    // A column that the table does not have takes no values but empty ones.
    void column(const std::string& name, const char* array_type, std::string cast = {}) {
        columns_.push_back({name, array_type, std::move(cast), {}});
    }

    void append_plain(std::size_t i, std::string_view value) {
        count(value.size());
        columns_[i].values.append_plain(value);
    }

    void append_text(std::size_t i, const std::string& value, const char* what) {
        count(value.size());
        columns_[i].values.append(checked_text(value, what));
    }

    void append_null(std::size_t i) { columns_[i].values.append_null(); }

    [[nodiscard]] bool has(std::size_t i) const { return !columns_[i].name.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    void send(transaction& tx, const std::string& table) {
        if (bytes_ == 0)
            return;
        std::string names, values, arrays, aliases;
        pqxx::params parameters;
        int number = 0;
        for (auto& column : columns_) {
            std::string array = column.values.take();
            if (column.name.empty())
                continue;
            const std::string alias = "v" + std::to_string(++number);
            const char* comma = number > 1 ? ", " : "";
            names += comma + column.name;
            values += comma + alias + column.cast;
            arrays += comma + ("$" + std::to_string(number)) + "::" + column.array_type;
            aliases += comma + alias;
            parameters.append(std::move(array));
        }
        tx.exec("INSERT INTO " + table + " (" + names + ") SELECT " + values + " FROM unnest(" + arrays +
                    ") AS u(" + aliases + ")",
                parameters);
        bytes_ = 0;
    }

private:
    struct column_values {
        std::string name, array_type, cast;
        detail::array_text values;
    };

    void count(std::size_t size) { bytes_ += size + 1; }

    std::vector<column_values> columns_;
    std::size_t bytes_ = 0;
};

class document_batch {
public:
    explicit document_batch(const corpus_tables& tables) : tables_{tables} {
        rows_.column(tables.document_id, "uuid[]");
        rows_.column(tables.title, "text[]");
        rows_.column(tables.source, "text[]");
        rows_.column(tables.document_metadata, "jsonb[]");
    }

    void add(const new_document& document, const document_id& id) {
        rows_.append_plain(0, id.to_string());
        append_optional(1, document.title, "a document's title");
        append_optional(2, document.source, "a document's source");
        if (!rows_.has(3) && document.metadata != "{}")
            refuse("the corpus has no place for a document's metadata",
                   "Add a column metadata of type jsonb to " + tables_.documents + ", or leave it out.");
        rows_.append_text(3, document.metadata, "a document's metadata");
    }

    [[nodiscard]] std::size_t bytes() const { return rows_.bytes(); }
    void send(transaction& tx) { rows_.send(tx, tables_.documents); }

private:
    void append_optional(std::size_t i, const std::optional<std::string>& text, const char* what) {
        if (text && !rows_.has(i))
            refuse(std::string{"the corpus has no place for "} + what,
                   "Name a column for it in attach_corpus, or leave it out.");
        if (text)
            rows_.append_text(i, *text, what);
        else
            rows_.append_null(i);
    }

    const corpus_tables& tables_;
    column_batch rows_;
};

class chunk_batch {
public:
    explicit chunk_batch(const corpus_tables& tables) : tables_{tables} {
        rows_.column(tables.chunk_id, "uuid[]");
        rows_.column(tables.chunk_document_id, "uuid[]");
        rows_.column(tables.chunk_index, "integer[]");
        rows_.column(tables.content, "text[]");
        rows_.column(tables.embedding, "text[]", "::" + tables.vector_type);
        rows_.column(tables.metadata, "jsonb[]");
    }

    void add(const new_chunk& chunk, const document_id& document, std::size_t index) {
        rows_.append_plain(0, (chunk.id ? *chunk.id : chunk_id::generate()).to_string());
        rows_.append_plain(1, document.to_string());
        rows_.append_plain(2, std::to_string(index));
        rows_.append_text(3, chunk.content, "a chunk's content");
        if (chunk.embedding.empty())
            rows_.append_null(4);
        else
            add_embedding(chunk.embedding);
        if (!rows_.has(5) && chunk.metadata != "{}")
            refuse("the corpus has no place for a chunk's metadata",
                   "Name a column of type jsonb in attach_corpus, or leave it out.");
        rows_.append_text(5, chunk.metadata, "a chunk's metadata");
    }

    [[nodiscard]] std::size_t bytes() const { return rows_.bytes(); }
    void send(transaction& tx) { rows_.send(tx, tables_.chunks); }

private:
    void add_embedding(const std::vector<float>& embedding) {
        if (embedding.size() != tables_.dimensions)
            refuse("expected " + std::to_string(tables_.dimensions) + " dimensions, not " +
                       std::to_string(embedding.size()),
                   "Use the embedding model that the corpus was made for.");
        for (const float value : embedding) {
            if (!std::isfinite(value))
                throw std::invalid_argument{"an embedding must hold finite numbers, not " +
                                            std::to_string(value)};
        }
        // Quoted for its commas; there is nothing in it to escape.
        text_ = '"';
        detail::append_vector_text(text_, embedding);
        text_ += '"';
        rows_.append_plain(4, text_);
    }

    const corpus_tables& tables_;
    column_batch rows_;
    std::string text_;
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
