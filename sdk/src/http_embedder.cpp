#include "tenancy/http_embedder.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string_view>
#include <thread>
#include <utility>

#include <curl/curl.h>
#include <nlohmann/json.hpp>

namespace tenancy {

namespace {

using json = nlohmann::json;

constexpr std::size_t max_answer_bytes = std::size_t{256} << 20;
constexpr std::size_t max_shown_bytes = 300;

void initialize_curl() {
    static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK)
        throw embedding_error{std::string{"libcurl cannot be initialized: "} + curl_easy_strerror(code), 0};
}

struct answer {
    std::string body;
    bool too_long = false;
};

std::size_t collect(char* data, std::size_t, std::size_t size, void* target) {
    auto& a = *static_cast<answer*>(target);
    if (a.body.size() + size > max_answer_bytes) {
        a.too_long = true;
        return 0;
    }
    try {
        a.body.append(data, size);
    } catch (const std::bad_alloc&) {
        a.too_long = true;
        return 0;
    }
    return size;
}

bool is_transient(long status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool is_transient(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT || code == CURLE_GOT_NOTHING ||
           code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE;
}

// The endpoint's own words: `{"error": {"message": ...}}`, `{"error": ...}`, or the beginning of whatever it
// sent.
std::string explain(const std::string& body) {
    std::string text;
    const json parsed = json::parse(body, nullptr, false);
    if (parsed.is_object() && parsed.contains("error")) {
        const json& e = parsed["error"];
        if (e.is_string())
            text = e.get<std::string>();
        else if (e.is_object() && e.contains("message") && e["message"].is_string())
            text = e["message"].get<std::string>();
    }
    if (text.empty())
        text = body;
    if (text.size() > max_shown_bytes)
        text = text.substr(0, max_shown_bytes) + "...";
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    return text;
}

} // namespace

embedding_error::~embedding_error() noexcept = default;

struct http_embedder::impl {
    http_embedder_options options;
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle{nullptr, &curl_easy_cleanup};
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers{nullptr, &curl_slist_free_all};
    std::string url;
    std::minstd_rand engine{std::random_device{}()};

    explicit impl(http_embedder_options o) : options{std::move(o)} {
        initialize_curl();
        url = options.base_url;
        while (!url.empty() && url.back() == '/')
            url.pop_back();
        url += "/embeddings";
        handle.reset(curl_easy_init());
        if (!handle)
            throw embedding_error{"libcurl cannot be initialized", 0};
        add_header("Content-Type: application/json");
        if (!options.api_key.empty())
            add_header("Authorization: Bearer " + options.api_key);
    }

    void add_header(const std::string& line) {
        curl_slist* list = curl_slist_append(headers.get(), line.c_str());
        if (!list)
            throw std::bad_alloc{};
        (void)headers.release();
        headers.reset(list);
    }

    std::chrono::milliseconds growing_delay(int failed_attempts) {
        const double bound = std::min(static_cast<double>(options.base_delay.count()) *
                                          std::pow(2.0, std::min(failed_attempts - 1, 20)),
                                      static_cast<double>(options.max_delay.count()));
        std::uniform_real_distribution<double> share{0.5, 1.0};
        return std::chrono::milliseconds{static_cast<std::int64_t>(bound * share(engine))};
    }

    [[noreturn]] void fail(const std::string& why, long status, int attempts) const {
        throw embedding_error{"embedding by " + options.model + " at " + options.base_url +
                                  " failed: " + why +
                                  (attempts > 1 ? " (after " + std::to_string(attempts) + " attempts)" : ""),
                              status};
    }

    std::string post(const std::string& body) {
        CURL* curl = handle.get();
        for (int attempt = 1;; ++attempt) {
            curl_easy_reset(curl); // keeps the connection
            answer a;
            char problem[CURL_ERROR_SIZE] = "";
            curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
            curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
            curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
            curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a);
            curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
            curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
            curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
            curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
            curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                             static_cast<long>(options.connect_timeout.count()));
            curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
            const CURLcode code = curl_easy_perform(curl);
            long status = 0;
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
            if (code == CURLE_OK && status == 200)
                return std::move(a.body);

            const std::string why = code == CURLE_OK
                                        ? "HTTP status " + std::to_string(status) + ": " + explain(a.body)
                                    : a.too_long ? "the answer is too long"
                                    : *problem   ? std::string{problem}
                                                 : std::string{curl_easy_strerror(code)};
            const bool transient =
                code == CURLE_OK ? is_transient(status) : is_transient(code) && !a.too_long;
            if (!transient || attempt >= options.max_attempts)
                fail(why, status, attempt);
            std::chrono::milliseconds delay = growing_delay(attempt);
            curl_off_t retry_after = 0; // libcurl reads both of its forms, seconds and a date
            if (code == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
                retry_after > 0) {
                if (retry_after > options.max_retry_after.count())
                    fail(why + "; it asks to wait " + std::to_string(retry_after) + " s", status, attempt);
                delay = std::chrono::seconds{retry_after};
            }
            std::this_thread::sleep_for(delay);
        }
    }

    std::vector<std::vector<float>> request(const std::vector<std::string>& texts, std::size_t from,
                                            std::size_t count) {
        json body{{"model", options.model}, {"encoding_format", "float"}};
        body["input"] = json::array();
        for (std::size_t i = from; i < from + count; ++i)
            body["input"].push_back(texts[i]);
        if (options.request_dimensions)
            body["dimensions"] = options.dimensions;
        // Broken UTF-8 becomes U+FFFD: one bad byte in a document must not stop the whole run.
        const std::string text = post(body.dump(-1, ' ', false, json::error_handler_t::replace));

        const json parsed = json::parse(text, nullptr, false);
        if (!parsed.is_object() || !parsed.contains("data") || !parsed["data"].is_array())
            fail("the answer is not a list of embeddings: " + explain(text), 200, 1);
        const json& data = parsed["data"];
        if (data.size() != count)
            fail("expected " + std::to_string(count) + " embeddings, not " + std::to_string(data.size()), 200,
                 1);
        std::vector<std::vector<float>> embeddings(count);
        for (std::size_t i = 0; i < count; ++i) {
            const json& item = data[i];
            if (!item.is_object() || !item.contains("embedding") || !item["embedding"].is_array())
                fail("an item of the answer has no embedding", 200, 1);
            std::size_t index = i;
            if (item.contains("index") && item["index"].is_number_unsigned())
                index = item["index"].get<std::size_t>();
            if (index >= count || !embeddings[index].empty())
                fail("the answer numbers its embeddings wrongly", 200, 1);
            auto& embedding = embeddings[index];
            embedding.reserve(item["embedding"].size());
            for (const json& number : item["embedding"]) {
                const float value = number.is_number() ? number.get<float>() : NAN;
                if (!std::isfinite(value))
                    fail("an embedding holds what is not a finite number", 200, 1);
                embedding.push_back(value);
            }
            if (options.dimensions == 0)
                options.dimensions = static_cast<int>(embedding.size());
            if (embedding.empty() || embedding.size() != static_cast<std::size_t>(options.dimensions))
                fail("expected " + std::to_string(options.dimensions) + " dimensions, not " +
                         std::to_string(embedding.size()),
                     200, 1);
        }
        return embeddings;
    }
};

http_embedder::http_embedder(http_embedder_options options) {
    const std::string_view url = options.base_url;
    if (url.substr(0, 7) != "http://" && url.substr(0, 8) != "https://")
        throw std::invalid_argument{
            "the base URL of an embedding endpoint must begin with http:// or https://, not \"" +
            options.base_url.substr(0, 64) + "\""};
    if (options.model.empty())
        throw std::invalid_argument{"an embedding endpoint needs the name of a model"};
    if (options.api_key.find_first_of("\r\n\0", 0, 3) != std::string::npos)
        throw std::invalid_argument{"an API key must not hold a line break or a zero byte"};
    if (options.dimensions < 0 || options.dimensions > 16000)
        throw std::invalid_argument{"an embedding has 1 to 16000 dimensions, not " +
                                    std::to_string(options.dimensions)};
    if (options.request_dimensions && options.dimensions == 0)
        throw std::invalid_argument{"request_dimensions needs the number of dimensions"};
    if (options.batch_size == 0 || options.batch_size > 10'000)
        throw std::invalid_argument{"batch_size must be 1 to 10000, not " +
                                    std::to_string(options.batch_size)};
    if (options.max_attempts < 1)
        throw std::invalid_argument{"max_attempts must be at least 1, not " +
                                    std::to_string(options.max_attempts)};
    if (options.connect_timeout.count() <= 0 || options.timeout.count() <= 0)
        throw std::invalid_argument{"the timeouts of an embedding endpoint must be positive"};
    if (options.base_delay.count() < 0 || options.max_delay.count() < 0 ||
        options.max_retry_after.count() < 0)
        throw std::invalid_argument{"the delays of an embedding endpoint must not be negative"};
    impl_ = std::make_unique<impl>(std::move(options));
}

http_embedder::~http_embedder() = default;

std::string http_embedder::name() const {
    return impl_->options.model;
}

int http_embedder::dimensions() {
    if (impl_->options.dimensions == 0)
        (void)embed({"dimensions"});
    return impl_->options.dimensions;
}

std::vector<std::vector<float>> http_embedder::embed(const std::vector<std::string>& texts) {
    std::vector<std::vector<float>> embeddings;
    embeddings.reserve(texts.size());
    for (std::size_t from = 0; from < texts.size(); from += impl_->options.batch_size) {
        const std::size_t count = std::min(impl_->options.batch_size, texts.size() - from);
        for (auto& embedding : impl_->request(texts, from, count))
            embeddings.push_back(std::move(embedding));
    }
    return embeddings;
}

} // namespace tenancy
