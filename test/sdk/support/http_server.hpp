#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tenancy_test {

/// What a client sent.
struct http_request {
    std::string method;
    std::string path;
    /// Names in lower case.
    std::map<std::string, std::string> headers;
    std::string body;
};

/// What to answer.
struct http_response {
    int status = 200;
    std::string body;
    /// Whole lines without line ends.
    std::vector<std::string> headers;
    /// Closes the connection instead of answering.
    bool hang_up = false;
    /// Waits before answering.
    int delay_ms = 0;
};

/// A server on the loopback interface for as long as it lives: one request a connection, one at a time.
class http_server {
public:
    explicit http_server(std::function<http_response(const http_request&)> handler);
    ~http_server();
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    /// Such as http://127.0.0.1:40001
    [[nodiscard]] std::string url() const;
    /// All requests so far.
    [[nodiscard]] std::vector<http_request> requests() const;

private:
    void serve();
    void answer(int client);

    std::function<http_response(const http_request&)> handler_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_;
    std::vector<http_request> requests_;
    std::thread thread_;
};

} // namespace tenancy_test
