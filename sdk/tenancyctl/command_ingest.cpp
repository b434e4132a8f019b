#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "tenancyctl/chunker.hpp"
#include "tenancyctl/commands.hpp"
#include "tenancyctl/corpus.hpp"
#include "tenancyctl/files.hpp"
#include "tenancyctl/progress.hpp"
#include "tenancyctl/text.hpp"

namespace tenancyctl {

namespace {

// So much is embedded and committed at a time.
constexpr std::size_t batch_chunks = 1000;

struct totals {
    std::size_t documents = 0, chunks = 0, bytes = 0, replaced = 0, unchanged = 0;
    std::vector<file_problem> skipped, failed;
};

struct file_to_store {
    tenancy::new_document document;
    std::string digest; // of all that decides what would be stored
    std::size_t bytes = 0;
};

// What an earlier ingestion noted in a document's metadata.
std::string ingest_note(const std::string& digest, const std::string& model) {
    return nlohmann::ordered_json{{"ingest", {{"sha256", digest}, {"embedding_model", model}}}}.dump();
}

std::string sha256_of(const std::vector<std::string>& parts) {
    std::string bytes;
    for (const auto& part : parts) // with their lengths, so that no two lists have the same bytes
        bytes += std::to_string(part.size()) + ":" + part;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error{"SHA-256 is not available"};
    std::string hexadecimal;
    for (unsigned int i = 0; i < length; ++i) {
        constexpr const char* digits = "0123456789abcdef";
        hexadecimal += digits[digest[i] >> 4];
        hexadecimal += digits[digest[i] & 15];
    }
    return hexadecimal;
}

const tenancy::new_document& document_of(const file_to_store& file) { return file.document; }
const tenancy::new_document& document_of(const tenancy::new_document& document) { return document; }

template <class Batch>
std::string array_of_sources(const Batch& batch) {
    std::vector<std::string> sources;
    for (const auto& one : batch)
        sources.push_back(document_of(one).source.value_or(""));
    return pqxx::to_string(sources);
}

// The digests under which the batch's sources are stored; none where a source is stored twice or not by us.
std::map<std::string, std::string> stored_digests(tenancy::transaction& tx, const corpus_description& corpus,
                                                  const std::vector<file_to_store>& batch) {
    std::map<std::string, std::string> stored;
    if (corpus.source.empty() || !corpus.has_metadata)
        return stored;
    pqxx::params parameters;
    parameters.append(array_of_sources(batch));
    const auto rows =
        tx.exec("SELECT d." + corpus.source + ", pg_catalog.min(d.metadata #>> '{ingest,sha256}') FROM " +
                    corpus.documents + " d WHERE d." + corpus.source +
                    " = ANY ($1::text[]) GROUP BY 1 HAVING pg_catalog.count(*) = 1",
                parameters);
    for (const auto& row : rows) {
        if (!row[1].is_null())
            stored.emplace(row[0].c_str(), row[1].c_str());
    }
    return stored;
}

std::size_t forget_sources(tenancy::transaction& tx, const corpus_description& corpus,
                           const std::vector<tenancy::new_document>& documents) {
    if (corpus.source.empty())
        return 0;
    pqxx::params parameters;
    parameters.append(array_of_sources(documents));
    return static_cast<std::size_t>(
        tx.exec("DELETE FROM " + corpus.documents + " d WHERE d." + corpus.source + " = ANY ($1::text[])", parameters)
            .affected_rows());
}

void store(tenancy::pool& pool, const tenancy::caller& who, const ingest_arguments& arguments,
           tenancy::embedder& embedder, const corpus_description& corpus, std::vector<file_to_store>& batch,
           totals& sums) {
    if (batch.empty())
        return;
    tenancy::with_tenant_options looking;
    looking.transaction.access = tenancy::access::read_only;
    const auto stored = tenancy::with_tenant(
        pool, who,
        [&](tenancy::transaction& tx) {
            refuse_other_model(tx, corpus, embedder.name());
            return arguments.append ? std::map<std::string, std::string>{} : stored_digests(tx, corpus, batch);
        },
        looking);
    const auto first_unchanged = std::remove_if(batch.begin(), batch.end(), [&](const file_to_store& file) {
        const auto found = stored.find(file.document.source.value_or(""));
        return found != stored.end() && found->second == file.digest;
    });
    sums.unchanged += static_cast<std::size_t>(batch.end() - first_unchanged);
    batch.erase(first_unchanged, batch.end());
    if (batch.empty())
        return;
    std::vector<std::string> texts;
    for (const auto& file : batch) {
        for (const auto& chunk : file.document.chunks)
            texts.push_back(chunk.content);
    }
    auto embeddings = embedder.embed(texts); // before the transaction, which must be short
    std::size_t next = 0;
    std::vector<tenancy::new_document> documents;
    for (auto& file : batch) {
        for (auto& chunk : file.document.chunks)
            chunk.embedding = std::move(embeddings[next++]);
        sums.bytes += file.bytes;
        documents.push_back(std::move(file.document));
    }
    tenancy::ingest_options options;
    options.corpus = arguments.corpus;
    options.embedding_model = embedder.name();
    sums.replaced += tenancy::with_tenant(pool, who, [&](tenancy::transaction& tx) {
        const std::size_t replaced = arguments.append ? 0 : forget_sources(tx, corpus, documents);
        tenancy::ingest(tx, documents, options);
        return replaced;
    });
    sums.documents += documents.size();
    sums.chunks += texts.size();
    batch.clear();
}

// Makes the embedder that fits the corpus, and the corpus if it is missing and may be made.
std::unique_ptr<tenancy::embedder> prepare(const context& ctx, tenancy::pool& pool,
                                           const ingest_arguments& arguments) {
    std::optional<int> dimensions;
    {
        const auto lease = pool.acquire();
        if (const auto known = describe_corpus(*lease, arguments.corpus))
            dimensions = known->dimensions;
    }
    auto embedder = make_embedder(arguments.embedder, dimensions.value_or(0));
    if (!dimensions && arguments.create_corpus) {
        corpus_create_arguments corpus;
        corpus.name = arguments.corpus;
        corpus.dimensions = embedder->dimensions();
        corpus.embedding_model = embedder->name();
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
        const auto list = [](const std::vector<file_problem>& problems) {
            nlohmann::ordered_json all = nlohmann::ordered_json::array();
            for (const auto& [path, why] : problems)
                all.push_back({{"path", path}, {"why", why}});
            return all;
        };
        const nlohmann::ordered_json report{
            {"tenant", arguments.tenant},  {"corpus", arguments.corpus}, {"embedder", embedder.name()},
            {"documents", sums.documents}, {"replaced", sums.replaced},  {"chunks", sums.chunks},
            {"bytes", sums.bytes},         {"unchanged", sums.unchanged},
            {"seconds", seconds},          {"skipped", list(sums.skipped)}, {"failed", list(sums.failed)}};
        std::cout << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
        return;
    }
    for (const auto& [path, why] : sums.skipped)
        std::cerr << "skipped " << one_line(path, 200) << ": " << why << "\n";
    for (const auto& [path, why] : sums.failed)
        std::cerr << "not stored " << one_line(path, 200) << ": " << why << "\n";
    if (ctx.quiet)
        return;
    std::cout << "stored " << sums.documents << " documents (" << sums.chunks << " chunks, "
              << (sums.bytes + 1023) / 1024 << " KiB) for tenant " << arguments.tenant << " in corpus "
              << arguments.corpus;
    if (sums.replaced > 0)
        std::cout << ", replacing " << sums.replaced;
    if (sums.unchanged > 0)
        std::cout << ", " << sums.unchanged << " unchanged";
    std::printf(", in %.1f s\n", seconds);
}

// A file as it is to be stored; nothing if it is not, for which the reason is noted.
std::optional<file_to_store> read(const found_file& found, const ingest_arguments& arguments,
                                  const corpus_description& corpus, const chunk_options& chunking,
                                  const std::string& model, totals& sums) {
    std::string text;
    file_to_store file;
    try {
        const std::string data = read_file(found.path);
        file.bytes = data.size();
        if (arguments.encoding.empty() && looks_binary(data)) {
            sums.skipped.push_back({found.path, "it is not text"});
            return std::nullopt;
        }
        text = decode(data, arguments.encoding);
    } catch (const std::runtime_error& e) {
        sums.failed.push_back({found.path, e.what()});
        return std::nullopt;
    }
    if (looks_binary(text)) {
        sums.skipped.push_back({found.path, "it is not text"});
        return std::nullopt;
    }
    text = clean_text(text);
    const std::string source = arguments.id.empty() ? found.identity : arguments.id;
    if (corpus.has_title)
        file.document.title = source.substr(source.rfind('/') + 1);
    if (!corpus.source.empty())
        file.document.source = source;
    file.digest = sha256_of({model, std::to_string(chunking.max_bytes), std::to_string(chunking.overlap_bytes), text});
    if (corpus.has_metadata)
        file.document.metadata = ingest_note(file.digest, model);
    for (auto& content : chunk_text(text, chunking)) {
        tenancy::new_chunk chunk;
        chunk.content = std::move(content);
        file.document.chunks.push_back(std::move(chunk));
    }
    if (file.document.chunks.empty()) {
        sums.skipped.push_back({found.path, "it holds no text"});
        return std::nullopt;
    }
    return file;
}

} // namespace

void ingest(const context& ctx, const ingest_arguments& arguments) {
    const auto started = std::chrono::steady_clock::now();
    const auto who = parse_caller(arguments.tenant, arguments.user);
    chunk_options chunking;
    chunking.max_bytes = static_cast<std::size_t>(arguments.chunk_bytes);
    chunking.overlap_bytes = static_cast<std::size_t>(arguments.overlap_bytes);
    (void)chunk_text("", chunking); // refuses senseless sizes before anything is read or sent
    totals sums;
    auto found = find_files(arguments.paths, arguments.root);
    sums.skipped = std::move(found.skipped);
    sums.failed = std::move(found.failed);
    if (found.files.empty() && sums.failed.empty())
        throw std::runtime_error{"there is no file to ingest"};
    if (!arguments.id.empty() && found.files.size() + sums.failed.size() != 1)
        throw std::invalid_argument{"--id names one document, and these are " +
                                    std::to_string(found.files.size() + sums.failed.size()) + " files"};

    tenancy::pool_options one;
    one.max_size = 1;
    tenancy::pool pool{ctx.conninfo, one};
    const auto embedder = prepare(ctx, pool, arguments);

    const corpus_description corpus = [&] {
        const auto lease = pool.acquire();
        return describe_corpus(*lease, arguments.corpus)
            .value_or(corpus_description{arguments.corpus, "", "", false, false, "", 0}); // storing says that it is missing
    }();

    std::vector<file_to_store> batch;
    std::size_t chunks_in_batch = 0;
    {
        progress bar{found.files.size(), !ctx.quiet};
        for (std::size_t i = 0; i < found.files.size(); ++i) {
            bar.show(i, found.files[i].path);
            auto file = read(found.files[i], arguments, corpus, chunking, embedder->name(), sums);
            if (!file)
                continue;
            chunks_in_batch += file->document.chunks.size();
            batch.push_back(std::move(*file));
            if (chunks_in_batch >= batch_chunks) {
                store(pool, who, arguments, *embedder, corpus, batch, sums);
                chunks_in_batch = 0;
            }
        }
        store(pool, who, arguments, *embedder, corpus, batch, sums);
    }
    report(ctx, arguments, *embedder, sums,
           std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    if (!sums.failed.empty())
        throw std::runtime_error{std::to_string(sums.failed.size()) + " of " +
                                 std::to_string(sums.failed.size() + found.files.size()) +
                                 " files could not be stored; the others were"};
}

} // namespace tenancyctl
