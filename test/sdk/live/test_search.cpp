#include <limits>

#include "support/database.hpp"

namespace {

using namespace tenancy_test;
using tenancy::connection;
using tenancy::transaction;

class searches : public live {
protected:
    void SetUp() override {
        live::SetUp();
        if (IsSkipped())
            return;
        c_ = std::make_unique<connection>(db().app());
        tenancy::hashing_embedder embedder{database::dimensions};
        const auto store = [&](const tenancy::tenant_id& tenant, const std::string& title,
                               const std::vector<std::string>& texts) {
            tenancy::new_document d;
            d.title = title;
            d.source = "/" + title;
            for (const auto& text : texts) {
                tenancy::new_chunk k;
                k.content = text;
                k.embedding = embedder.embed_one(text);
                k.metadata = "{\"words\": " + std::to_string(text.size() > 30 ? 2 : 1) + "}";
                d.chunks.push_back(k);
            }
            transaction tx{*c_, tenant};
            const auto ids = tenancy::ingest(tx, {d});
            tx.commit();
            return ids[0];
        };
        cats_ =
            store(db().acme(), "cats", {"the cat sat on the mat", "cats sleep most of the day in the sun"});
        dogs_ = store(db().acme(), "dogs", {"a dog barks at the postman"});
        theirs_ = store(db().globex(), "theirs", {"the cat of globex is a secret cat"});
    }
    void TearDown() override {
        c_.reset();
        live::TearDown();
    }

    connection& c() { return *c_; }
    std::vector<float> embed(const std::string& text) {
        return tenancy::hashing_embedder{database::dimensions}.embed_one(text);
    }

    std::optional<tenancy::document_id> cats_, dogs_, theirs_;

private:
    std::unique_ptr<connection> c_;
};

TEST_F(searches, match_finds_the_nearest_first) {
    transaction tx{c(), db().acme()};
    const auto found = tenancy::match_chunks(tx, embed("a dog barks at the postman"));
    ASSERT_EQ(found.size(), 3u) << "all the tenant has, and nothing else";
    EXPECT_EQ(found[0].content, "a dog barks at the postman");
    EXPECT_NEAR(found[0].similarity, 1.0, 1e-5);
    EXPECT_EQ(found[0].document, *dogs_);
    EXPECT_EQ(found[0].chunk_index, 0);
    EXPECT_EQ(found[0].document_title, "dogs");
    EXPECT_EQ(found[0].document_source, "/dogs");
    EXPECT_EQ(found[0].metadata, R"({"words": 1})");
    EXPECT_GE(found[0].similarity, found[1].similarity);
    EXPECT_GE(found[1].similarity, found[2].similarity);
}

TEST_F(searches, match_options) {
    transaction tx{c(), db().acme()};
    const auto query = embed("cat mat");
    tenancy::match_options options;
    options.count = 1;
    EXPECT_EQ(tenancy::match_chunks(tx, query, options).size(), 1u);
    options = {};
    options.threshold = 2.0;
    EXPECT_TRUE(tenancy::match_chunks(tx, query, options).empty());
    options = {};
    options.filter = R"({"words": 2})";
    ASSERT_EQ(tenancy::match_chunks(tx, query, options).size(), 1u);
    options = {};
    options.documents = {*dogs_};
    ASSERT_EQ(tenancy::match_chunks(tx, query, options).size(), 1u);
    options.documents = {*cats_, *dogs_};
    EXPECT_EQ(tenancy::match_chunks(tx, query, options).size(), 3u);
    options.documents = std::vector<tenancy::document_id>{};
    EXPECT_TRUE(tenancy::match_chunks(tx, query, options).empty()) << "an empty list is not no list";
    options.documents = {*theirs_};
    EXPECT_TRUE(tenancy::match_chunks(tx, query, options).empty())
        << "another tenant's document does not exist";
}

TEST_F(searches, keyword) {
    transaction tx{c(), db().acme()};
    const auto found = tenancy::keyword_search(tx, "cat postman");
    ASSERT_EQ(found.size(), 3u);
    for (const auto& match : found) {
        EXPECT_NE(match.document, *theirs_);
        EXPECT_GT(match.score, 0);
    }
    EXPECT_TRUE(tenancy::keyword_search(tx, "secret").empty());
    EXPECT_TRUE(tenancy::keyword_search(tx, "").empty());
    tenancy::search_options options;
    options.count = 1;
    options.documents = {*cats_};
    const auto one = tenancy::keyword_search(tx, "cat postman", options);
    ASSERT_EQ(one.size(), 1u);
    EXPECT_EQ(one[0].document, *cats_);
}

TEST_F(searches, hybrid) {
    transaction tx{c(), db().acme()};
    for (const auto fusion : {tenancy::fusion::automatic, tenancy::fusion::rrf, tenancy::fusion::convex}) {
        tenancy::hybrid_options options;
        options.fusion = fusion;
        const auto found = tenancy::hybrid_search(tx, embed("dog barks"), "dog barks", options);
        ASSERT_FALSE(found.empty());
        EXPECT_EQ(found[0].document, *dogs_);
        EXPECT_TRUE(found[0].vector_similarity);
        EXPECT_TRUE(found[0].text_similarity);
        for (std::size_t i = 1; i < found.size(); ++i)
            EXPECT_GE(found[i - 1].combined_score, found[i].combined_score);
    }
    tenancy::hybrid_options options;
    options.text_weight = 1.0;
    options.rrf_k = 1;
    options.count = 2;
    options.documents = {*cats_};
    EXPECT_EQ(tenancy::hybrid_search(tx, embed("dog barks"), "cat", options).size(), 2u);
}

TEST_F(searches, document_chunks) {
    transaction tx{c(), db().acme()};
    const auto chunks = tenancy::get_document_chunks(tx, *cats_);
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_EQ(chunks[0].chunk_index, 0);
    EXPECT_EQ(chunks[0].content, "the cat sat on the mat");
    EXPECT_EQ(chunks[1].chunk_index, 1);
    EXPECT_TRUE(tenancy::get_document_chunks(tx, *theirs_).empty());
    EXPECT_TRUE(tenancy::get_document_chunks(tx, tenancy::document_id::generate()).empty());
}

TEST_F(searches, refused_here) {
    transaction tx{c(), db().acme()};
    const auto query = embed("x y z");
    auto bad = query;
    bad[2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THROW(tenancy::match_chunks(tx, {}), std::invalid_argument);
    EXPECT_THROW(tenancy::match_chunks(tx, bad), std::invalid_argument);
    bad[2] = std::numeric_limits<float>::infinity();
    EXPECT_THROW(tenancy::hybrid_search(tx, bad, "x"), std::invalid_argument);
    EXPECT_THROW(tenancy::hybrid_search(tx, query, std::string("a\0b", 3)), std::invalid_argument);
    EXPECT_THROW(tenancy::keyword_search(tx, std::string("a\0b", 3)), std::invalid_argument);
    tenancy::match_options options;
    options.corpus = std::string("a\0b", 3);
    EXPECT_THROW(tenancy::match_chunks(tx, query, options), std::invalid_argument);
    options = {};
    options.filter = std::string("{}\0", 3);
    EXPECT_THROW(tenancy::match_chunks(tx, query, options), std::invalid_argument);
    EXPECT_THROW(tenancy::get_document_chunks(tx, *cats_, std::string("a\0b", 3)), std::invalid_argument);
    EXPECT_NO_THROW(tenancy::match_chunks(tx, query)) << "nothing of this reached the server";
}

TEST_F(searches, refused_by_the_server) {
    const auto query = embed("x y z");
    const auto in_transaction = [&](auto&& f) {
        transaction tx{c(), db().acme()};
        f(tx);
    };
    const auto with = [&](auto&& change) {
        tenancy::match_options options;
        change(options);
        in_transaction([&](transaction& tx) { (void)tenancy::match_chunks(tx, query, options); });
    };
    EXPECT_THROW(in_transaction([&](transaction& tx) {
                     (void)tenancy::match_chunks(tx, {1, 2, 3});
                 }),
                 tenancy::corpus_mismatch);
    EXPECT_THROW(with([](auto& o) { o.corpus = "nowhere"; }), tenancy::corpus_mismatch);
    EXPECT_THROW(with([](auto& o) { o.count = 0; }), pqxx::data_exception);
    EXPECT_THROW(with([](auto& o) { o.count = -1; }), pqxx::data_exception);
    EXPECT_THROW(with([](auto& o) { o.filter = "not json"; }), pqxx::data_exception);
    EXPECT_THROW(with([](auto& o) { o.threshold = std::numeric_limits<double>::quiet_NaN(); }),
                 pqxx::data_exception);
    const auto hybrid = [&](auto&& change) {
        tenancy::hybrid_options options;
        change(options);
        in_transaction([&](transaction& tx) { (void)tenancy::hybrid_search(tx, query, "x", options); });
    };
    EXPECT_THROW(hybrid([](auto& o) { o.text_weight = 1.5; }), pqxx::data_exception);
    EXPECT_THROW(hybrid([](auto& o) { o.rrf_k = 0; }), pqxx::data_exception);
    EXPECT_THROW(hybrid([](auto& o) { o.fusion = static_cast<tenancy::fusion>(99); }), std::invalid_argument);
    EXPECT_THROW(
        in_transaction([&](transaction& tx) { (void)tenancy::get_document_chunks(tx, *cats_, "nowhere"); }),
        tenancy::corpus_mismatch);
    EXPECT_NO_THROW(with([](auto& o) { o.count = std::numeric_limits<int>::max(); }));
}

} // namespace
