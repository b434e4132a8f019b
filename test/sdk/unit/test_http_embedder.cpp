#include "tenancy/http_embedder.hpp"

#include <atomic>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/http_server.hpp"

namespace {

using namespace std::chrono_literals;
using json = nlohmann::json;
using tenancy::embedding_error;
using tenancy::http_embedder;
using tenancy::http_embedder_options;
using tenancy_test::http_request;
using tenancy_test::http_response;
using tenancy_test::http_server;

http_embedder_options options_for(const http_server& server) {
    http_embedder_options options;
    options.base_url = server.url() + "/v1";
    options.model = "test-model";
    options.base_delay = 1ms;
    options.max_delay = 5ms;
    options.timeout = 2000ms;
    return options;
}

// Three numbers a text, of which the first is the text's length; the items come in reverse order, numbered.
http_response embed(const http_request& request) {
    const auto input = json::parse(request.body)["input"];
    json data = json::array();
    for (std::size_t i = input.size(); i-- > 0;)
        data.push_back({{"object", "embedding"},
                        {"index", i},
                        {"embedding", {input[i].get<std::string>().size(), 0.5, -1}}});
    http_response response;
    response.body = json{{"object", "list"}, {"data", data}}.dump();
    return response;
}

http_response status(int code, const std::string& body = "", std::vector<std::string> headers = {}) {
    http_response response;
    response.status = code;
    response.body = body;
    response.headers = std::move(headers);
    return response;
}

// Answers that must be an error, each told by a word of the message.
void expect_failure(const std::function<http_response(const http_request&)>& handler, long http_status,
                    const std::string& word, int attempts_expected,
                    const std::function<void(http_embedder_options&)>& change = {}) {
    http_server server{handler};
    auto options = options_for(server);
    options.max_attempts = 3;
    options.api_key = "very-secret";
    if (change)
        change(options);
    http_embedder embedder{options};
    try {
        (void)embedder.embed({"a", "b"});
        FAIL() << "no error: " << word;
    } catch (const embedding_error& e) {
        const std::string what = e.what();
        EXPECT_EQ(e.http_status(), http_status) << what;
        EXPECT_NE(what.find(word), std::string::npos) << what;
        EXPECT_NE(what.find("test-model"), std::string::npos) << what;
        EXPECT_EQ(what.find("very-secret"), std::string::npos) << what;
    }
    EXPECT_EQ(static_cast<int>(server.requests().size()), attempts_expected) << word;
}

TEST(http_embedder, asks_as_the_interface_says) {
    http_server server{embed};
    auto options = options_for(server);
    options.base_url += "/"; // a slash too many does no harm
    options.api_key = "key-1";
    http_embedder embedder{options};
    const auto embeddings = embedder.embed({"a", "four"});
    ASSERT_EQ(embeddings.size(), 2u);
    EXPECT_EQ(embeddings[0], (std::vector<float>{1, 0.5f, -1}));
    EXPECT_EQ(embeddings[1], (std::vector<float>{4, 0.5f, -1})) << "numbered items go to their places";
    EXPECT_EQ(embedder.dimensions(), 3);
    EXPECT_EQ(embedder.name(), "test-model");

    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].method, "POST");
    EXPECT_EQ(requests[0].path, "/v1/embeddings");
    EXPECT_EQ(requests[0].headers.at("authorization"), "Bearer key-1");
    EXPECT_EQ(requests[0].headers.at("content-type"), "application/json");
    const auto body = json::parse(requests[0].body);
    EXPECT_EQ(body["model"], "test-model");
    EXPECT_EQ(body["input"], (json{"a", "four"}));
    EXPECT_EQ(body["encoding_format"], "float");
    EXPECT_FALSE(body.contains("dimensions"));
}

TEST(http_embedder, no_key_no_header) {
    http_server server{embed};
    http_embedder embedder{options_for(server)};
    (void)embedder.embed_one("x");
    EXPECT_EQ(server.requests()[0].headers.count("authorization"), 0u);
}

TEST(http_embedder, works_in_batches) {
    http_server server{embed};
    auto options = options_for(server);
    options.batch_size = 3;
    http_embedder embedder{options};
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 8; ++i)
        texts.emplace_back(i, 'x');
    const auto embeddings = embedder.embed(texts);
    ASSERT_EQ(embeddings.size(), 8u);
    for (std::size_t i = 0; i < 8; ++i)
        EXPECT_EQ(embeddings[i][0], static_cast<float>(i));
    EXPECT_EQ(server.requests().size(), 3u);
    EXPECT_TRUE(embedder.embed({}).empty());
    EXPECT_EQ(server.requests().size(), 3u) << "nothing to ask, nothing sent";
}

TEST(http_embedder, dimensions_are_asked_for_once) {
    http_server server{embed};
    http_embedder embedder{options_for(server)};
    EXPECT_EQ(embedder.dimensions(), 3);
    EXPECT_EQ(embedder.dimensions(), 3);
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST(http_embedder, shortened_embeddings_are_asked_for) {
    http_server server{embed};
    auto options = options_for(server);
    options.dimensions = 3;
    options.request_dimensions = true;
    http_embedder embedder{options};
    (void)embedder.embed_one("x");
    EXPECT_EQ(json::parse(server.requests()[0].body)["dimensions"], 3);
}

TEST(http_embedder, tries_again_after_a_passing_failure) {
    for (const int code : {408, 429, 500, 502, 503, 504}) {
        std::atomic<int> calls{0};
        http_server server{[&](const http_request& r) { return ++calls < 3 ? status(code) : embed(r); }};
        http_embedder embedder{options_for(server)};
        EXPECT_EQ(embedder.embed_one("abc")[0], 3.0f) << code;
        EXPECT_EQ(calls, 3) << code;
    }
}

TEST(http_embedder, tries_again_after_a_lost_connection) {
    std::atomic<int> calls{0};
    http_server server{[&](const http_request& r) {
        auto response = embed(r);
        response.hang_up = ++calls < 3;
        return response;
    }};
    http_embedder embedder{options_for(server)};
    EXPECT_EQ(embedder.embed_one("abc")[0], 3.0f);
    EXPECT_EQ(calls, 3);
}

TEST(http_embedder, honours_retry_after) {
    std::atomic<int> calls{0};
    http_server server{
        [&](const http_request& r) { return ++calls < 2 ? status(429, "", {"Retry-After: 1"}) : embed(r); }};
    http_embedder embedder{options_for(server)};
    const auto started = std::chrono::steady_clock::now();
    (void)embedder.embed_one("x");
    EXPECT_GE(std::chrono::steady_clock::now() - started, 1s);
    EXPECT_EQ(calls, 2);
}

TEST(http_embedder, does_not_wait_for_ever) {
    expect_failure([](const http_request&) { return status(429, "", {"Retry-After: 7200"}); }, 429,
                   "it asks to wait 7200 s", 1);
}

TEST(http_embedder, gives_up_after_the_last_attempt) {
    expect_failure([](const http_request&) { return status(503, "busy"); }, 503, "busy (after 3 attempts)",
                   3);
}

TEST(http_embedder, does_not_repeat_what_will_not_pass) {
    expect_failure(
        [](const http_request&) { return status(401, R"({"error":{"message":"Incorrect API key"}})"); }, 401,
        "HTTP status 401: Incorrect API key", 1);
    expect_failure([](const http_request&) { return status(404, R"({"error":"model not found"})"); }, 404,
                   "model not found", 1);
    expect_failure([](const http_request&) { return status(400, std::string(10'000, 'x')); }, 400, "xxx...",
                   1);
}

TEST(http_embedder, does_not_carry_the_key_to_where_it_is_redirected) {
    http_server other{embed};
    expect_failure(
        [&](const http_request&) { return status(307, "", {"Location: " + other.url() + "/v1/embeddings"}); },
        307, "HTTP status 307", 1);
    EXPECT_TRUE(other.requests().empty());
}

TEST(http_embedder, a_slow_endpoint_is_left) {
    expect_failure(
        [](const http_request& r) {
            auto response = embed(r);
            response.delay_ms = 300;
            return response;
        },
        0, "timed out", 1,
        [](http_embedder_options& options) {
            options.timeout = 100ms;
            options.max_attempts = 1;
        });
}

TEST(http_embedder, an_endpoint_that_is_not_there) {
    std::string url;
    {
        http_server server{embed};
        url = server.url();
    }
    http_embedder_options options;
    options.base_url = url;
    options.model = "m";
    options.max_attempts = 2;
    options.base_delay = 1ms;
    http_embedder embedder{options};
    EXPECT_THROW((void)embedder.embed_one("x"), embedding_error);
}

TEST(http_embedder, answers_that_are_no_embeddings) {
    const auto answer = [](const std::string& body) {
        return [body](const http_request&) { return status(200, body); };
    };
    expect_failure(answer(""), 200, "not a list of embeddings", 1);
    expect_failure(answer("<html>"), 200, "<html>", 1);
    expect_failure(answer("[]"), 200, "not a list of embeddings", 1);
    expect_failure(answer(R"({"data":{}})"), 200, "not a list of embeddings", 1);
    expect_failure(answer(R"({"data":[{"embedding":[1]}]})"), 200, "expected 2 embeddings, not 1", 1);
    expect_failure(answer(R"({"data":[{"embedding":[1]},{}]})"), 200, "has no embedding", 1);
    expect_failure(answer(R"({"data":[{"embedding":[1]},{"embedding":"AAAA"}]})"), 200, "has no embedding",
                   1);
    expect_failure(answer(R"({"data":[{"embedding":[1]},{"embedding":[1,2]}]})"), 200,
                   "expected 1 dimensions, not 2", 1);
    expect_failure(answer(R"({"data":[{"embedding":[]},{"embedding":[]}]})"), 200, "dimensions", 1);
    expect_failure(answer(R"({"data":[{"embedding":[1]},{"embedding":["x"]}]})"), 200, "not a finite number",
                   1);
    expect_failure(answer(R"({"data":[{"embedding":[1]},{"embedding":[1e300]}]})"), 200,
                   "not a finite number", 1);
    expect_failure(answer(R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})"), 200,
                   "numbers", 1);
    expect_failure(answer(R"({"data":[{"index":0,"embedding":[1]},{"index":7,"embedding":[1]}]})"), 200,
                   "numbers", 1);
}

TEST(http_embedder, broken_utf8_is_replaced_not_sent) {
    http_server server{embed};
    http_embedder embedder{options_for(server)};
    EXPECT_NO_THROW((void)embedder.embed_one("gr\xfc\xdf"));
    EXPECT_NO_THROW((void)embedder.embed_one("\"quotes\" \\ and \n lines"));
    EXPECT_EQ(json::parse(server.requests()[1].body)["input"][0], "\"quotes\" \\ and \n lines");
}

TEST(http_embedder, bad_options) {
    const auto refused = [](const std::function<void(http_embedder_options&)>& change) {
        http_embedder_options options;
        options.model = "m";
        change(options);
        EXPECT_THROW(http_embedder{options}, std::invalid_argument);
    };
    refused([](auto& o) { o.base_url = ""; });
    refused([](auto& o) { o.base_url = "file:///etc/passwd"; });
    refused([](auto& o) { o.base_url = "localhost:8080"; });
    refused([](auto& o) { o.model = ""; });
    refused([](auto& o) { o.api_key = "a\r\nX-Evil: 1"; });
    refused([](auto& o) { o.api_key = std::string("a\0b", 3); });
    refused([](auto& o) { o.dimensions = -1; });
    refused([](auto& o) { o.dimensions = 16001; });
    refused([](auto& o) { o.request_dimensions = true; });
    refused([](auto& o) { o.batch_size = 0; });
    refused([](auto& o) { o.batch_size = 1'000'000; });
    refused([](auto& o) { o.max_attempts = 0; });
    refused([](auto& o) { o.timeout = 0ms; });
    refused([](auto& o) { o.connect_timeout = -1ms; });
    refused([](auto& o) { o.base_delay = -1ms; });
    refused([](auto& o) { o.max_retry_after = -1s; });
}

} // namespace
