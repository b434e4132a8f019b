#include "tenancyctl/corpus.hpp"

namespace tenancyctl {

std::optional<corpus_description> describe_corpus(tenancy::connection& c, const std::string& corpus) {
    return c.translating([&]() -> std::optional<corpus_description> {
        pqxx::nontransaction tx{c.native()};
        pqxx::params parameters;
        parameters.append(corpus);
        const auto rows = tenancy::detail::exec_params(
            tx,
            "SELECT c.documents, coalesce(pg_catalog.quote_ident(c.columns->>'source'), ''), "
            "c.columns->>'title' IS NOT NULL, EXISTS (SELECT FROM pg_catalog.pg_attribute a "
            "WHERE a.attrelid = c.documents AND a.attname = 'metadata' AND NOT a.attisdropped "
            "AND a.atttypid = 'pg_catalog.jsonb'::pg_catalog.regtype), c.embedding_model, c.dimensions "
            "FROM tenancy.corpora c WHERE c.name = $1",
            parameters);
        if (rows.empty())
            return std::nullopt;
        const auto& row = rows[0];
        return corpus_description{corpus,
                                  row[0].c_str(),
                                  row[1].c_str(),
                                  row[2].as<bool>(),
                                  row[3].as<bool>(),
                                  row[4].is_null() ? "" : row[4].c_str(),
                                  row[5].as<int>()};
    });
}

void refuse_other_model(tenancy::transaction& tx, const corpus_description& corpus, const std::string& model) {
    std::string known = corpus.embedding_model;
    if (known.empty() && corpus.has_metadata) {
        pqxx::params parameters;
        parameters.append(model);
        const auto rows = tx.exec("SELECT d.metadata #>> '{ingest,embedding_model}' FROM " + corpus.documents +
                                      " d WHERE d.metadata #>> '{ingest,embedding_model}' <> $1 LIMIT 1",
                                  parameters);
        if (!rows.empty())
            known = rows[0][0].c_str();
    }
    if (known.empty() || known == model)
        return;
    const std::string message =
        "corpus \"" + corpus.name + "\" holds embeddings of " + known + ", not of " + model;
    throw tenancy::corpus_mismatch{
        message, "", {"TN010", message, "", "Use that model, or make another corpus for the new one."}};
}

} // namespace tenancyctl
