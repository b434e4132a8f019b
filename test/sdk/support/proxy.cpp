#include "support/proxy.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <pqxx/pqxx>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tenancy_test {

namespace {

int open_socket() {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        throw std::runtime_error{"cannot open a socket"};
    return fd;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw std::runtime_error{"path of a socket is too long: " + path};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

bool send_all(int fd, const char* data, std::size_t size) {
    while (size > 0) {
        const auto sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return true;
}

} // namespace

std::string server_socket(const std::string& conninfo) {
    pqxx::connection c{conninfo};
    pqxx::nontransaction tx{c};
    const auto result = tx.exec("SELECT split_part(current_setting('unix_socket_directories'), ',', 1), "
                                "current_setting('port')");
    return std::string{result[0][0].c_str()} + "/.s.PGSQL." + result[0][1].c_str();
}

proxy::proxy(std::string server_socket, std::chrono::microseconds delay)
    : server_socket_{std::move(server_socket)}, delay_{delay} {
    char folder[] = "/tmp/tenancy_proxy.XXXXXX";
    if (!mkdtemp(folder))
        throw std::runtime_error{"cannot make a folder for the proxy's socket"};
    folder_ = folder;
    path_ = folder_ + server_socket_.substr(server_socket_.rfind('/'));
    listener_ = open_socket();
    const auto address = address_of(path_);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 16) != 0)
        throw std::runtime_error{"cannot listen on " + path_};
    acceptor_ = std::thread{[this] { serve(); }};
}

proxy::~proxy() {
    stopping_ = true;
    acceptor_.join();
    for (auto& relay : relays_)
        relay.join();
    close(listener_);
    unlink(path_.c_str());
    rmdir(folder_.c_str());
}

void proxy::cut_after(std::string text) {
    const std::lock_guard lock{mutex_};
    cut_text_ = std::move(text);
}

void proxy::serve() {
    while (!stopping_) {
        pollfd descriptor{listener_, POLLIN, 0};
        if (poll(&descriptor, 1, 20) <= 0)
            continue;
        const int client = accept(listener_, nullptr, nullptr);
        if (client >= 0)
            relays_.emplace_back([this, client] { relay(client); });
    }
}

void proxy::relay(int client) {
    const int server = open_socket();
    const auto address = address_of(server_socket_);
    bool open = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    bool server_spoke_last = true;
    bool cut = false;
    std::vector<char> buffer(1 << 16);
    while (open && !stopping_) {
        pollfd descriptors[2]{{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (poll(descriptors, 2, 20) <= 0)
            continue;
        if (descriptors[0].revents) {
            const auto size = recv(client, buffer.data(), buffer.size(), 0);
            if (size <= 0)
                break;
            {
                const std::lock_guard lock{mutex_};
                const std::string_view text{buffer.data(), static_cast<std::size_t>(size)};
                cut = cut || (!cut_text_.empty() && text.find(cut_text_) != std::string_view::npos);
                if (cut)
                    cut_text_.clear();
            }
            if (std::exchange(server_spoke_last, false)) {
                ++round_trips_;
                if (delay_.count() > 0)
                    std::this_thread::sleep_for(delay_);
            }
            open = send_all(server, buffer.data(), static_cast<std::size_t>(size));
        }
        if (descriptors[1].revents) {
            const auto size = recv(server, buffer.data(), buffer.size(), 0);
            if (size <= 0 || cut)
                break; // the server has answered, so it has done what was asked
            server_spoke_last = true;
            open = send_all(client, buffer.data(), static_cast<std::size_t>(size));
        }
    }
    close(client);
    close(server);
}

} // namespace tenancy_test
