#include "support/http_server.hpp"

#include <algorithm>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tenancy_test {

http_server::http_server(std::function<http_response(const http_request&)> handler)
    : handler_{std::move(handler)} {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 16) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error{"cannot listen on the loopback interface"};
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
}

http_server::~http_server() {
    stopping_ = true;
    thread_.join();
    close(listener_);
}

std::string http_server::url() const {
    return "http://127.0.0.1:" + std::to_string(port_);
}

std::vector<http_request> http_server::requests() const {
    const std::lock_guard lock{mutex_};
    return requests_;
}

void http_server::serve() {
    while (!stopping_) {
        pollfd descriptor{listener_, POLLIN, 0};
        if (poll(&descriptor, 1, 10) <= 0)
            continue;
        const int client = accept(listener_, nullptr, nullptr);
        if (client < 0)
            continue;
        answer(client);
        close(client);
    }
}

void http_server::answer(int client) {
    std::string data;
    std::size_t head_end = std::string::npos;
    std::size_t needed = std::string::npos;
    http_request request;
    char buffer[4096];
    while (data.size() < needed) {
        const auto size = recv(client, buffer, sizeof buffer, 0);
        if (size <= 0)
            return;
        data.append(buffer, static_cast<std::size_t>(size));
        if (head_end == std::string::npos && (head_end = data.find("\r\n\r\n")) != std::string::npos) {
            std::istringstream head{data.substr(0, head_end)};
            head >> request.method >> request.path;
            std::string line;
            std::getline(head, line);
            while (std::getline(head, line)) {
                const auto colon = line.find(':');
                if (colon == std::string::npos)
                    continue;
                std::string name = line.substr(0, colon);
                std::transform(name.begin(), name.end(), name.begin(),
                               [](unsigned char c) { return std::tolower(c); });
                std::string value = line.substr(line.find_first_not_of(' ', colon + 1));
                if (!value.empty() && value.back() == '\r')
                    value.pop_back();
                request.headers[name] = value;
            }
            if (request.headers.count("expect")) {
                const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
                (void)send(client, go_on.data(), go_on.size(), MSG_NOSIGNAL);
            }
            const auto length = request.headers.find("content-length");
            needed = head_end + 4 + (length == request.headers.end() ? 0 : std::stoul(length->second));
        }
    }
    request.body = data.substr(head_end + 4);
    {
        const std::lock_guard lock{mutex_};
        requests_.push_back(request);
    }
    const http_response response = handler_(request);
    if (response.delay_ms > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds{response.delay_ms});
    if (response.hang_up)
        return;
    std::string text = "HTTP/1.1 " + std::to_string(response.status) + " Whatever\r\n";
    for (const auto& header : response.headers)
        text += header + "\r\n";
    text += "Content-Length: " + std::to_string(response.body.size()) + "\r\nConnection: close\r\n\r\n" +
            response.body;
    (void)send(client, text.data(), text.size(), MSG_NOSIGNAL);
}

} // namespace tenancy_test
