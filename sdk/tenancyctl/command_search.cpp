#include <cstdio>
#include <iostream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "tenancyctl/commands.hpp"
#include "tenancyctl/corpus.hpp"

namespace tenancyctl {

namespace {

using json = nlohmann::ordered_json;

// One row of output, whichever search it comes from.
struct hit {
    tenancy::found_chunk chunk;
    double score;
    std::optional<double> vector_similarity, text_similarity;
};

void fill(tenancy::search_options& options, const search_arguments& arguments) {
    options.count = arguments.count;
    options.corpus = arguments.corpus;
    options.filter = arguments.filter;
    if (!arguments.documents.empty()) {
        options.documents.emplace();
        for (const auto& text : arguments.documents)
            options.documents->push_back(tenancy::document_id{text});
    }
}

tenancy::fusion parse_fusion(const std::string& text) {
    if (text == "rrf")
        return tenancy::fusion::rrf;
    return text == "convex" ? tenancy::fusion::convex : tenancy::fusion::automatic;
}

std::vector<hit> run(tenancy::transaction& tx, const search_arguments& arguments,
                     const std::vector<float>& embedding) {
    std::vector<hit> hits;
    if (arguments.mode == "match") {
        tenancy::match_options options;
        fill(options, arguments);
        options.threshold = arguments.threshold;
        for (auto& m : tenancy::match_chunks(tx, embedding, options))
            hits.push_back({std::move(m), m.similarity, {}, {}});
    } else if (arguments.mode == "keyword") {
        tenancy::search_options options;
        fill(options, arguments);
        for (auto& m : tenancy::keyword_search(tx, arguments.query, options))
            hits.push_back({std::move(m), m.score, {}, {}});
    } else {
        tenancy::hybrid_options options;
        fill(options, arguments);
        options.text_weight = arguments.text_weight;
        options.fusion = parse_fusion(arguments.fusion);
        for (auto& m : tenancy::hybrid_search(tx, embedding, arguments.query, options))
            hits.push_back({std::move(m), m.combined_score, m.vector_similarity, m.text_similarity});
    }
    return hits;
}

json hit_json(const hit& h) {
    const auto optional = [](const auto& value) { return value ? json(*value) : json(); };
    json item{{"score", h.score},
              {"document_id", h.chunk.document.to_string()},
              {"document_title", optional(h.chunk.document_title)},
              {"document_source", optional(h.chunk.document_source)},
              {"chunk_id", h.chunk.chunk.to_string()},
              {"chunk_index", optional(h.chunk.chunk_index)},
              {"content", h.chunk.content},
              {"metadata", json::parse(h.chunk.metadata, nullptr, false)}};
    if (h.vector_similarity)
        item["vector_similarity"] = *h.vector_similarity;
    if (h.text_similarity)
        item["text_similarity"] = *h.text_similarity;
    return item;
}

} // namespace

void search(const context& ctx, const search_arguments& arguments) {
    const auto who = parse_caller(arguments.tenant, arguments.user);
    tenancy::pool_options one;
    one.max_size = 1;
    tenancy::pool pool{ctx.conninfo, one};
    std::optional<corpus_description> corpus;
    std::unique_ptr<tenancy::embedder> embedder;
    std::vector<float> embedding;
    if (arguments.mode != "keyword") {
        {
            const auto lease = pool.acquire();
            corpus = describe_corpus(*lease, arguments.corpus);
        }
        embedder = make_embedder(arguments.embedder, corpus ? corpus->dimensions : 0);
        embedding = embedder->embed_one(arguments.query);
    }
    tenancy::with_tenant_options options;
    options.transaction.access = tenancy::access::read_only;
    const auto hits = tenancy::with_tenant(
        pool, who,
        [&](tenancy::transaction& tx) {
            if (embedder && corpus)
                refuse_other_model(tx, *corpus, embedder->name());
            return run(tx, arguments, embedding);
        },
        options);

    if (ctx.json) {
        json results = json::array();
        for (const auto& h : hits)
            results.push_back(hit_json(h));
        const json report{{"tenant", arguments.tenant},
                          {"corpus", arguments.corpus},
                          {"mode", arguments.mode},
                          {"query", arguments.query},
                          {"results", std::move(results)}};
        std::cout << report.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
        return;
    }
    if (hits.empty()) {
        std::cout << "no results\n";
        return;
    }
    int rank = 0;
    for (const auto& h : hits) {
        std::printf("%2d. %8.4f  %s", ++rank, h.score,
                    one_line(h.chunk.document_title.value_or("(untitled)"), 60).c_str());
        if (h.chunk.chunk_index)
            std::printf(" #%d", *h.chunk.chunk_index);
        if (h.vector_similarity || h.text_similarity)
            std::printf("  (vector %.3f, text %.3f)", h.vector_similarity.value_or(0),
                        h.text_similarity.value_or(0));
        std::printf("\n    %s\n", one_line(h.chunk.content, 160).c_str());
    }
}

} // namespace tenancyctl
