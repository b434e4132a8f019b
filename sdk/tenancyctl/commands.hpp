#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tenancyctl/context.hpp"

namespace tenancyctl {

// Each command's arguments and what runs it; errors come out as exceptions.

struct organization_create_arguments {
    std::string slug, name;
};
void organization_create(const context& ctx, const organization_create_arguments& arguments);

struct tenant_create_arguments {
    std::string slug, name, organization, external_key, settings = "{}";
};
void tenant_create(const context& ctx, const tenant_create_arguments& arguments);
void tenant_list(const context& ctx, const std::string& organization);
void tenant_show(const context& ctx, const std::string& tenant);

struct corpus_create_arguments {
    std::string name = "default", metric = "cosine", text_config = "english", schema = "public", embedding_model;
    int dimensions = 0;
};
void corpus_create(const context& ctx, const corpus_create_arguments& arguments);

struct ingest_arguments {
    std::string tenant, user, corpus = "default";
    std::vector<std::string> paths;
    std::string root, id, encoding;
    embedder_choice embedder;
    int chunk_bytes = 1000, overlap_bytes = 150;
    bool create_corpus = false, append = false;
};
void ingest(const context& ctx, const ingest_arguments& arguments);

struct search_arguments {
    std::string tenant, user, corpus = "default", query, mode = "hybrid";
    embedder_choice embedder;
    int count = 10;
    std::optional<std::string> filter;
    std::optional<double> threshold;
    double text_weight = 0.3;
    std::string fusion = "auto";
    std::vector<std::string> documents;
};
void search(const context& ctx, const search_arguments& arguments);

void status(const context& ctx);

} // namespace tenancyctl
