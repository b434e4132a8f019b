#include "pure/error.hpp"
#include "search/pure/arguments.hpp"
#include "search/pure/metric.hpp"
#include "search/pure/statements.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace {

using namespace tenancy;
using namespace tenancy::search;

TEST(metric, names) {
    metric parsed;
    EXPECT_TRUE(parse_metric("cosine", parsed));
    EXPECT_TRUE(parse_metric("inner_product", parsed));
    EXPECT_TRUE(parse_metric("l2", parsed));
    EXPECT_FALSE(parse_metric("L2", parsed));
    EXPECT_FALSE(parse_metric("", parsed));
}

TEST(metric, similarity) {
    EXPECT_EQ(similarity(metric::cosine, 0), 1);
    EXPECT_EQ(similarity(metric::cosine, 2), -1);
    EXPECT_EQ(similarity(metric::inner_product, -3.5), 3.5);
    EXPECT_FALSE(std::signbit(similarity(metric::inner_product, 0)));
    EXPECT_EQ(similarity(metric::l2, 0), 1);
    EXPECT_EQ(similarity(metric::l2, 3), 0.25);
    for (metric by : {metric::cosine, metric::inner_product, metric::l2})
        EXPECT_EQ(similarity(by, distance_of_nothing(by)), 0);
}

TEST(metric, embeddings_that_fit) {
    std::size_t position;
    float good[] = {1, -65504, 0};
    EXPECT_EQ(check_embedding(good, 3, 3, true, position), fit::good);
    EXPECT_EQ(check_embedding(good, 3, 4, false, position), fit::wrong_dimensions);

    float large[] = {0, 65520};
    EXPECT_EQ(check_embedding(large, 2, 2, false, position), fit::good);
    EXPECT_EQ(check_embedding(large, 2, 2, true, position), fit::out_of_half_range);
    EXPECT_EQ(position, 1u);

    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        float values[] = {1, 2, bad};
        EXPECT_EQ(check_embedding(values, 3, 3, false, position), fit::not_finite);
        EXPECT_EQ(position, 2u);
    }
}

std::string refusal(void (*call)()) {
    try {
        call();
    } catch (const error& e) {
        return e.sqlstate() + " " + e.message();
    }
    return "accepted";
}

TEST(arguments, are_refused_with_both_values) {
    EXPECT_EQ(refusal([] { check_match_count(0); }), "22023 match_count must be at least 1, not 0");
    EXPECT_EQ(refusal([] { check_match_count(1); }), "accepted");
    EXPECT_EQ(refusal([] { check_text_weight(-0.25); }), "22023 text_weight must be between 0 and 1, not -0.25");
    EXPECT_EQ(refusal([] { check_text_weight(std::nan("")); }), "22023 text_weight must be between 0 and 1, not NaN");
    EXPECT_EQ(refusal([] { check_text_weight(1); }), "accepted");
    EXPECT_EQ(refusal([] { check_rrf_k(0); }), "22023 rrf_k must be at least 1, not 0");
    EXPECT_EQ(refusal([] { check_fusion("sum"); }), "22023 fusion must be auto, rrf or convex, not \"sum\"");
    EXPECT_EQ(refusal([] { check_threshold(std::nan("")); }), "22023 match_threshold must be a number, not NaN");
    EXPECT_EQ(refusal([] {
                  float values[] = {1, std::numeric_limits<float>::infinity()};
                  check_embedding_fits(values, 2, 2, false, "c");
              }),
              "TN010 expected a finite number in the embedding, not Infinity");
    EXPECT_EQ(refusal([] {
                  float values[] = {1};
                  check_embedding_fits(values, 1, 1536, false, "c");
              }),
              "TN010 expected 1536 dimensions, not 1");
}

layout tables() {
    layout of;
    of.chunks = "\"s\".\"c\"";
    of.documents = "\"s\".\"d\"";
    of.chunks_tenant = of.documents_tenant = "\"t\"";
    of.chunks_tenant_function = of.documents_tenant_function = "tenancy.current_tenant_id()";
    of.id = of.documents_id = "\"i\"";
    of.document_id = "\"d\"";
    of.content = "\"b\"";
    of.embedding = "\"e\"";
    of.vector_schema = "\"v\"";
    return of;
}

TEST(statements, quote) {
    EXPECT_EQ(quote_identifier("plain"), "\"plain\"");
    EXPECT_EQ(quote_identifier("a\"; DROP TABLE x; --"), "\"a\"\"; DROP TABLE x; --\"");
}

/// Every operator must be written OPERATOR(schema.op): any other is looked up by the caller's search_path.
TEST(statements, no_operator_is_left_to_the_search_path) {
    layout of = tables();
    of.metadata = "\"m\"";
    for (const std::string& text :
         {nearest_statement(of, {true, true}), distances_statement(of, {true, true}), scored_statement(of, {true, true}),
          distances_statement(of, {true, true}, lookup::join), scored_statement(of, {true, true}, lookup::join),
          titles_statement(of, lookup::join), words_statement(of, {true, true}), words_of_statement(of),
          passing_statement(of, {true, true}), rows_statement(of), titles_statement(of), document_statement(of)}) {
        std::string bare = text;
        // All columns, not a product.
        if (std::size_t at = bare.find("x.*"); at != std::string::npos) bare.erase(at, 3);
        for (std::size_t at; (at = bare.find("OPERATOR(")) != std::string::npos;)
            bare.erase(at, bare.find(')', at) + 1 - at);
        EXPECT_EQ(bare.find_first_of("=<>@~!+*/|&%^#"), std::string::npos) << text;
    }
}

TEST(statements, every_reading_of_chunks_is_of_the_tenant) {
    layout of = tables();
    for (const std::string& text : {nearest_statement(of, {}), distances_statement(of), scored_statement(of),
                                    distances_statement(of, {}, lookup::join), scored_statement(of, {}, lookup::join),
                                    words_statement(of, {}), words_of_statement(of), passing_statement(of, {}),
                                    rows_statement(of), document_statement(of)})
        EXPECT_NE(text.find("c.\"t\" OPERATOR(pg_catalog.=) tenancy.current_tenant_id()"), std::string::npos) << text;
    for (lookup by : {lookup::array, lookup::join})
        EXPECT_NE(titles_statement(of, by).find("OPERATOR(pg_catalog.=) " + of.documents_tenant_function),
                  std::string::npos);
}

} // namespace
