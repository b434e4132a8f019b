#include <limits>

#include "support/database.hpp"
#include "support/proxy.hpp"

namespace {

using namespace tenancy_test;
using tenancy::connection;
using tenancy::ingest;
using tenancy::ingest_options;
using tenancy::new_chunk;
using tenancy::new_document;
using tenancy::transaction;

std::vector<float> embedding(float first) {
    std::vector<float> values(database::dimensions, 0.25f);
    values[0] = first;
    return values;
}

new_document document(const std::string& title, int chunks) {
    new_document d;
    d.title = title;
    for (int i = 0; i < chunks; ++i) {
        new_chunk c;
        c.content = title + " chunk " + std::to_string(i);
        c.embedding = embedding(static_cast<float>(i));
        d.chunks.push_back(c);
    }
    return d;
}

class ingestion : public live {
protected:
    void SetUp() override {
        live::SetUp();
        if (!IsSkipped())
            c_ = std::make_unique<connection>(db().app());
    }
    void TearDown() override {
        c_.reset();
        live::TearDown();
    }

    std::vector<tenancy::document_id> store(const std::vector<new_document>& documents,
                                            ingest_options options = {}) {
        transaction tx{*c_, db().acme()};
        auto ids = ingest(tx, documents, options);
        tx.commit();
        return ids;
    }

    connection& c() { return *c_; }

private:
    std::unique_ptr<connection> c_;
};

TEST_F(ingestion, stores_every_field) {
    new_document d;
    d.id = tenancy::document_id::generate();
    d.title = "Title with \"quotes\", {braces}, \\ and ü";
    d.source = "/a path/with,commas";
    d.metadata = R"({"lang": "de", "n": 1})";
    new_chunk a;
    a.id = tenancy::chunk_id::generate();
    a.content = "first\n\"line\" \\ NULL";
    a.embedding = embedding(1.0f / 3.0f);
    a.metadata = R"({"page": 7})";
    new_chunk b;
    b.content = "NULL";
    d.chunks = {a, b};
    const auto ids = store({d, document("second", 1)});
    ASSERT_EQ(ids.size(), 2u);
    EXPECT_EQ(ids[0], *d.id);

    transaction tx{c(), db().acme()};
    const auto rows = tx.exec("SELECT title, source, metadata->>'lang' FROM documents WHERE id = '" +
                              ids[0].to_string() + "'");
    EXPECT_EQ(std::string{rows[0][0].c_str()}, *d.title);
    EXPECT_EQ(std::string{rows[0][1].c_str()}, *d.source);
    EXPECT_EQ(std::string{rows[0][2].c_str()}, "de");
    const auto chunks = tenancy::get_document_chunks(tx, ids[0]);
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_EQ(chunks[0].chunk, *a.id);
    EXPECT_EQ(chunks[0].chunk_index, 0);
    EXPECT_EQ(chunks[0].content, a.content);
    EXPECT_EQ(chunks[0].metadata, a.metadata);
    EXPECT_EQ(chunks[1].chunk_index, 1);
    EXPECT_EQ(chunks[1].content, "NULL");
    EXPECT_EQ(tx.exec("SELECT embedding IS NULL FROM chunks WHERE content = 'NULL'")[0][0].as<bool>(), true);
    EXPECT_EQ(
        tx.exec("SELECT (embedding::real[])[1] = (1::float4 / 3::float4) FROM chunks WHERE chunk_index = 0 "
                "AND document_id = '" +
                ids[0].to_string() + "'")[0][0]
            .as<bool>(),
        true)
        << "floats arrive bit by bit";
    EXPECT_EQ(tx.exec("SELECT title, source FROM documents WHERE source IS NULL").size(), 1);
}

TEST_F(ingestion, everything_becomes_the_tenants_own) {
    store({document("d", 3)});
    EXPECT_EQ(db().run("SELECT count(*) FROM chunks WHERE tenant_id = '" + db().acme().to_string() + "'"),
              "3");
    transaction tx{c(), db().globex()};
    EXPECT_TRUE(tx.exec("SELECT FROM documents").empty());
}

TEST_F(ingestion, small_batches_give_the_same) {
    std::vector<new_document> documents;
    for (int i = 0; i < 20; ++i)
        documents.push_back(document("d" + std::to_string(i), i % 4));
    ingest_options one_by_one;
    one_by_one.batch_bytes = 1;
    EXPECT_EQ(store(documents, one_by_one).size(), 20u);
    EXPECT_EQ(store(documents).size(), 20u);
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "40");
    EXPECT_EQ(db().run("SELECT count(*) FROM chunks"), "60");
    EXPECT_EQ(
        db().run(
            "SELECT count(DISTINCT n) FROM (SELECT count(*) AS n, title FROM documents GROUP BY title) t"),
        "1");
}

TEST_F(ingestion, takes_few_round_trips) {
    std::vector<new_document> documents;
    for (int i = 0; i < 50; ++i)
        documents.push_back(document("d" + std::to_string(i), 10));
    proxy line{server_socket(test_url())};
    connection through{with_settings(db().app(), {{"host", line.host()}})};
    transaction tx{through, db().acme()};
    const int before = line.round_trips();
    ingest(tx, documents);
    EXPECT_LE(line.round_trips() - before, 3) << "the corpus, the documents, the chunks";
    tx.commit();
}

TEST_F(ingestion, nothing_is_stored_without_commit) {
    {
        transaction tx{c(), db().acme()};
        ingest(tx, {document("d", 1)});
    }
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "0");
}

TEST_F(ingestion, nothing_to_do) {
    EXPECT_TRUE(store({}).empty());
    EXPECT_EQ(store({document("empty", 0)}).size(), 1u);
}

TEST_F(ingestion, bad_input) {
    const auto refused_by_us = [&](const new_document& d) {
        EXPECT_THROW(store({d}), std::invalid_argument);
    };
    auto d = document("d", 1);
    d.title = std::string("a\0b", 3);
    refused_by_us(d);
    d = document("d", 1);
    d.source = std::string("a\0b", 3);
    refused_by_us(d);
    d = document("d", 1);
    d.chunks[0].content = std::string("a\0b", 3);
    refused_by_us(d);
    d = document("d", 1);
    d.chunks[0].embedding[3] = std::numeric_limits<float>::quiet_NaN();
    refused_by_us(d);
    d = document("d", 1);
    d.chunks[0].embedding[3] = -std::numeric_limits<float>::infinity();
    refused_by_us(d);
    ingest_options nothing;
    nothing.batch_bytes = 0;
    EXPECT_THROW(store({document("d", 1)}, nothing), std::invalid_argument);

    d = document("d", 1);
    d.chunks[0].embedding.pop_back();
    try {
        store({d});
        FAIL();
    } catch (const tenancy::corpus_mismatch& e) {
        EXPECT_EQ(e.info().sqlstate, "TN010");
        EXPECT_EQ(e.message(), "expected 16 dimensions, not 15");
    }
    ingest_options elsewhere;
    elsewhere.corpus = "nowhere";
    EXPECT_THROW(store({document("d", 1)}, elsewhere), tenancy::corpus_mismatch);
    elsewhere.corpus = std::string("a\0b", 3);
    EXPECT_THROW(store({document("d", 1)}, elsewhere), std::invalid_argument);

    d = document("d", 1);
    d.metadata = "not json";
    EXPECT_THROW(store({d}), pqxx::data_exception);
    d = document("d", 1);
    d.chunks[0].content = "\xff\xfe";
    EXPECT_THROW(store({d}), pqxx::data_exception);
    d = document("d", 2);
    d.chunks[0].id = d.chunks[1].id = tenancy::chunk_id::generate();
    EXPECT_THROW(store({d}), pqxx::unique_violation);
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "0");
    EXPECT_TRUE(c().is_clean());
}

TEST_F(ingestion, an_application_s_own_tables) {
    db().run("CREATE TABLE \"My Docs\" (key uuid PRIMARY KEY, headline text)");
    db().run(
        "CREATE TABLE passages (pid uuid PRIMARY KEY, doc uuid NOT NULL, body text NOT NULL, vec vector(3))");
    db().run("SELECT tenancy.protect('\"My Docs\"')");
    db().run("SELECT tenancy.protect('passages')");
    db().run(R"(SELECT tenancy.attach_corpus('own', '"My Docs"', 'passages',
        '{"documents_id": "key", "title": "headline", "id": "pid", "document_id": "doc", "content": "body", "embedding": "vec"}'))");
    new_document d;
    d.title = "T";
    new_chunk k;
    k.content = "some words";
    k.embedding = {1, 2, 3};
    d.chunks.push_back(k);
    ingest_options options;
    options.corpus = "own";
    const auto ids = store({d}, options);
    {
        transaction tx{c(), db().acme()};
        tenancy::match_options match;
        match.corpus = "own";
        const auto found = tenancy::match_chunks(tx, {1, 2, 3}, match);
        ASSERT_EQ(found.size(), 1u);
        EXPECT_EQ(found[0].content, "some words");
        EXPECT_EQ(found[0].document, ids[0]);
        EXPECT_EQ(found[0].document_title, "T");
        EXPECT_FALSE(found[0].document_source);
        EXPECT_FALSE(found[0].chunk_index);
    }
    d.chunks[0].metadata = R"({"page": 1})";
    EXPECT_THROW(store({d}, options), tenancy::corpus_mismatch) << "there is no column for it";
    d.chunks[0].metadata = "{}";
    d.source = "somewhere";
    EXPECT_THROW(store({d}, options), tenancy::corpus_mismatch);
}

} // namespace
