#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tenancy/detail/export.hpp"
#include "tenancy/embedder.hpp"

namespace tenancy {

/// An embedding could not be had.
class TENANCY_EXPORT embedding_error : public std::runtime_error {
public:
    /**
     * @param what a message without secrets
     * @param http_status the status the endpoint answered with, or 0 if it did not answer
     */
    embedding_error(const std::string& what, long http_status)
        : std::runtime_error{what}, status_{http_status} {}
    ~embedding_error() noexcept override;

    /// The HTTP status of the last answer, or 0 if there was none.
    [[nodiscard]] long http_status() const noexcept { return status_; }

private:
    long status_;
};

/// Where and how @ref http_embedder asks.
struct http_embedder_options {
    /// Up to and including the version, without `/embeddings`; `http` or `https`.
    std::string base_url = "https://api.openai.com/v1";
    /// The model's name, as the endpoint knows it.
    std::string model;
    /// Sent as bearer token; empty means none. It never shows in a message.
    std::string api_key;
    /// Numbers per embedding; 0 means what the model gives, found out by embedding one word.
    int dimensions = 0;
    /// Asks the endpoint for that many dimensions, for models that can shorten their embeddings.
    bool request_dimensions = false;
    /// Texts per request; at least 1.
    std::size_t batch_size = 64;
    /// How long making the connection may take.
    std::chrono::milliseconds connect_timeout{10'000};
    /// How long one request may take in all.
    std::chrono::milliseconds timeout{60'000};
    /// Attempts per request, the first included; at least 1.
    int max_attempts = 5;
    /// The longest wait before the second attempt; it doubles from one to the next.
    std::chrono::milliseconds base_delay{500};
    /// No wait is longer, unless the endpoint asks for more with `Retry-After`.
    std::chrono::milliseconds max_delay{20'000};
    /// A `Retry-After` longer than this is an error at once.
    std::chrono::seconds max_retry_after{60};
};

/// Asks any endpoint that speaks OpenAI's `POST /embeddings`: OpenAI, Azure, Ollama, llama.cpp, vLLM,
/// text-embeddings-inference.
/**
 * A request is repeated after 408, 429, 500, 502, 503, 504 and after a lost connection, as `Retry-After` says
 * or with growing random waits. Redirects are not followed, so the key goes nowhere else. For one thread at a
 * time.
 */
class TENANCY_EXPORT http_embedder final : public embedder {
public:
    /**
     * @param options where and how; nothing is sent yet
     * @throws std::invalid_argument if the URL is neither http nor https, the model is empty, the key holds a
     * line break, or a number is out of its range
     */
    explicit http_embedder(http_embedder_options options);
    ~http_embedder() override;
    http_embedder(const http_embedder&) = delete;
    http_embedder& operator=(const http_embedder&) = delete;

    [[nodiscard]] std::string name() const override;
    [[nodiscard]] int dimensions() override;
    /** @throws embedding_error if the endpoint cannot be reached, refuses, or answers with what is not
     * embeddings of one size */
    [[nodiscard]] std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) override;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace tenancy
