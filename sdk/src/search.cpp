#include "tenancy/search.hpp"

#include <cmath>
#include <stdexcept>

#include "literals.hpp"

namespace tenancy {

namespace {

// The parameters have no declared type: the server takes each from the function's signature, so it does not
// matter in which schema pgvector is.
constexpr const char* match_sql = "SELECT chunk_id, document_id, chunk_index, content, metadata, "
                                  "document_title, document_source, similarity "
                                  "FROM tenancy.match_chunks($1, $2, $3, $4, $5, $6)";
constexpr const char* hybrid_sql =
    "SELECT chunk_id, document_id, chunk_index, content, metadata, document_title, document_source, "
    "combined_score, "
    "vector_similarity, text_similarity FROM tenancy.hybrid_search($1, $2, $3, $4, $5, $6, $7, $8, $9)";
constexpr const char* keyword_sql = "SELECT chunk_id, document_id, chunk_index, content, metadata, "
                                    "document_title, document_source, similarity "
                                    "FROM tenancy.keyword_search($1, $2, $3, $4, $5)";
constexpr const char* document_sql =
    "SELECT chunk_id, chunk_index, content, metadata FROM tenancy.get_document_chunks($1, $2)";

std::optional<std::string> optional_text(const pqxx::result& rows, int row, int column) {
    const auto field = rows[row][column];
    return field.is_null() ? std::nullopt : std::optional<std::string>{field.c_str()};
}

template <class Number>
std::optional<Number> optional_number(const pqxx::result& rows, int row, int column) {
    const auto field = rows[row][column];
    return field.is_null() ? std::nullopt : std::optional<Number>{field.template as<Number>()};
}

// The first seven columns of every search.
found_chunk read_found(const pqxx::result& rows, int row) {
    return {chunk_id{rows[row][0].c_str()},
            document_id{rows[row][1].c_str()},
            optional_number<int>(rows, row, 2),
            rows[row][3].c_str(),
            optional_text(rows, row, 4).value_or("{}"),
            optional_text(rows, row, 5),
            optional_text(rows, row, 6)};
}

std::string embedding_text(const std::vector<float>& embedding) {
    if (embedding.empty())
        throw std::invalid_argument{"an embedding must have at least one dimension"};
    for (std::size_t i = 0; i < embedding.size(); ++i) {
        if (!std::isfinite(embedding[i]))
            throw std::invalid_argument{"an embedding must hold finite numbers; number " + std::to_string(i) +
                                        " is " + std::to_string(embedding[i])};
    }
    return detail::vector_text(embedding);
}

std::optional<std::string> documents_text(const search_options& options) {
    if (!options.documents)
        return std::nullopt;
    std::string array = "{";
    for (const auto& id : *options.documents) {
        if (array.size() > 1)
            array += ',';
        array += id.to_string();
    }
    return array + "}";
}

// libpq would silently cut a text at a zero byte.
const std::string& without_zero_bytes(const std::string& text, const char* what) {
    if (text.find('\0') != std::string::npos)
        throw std::invalid_argument{std::string{what} + " must not hold a zero byte"};
    return text;
}

void check(const search_options& options) {
    without_zero_bytes(options.corpus, "a corpus's name");
    if (options.filter)
        without_zero_bytes(*options.filter, "a filter");
}

const char* fusion_name(fusion f) {
    switch (f) {
    case fusion::automatic:
        return "auto";
    case fusion::rrf:
        return "rrf";
    case fusion::convex:
        return "convex";
    }
    throw std::invalid_argument{"unknown kind of fusion"};
}

} // namespace

std::vector<chunk_match> match_chunks(transaction& tx, const std::vector<float>& embedding,
                                      const match_options& options) {
    check(options);
    pqxx::params parameters;
    parameters.append(embedding_text(embedding));
    parameters.append(options.count);
    parameters.append(options.threshold);
    parameters.append(options.filter);
    parameters.append(documents_text(options));
    parameters.append(options.corpus);
    const auto rows = tx.exec(match_sql, parameters);
    std::vector<chunk_match> matches;
    matches.reserve(rows.size());
    for (int i = 0; i < static_cast<int>(rows.size()); ++i)
        matches.push_back({read_found(rows, i), rows[i][7].as<double>()});
    return matches;
}

std::vector<hybrid_match> hybrid_search(transaction& tx, const std::vector<float>& embedding,
                                        const std::string& text, const hybrid_options& options) {
    check(options);
    pqxx::params parameters;
    parameters.append(embedding_text(embedding));
    parameters.append(without_zero_bytes(text, "a query text"));
    parameters.append(options.count);
    parameters.append(options.text_weight);
    parameters.append(std::string{fusion_name(options.fusion)});
    parameters.append(options.rrf_k);
    parameters.append(options.filter);
    parameters.append(documents_text(options));
    parameters.append(options.corpus);
    const auto rows = tx.exec(hybrid_sql, parameters);
    std::vector<hybrid_match> matches;
    matches.reserve(rows.size());
    for (int i = 0; i < static_cast<int>(rows.size()); ++i)
        matches.push_back({read_found(rows, i), rows[i][7].as<double>(), optional_number<double>(rows, i, 8),
                           optional_number<double>(rows, i, 9)});
    return matches;
}

std::vector<keyword_match> keyword_search(transaction& tx, const std::string& text,
                                          const search_options& options) {
    check(options);
    pqxx::params parameters;
    parameters.append(without_zero_bytes(text, "a query text"));
    parameters.append(options.count);
    parameters.append(options.filter);
    parameters.append(documents_text(options));
    parameters.append(options.corpus);
    const auto rows = tx.exec(keyword_sql, parameters);
    std::vector<keyword_match> matches;
    matches.reserve(rows.size());
    for (int i = 0; i < static_cast<int>(rows.size()); ++i)
        matches.push_back({read_found(rows, i), rows[i][7].as<double>()});
    return matches;
}

std::vector<document_chunk> get_document_chunks(transaction& tx, const document_id& document,
                                                const std::string& corpus) {
    pqxx::params parameters;
    parameters.append(document.to_string());
    parameters.append(without_zero_bytes(corpus, "a corpus's name"));
    const auto rows = tx.exec(document_sql, parameters);
    std::vector<document_chunk> chunks;
    chunks.reserve(rows.size());
    for (int i = 0; i < static_cast<int>(rows.size()); ++i)
        chunks.push_back({chunk_id{rows[i][0].c_str()}, optional_number<int>(rows, i, 1), rows[i][2].c_str(),
                          optional_text(rows, i, 3).value_or("{}")});
    return chunks;
}

} // namespace tenancy
