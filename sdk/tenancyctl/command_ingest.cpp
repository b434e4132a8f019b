#include <chrono>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "tenancyctl/chunker.hpp"
#include "tenancyctl/commands.hpp"
#include "tenancyctl/files.hpp"
#include "tenancyctl/progress.hpp"

namespace tenancyctl {

namespace {

// So much is embedded and committed at a time.
constexpr std::size_t batch_chunks = 1000;

struct totals {
    std::size_t documents = 0, chunks = 0, bytes = 0, replaced = 0;
    std::vector<std::pair<std::string, std::string>> skipped; // path, why
};

// Where documents are, and which of their columns the corpus has; names are quoted for SQL.
struct document_table {
    std::string name, source;
    bool has_title = false;
};

std::optional<document_table> find_document_table(tenancy::connection& c, const std::string& corpus) {
    pqxx::nontransaction tx{c.native()};
    pqxx::params parameters;
    parameters.append(corpus);
    const auto rows = tenancy::detail::exec_params(
        tx,
        "SELECT documents, coalesce(quote_ident(columns->>'source'), ''), columns->>'title' IS NOT NULL "
        "FROM tenancy.corpora WHERE name = $1",
        parameters);
    if (rows.empty())
        return std::nullopt;
    return document_table{rows[0][0].c_str(), rows[0][1].c_str(), rows[0][2].as<bool>()};
}

std::size_t forget_sources(tenancy::transaction& tx, const document_table& table,
                           const std::vector<tenancy::new_document>& documents) {
    if (table.source.empty())
        return 0;
    const std::string sql = "DELETE FROM " + table.name + " WHERE " + table.source + " = $1";
    std::size_t deleted = 0;
    for (const auto& document : documents) {
        pqxx::params parameters;
        parameters.append(document.source);
        deleted += static_cast<std::size_t>(tx.exec(sql, parameters).affected_rows());
    }
    return deleted;
}

void store(tenancy::pool& pool, const tenancy::caller& who, const ingest_arguments& arguments,
           tenancy::embedder& embedder, const document_table& table,
           std::vector<tenancy::new_document>& batch, totals& sums) {
    if (batch.empty())
        return;
    std::vector<std::string> texts;
    for (const auto& document : batch) {
        for (const auto& chunk : document.chunks)
            texts.push_back(chunk.content);
    }
    auto embeddings = embedder.embed(texts); // before the transaction, which must be short
    std::size_t next = 0;
    for (auto& document : batch) {
        for (auto& chunk : document.chunks)
            chunk.embedding = std::move(embeddings[next++]);
    }
    tenancy::ingest_options options;
    options.corpus = arguments.corpus;
    sums.replaced += tenancy::with_tenant(pool, who, [&](tenancy::transaction& tx) {
        const std::size_t replaced = arguments.append ? 0 : forget_sources(tx, table, batch);
        tenancy::ingest(tx, batch, options);
        return replaced;
    });
    sums.documents += batch.size();
    sums.chunks += texts.size();
    batch.clear();
}

// Makes the embedder that fits the corpus, and the corpus if it is missing and may be made.
std::unique_ptr<tenancy::embedder> prepare(const context& ctx, tenancy::pool& pool,
                                           const ingest_arguments& arguments) {
    std::optional<int> dimensions;
    {
        const auto lease = pool.acquire();
        dimensions = corpus_dimensions(*lease, arguments.corpus);
    }
    auto embedder = make_embedder(arguments.embedder, dimensions.value_or(0));
    if (!dimensions && arguments.create_corpus) {
        corpus_create_arguments corpus;
        corpus.name = arguments.corpus;
        corpus.dimensions = embedder->dimensions();
        context silent = ctx;
        silent.json = false;
        silent.quiet = true;
        corpus_create(silent, corpus);
    }
    return embedder;
}

void report(const context& ctx, const ingest_arguments& arguments, const tenancy::embedder& embedder,
            const totals& sums, double seconds) {
    if (ctx.json) {
        nlohmann::ordered_json skipped = nlohmann::ordered_json::array();
        for (const auto& [path, why] : sums.skipped)
            skipped.push_back({{"path", path}, {"why", why}});
        const nlohmann::ordered_json report{
            {"tenant", arguments.tenant},  {"corpus", arguments.corpus}, {"embedder", embedder.name()},
            {"documents", sums.documents}, {"replaced", sums.replaced},  {"chunks", sums.chunks},
            {"bytes", sums.bytes},         {"seconds", seconds},         {"skipped", std::move(skipped)}};
        std::cout << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
        return;
    }
    for (const auto& [path, why] : sums.skipped)
        std::cerr << "skipped " << one_line(path, 200) << ": " << why << "\n";
    if (ctx.quiet)
        return;
    std::cout << "stored " << sums.documents << " documents (" << sums.chunks << " chunks, "
              << (sums.bytes + 1023) / 1024 << " KiB) for tenant " << arguments.tenant << " in corpus "
              << arguments.corpus;
    if (sums.replaced > 0)
        std::cout << ", replacing " << sums.replaced;
    std::printf(", in %.1f s\n", seconds);
}

} // namespace

void ingest(const context& ctx, const ingest_arguments& arguments) {
    const auto started = std::chrono::steady_clock::now();
    const auto who = parse_caller(arguments.tenant, arguments.user);
    chunk_options chunking;
    chunking.max_bytes = static_cast<std::size_t>(arguments.chunk_bytes);
    chunking.overlap_bytes = static_cast<std::size_t>(arguments.overlap_bytes);
    (void)chunk_text("", chunking); // refuses senseless sizes before anything is read or sent
    const auto files = find_files(arguments.paths);
    if (files.empty())
        throw std::runtime_error{"there is no file to ingest"};

    tenancy::pool_options one;
    one.max_size = 1;
    tenancy::pool pool{ctx.conninfo, one};
    const auto embedder = prepare(ctx, pool, arguments);

    const document_table table = [&] {
        const auto lease = pool.acquire();
        return find_document_table(*lease, arguments.corpus)
            .value_or(document_table{}); // storing says that it is missing
    }();

    totals sums;
    std::vector<tenancy::new_document> batch;
    std::size_t chunks_in_batch = 0;
    {
        progress bar{files.size(), !ctx.quiet};
        for (std::size_t i = 0; i < files.size(); ++i) {
            const auto& path = files[i];
            bar.show(i, path);
            const std::string data = read_file(path);
            if (looks_binary(data)) {
                sums.skipped.emplace_back(path, "it is not text");
                continue;
            }
            tenancy::new_document document;
            if (table.has_title)
                document.title = clean_text(path.substr(path.rfind('/') + 1));
            if (!table.source.empty())
                document.source = clean_text(path);
            for (auto& content : chunk_text(clean_text(data), chunking)) {
                tenancy::new_chunk chunk;
                chunk.content = std::move(content);
                document.chunks.push_back(std::move(chunk));
            }
            if (document.chunks.empty()) {
                sums.skipped.emplace_back(path, "it holds no text");
                continue;
            }
            sums.bytes += data.size();
            chunks_in_batch += document.chunks.size();
            batch.push_back(std::move(document));
            if (chunks_in_batch >= batch_chunks) {
                store(pool, who, arguments, *embedder, table, batch, sums);
                chunks_in_batch = 0;
            }
        }
        store(pool, who, arguments, *embedder, table, batch, sums);
    }
    report(ctx, arguments, *embedder, sums,
           std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
}

} // namespace tenancyctl
