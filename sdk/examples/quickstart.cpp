#include <iostream>

#include <tenancy/tenancy.hpp>

// Stores two documents of a tenant and finds one again. Connects as an application role (tenancy.grant_app)
// to where libpq's environment points; expects the tenant "acme" and a default corpus of 256 dimensions.
int main() try {
    tenancy::pool pool{""};                  // "" takes everything from PGHOST, PGDATABASE, ...
    const tenancy::tenant_slug acme{"acme"}; // a tenant_id is as good
    tenancy::hashing_embedder embedder{256}; // for demos; http_embedder asks a real model

    std::vector<tenancy::new_document> documents(2);
    documents[0].title = "Returns";
    documents[0].chunks.push_back({"You may return goods within thirty days.", {}});
    documents[1].title = "Shipping";
    documents[1].chunks.push_back({"We ship to every country by ordinary mail.", {}});
    for (auto& document : documents)
        for (auto& chunk : document.chunks)
            chunk.embedding = embedder.embed_one(chunk.content);

    // One transaction of this tenant: committed at the end, tried again if it collides with another.
    tenancy::with_tenant(pool, acme, [&](tenancy::transaction& tx) { tenancy::ingest(tx, documents); });

    const auto found = tenancy::with_tenant(pool, acme, [&](tenancy::transaction& tx) {
        tenancy::hybrid_options best;
        best.count = 1;
        const std::string question = "how many days to return goods?";
        return tenancy::hybrid_search(tx, embedder.embed_one(question), question, best);
    });
    for (const auto& match : found)
        std::cout << match.document_title.value_or("") << ": " << match.content << "\n";
    return 0;
} catch (const tenancy::tenant_unavailable& e) { // TN002; every code of the extension has its type
    std::cerr << e.message() << "\n";
    return 2;
} catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
}
