#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tenancy_test {

/// Stands between clients and the server on a unix socket, counts what goes to the server, and can cut the
/// line.
class proxy {
public:
    /// @param server_socket path of the server's socket, such as /tmp/x/.s.PGSQL.5432
    /// @param delay what every round trip takes longer, as over a network
    explicit proxy(std::string server_socket, std::chrono::microseconds delay = {});
    ~proxy();
    proxy(const proxy&) = delete;
    proxy& operator=(const proxy&) = delete;

    /// The folder to give as `host`; the port is the server's.
    [[nodiscard]] const std::string& host() const { return folder_; }

    /// How often the client sent something and then waited for the server: round trips.
    [[nodiscard]] int round_trips() const { return round_trips_; }

    /// From now on, a message that contains @a text reaches the server, but no answer to it reaches the
    /// client: the line is cut.
    void cut_after(std::string text);

private:
    void serve();
    void relay(int client);

    std::string server_socket_, folder_, path_;
    std::chrono::microseconds delay_;
    int listener_ = -1;
    std::atomic<int> round_trips_{0};
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::string cut_text_;
    std::thread acceptor_;
    std::vector<std::thread> relays_;
};

/// Path of the socket of the server that a connection string leads to, asked of the server.
std::string server_socket(const std::string& conninfo);

} // namespace tenancy_test
