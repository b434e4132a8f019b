#include "tenancy/pool.hpp"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

namespace tenancy {

namespace detail {

struct pool_state {
    std::string conninfo;
    pool_options options;

    mutable std::mutex mutex;
    std::condition_variable freed;
    std::vector<std::unique_ptr<connection>> idle; // the most recently used last: it is the warmest
    pool_stats counters;                           // `idle` is filled in when asked for

    // Gives up one of the max_size places.
    void release_place(bool discarded) {
        {
            const std::lock_guard lock{mutex};
            --counters.in_use;
            if (discarded)
                ++counters.discarded;
        }
        freed.notify_one();
    }
};

} // namespace detail

lease::lease(std::shared_ptr<detail::pool_state> state, std::unique_ptr<connection> c) noexcept
    : state_{std::move(state)}, connection_{std::move(c)} {}

lease::lease(lease&&) noexcept = default;

lease& lease::operator=(lease&& other) noexcept {
    if (this != &other) {
        give_back();
        state_ = std::move(other.state_);
        connection_ = std::move(other.connection_);
    }
    return *this;
}

lease::~lease() {
    give_back();
}

void lease::give_back() noexcept {
    if (!connection_)
        return;
    if (!connection_->is_clean()) {
        connection_.reset(); // closes before the place is free, so that max_size holds at every moment
        state_->release_place(true);
        return;
    }
    {
        const std::lock_guard lock{state_->mutex};
        state_->idle.push_back(std::move(connection_)); // reserved for max_size: does not allocate
        --state_->counters.in_use;
    }
    state_->freed.notify_one();
}

pool::pool(std::string conninfo, pool_options options) : state_{std::make_shared<detail::pool_state>()} {
    if (options.max_size == 0)
        throw std::invalid_argument{"a pool needs room for at least one connection"};
    if (options.max_size > 100'000)
        throw std::invalid_argument{"a pool of more than 100000 connections is a mistake"};
    if (options.wait_timeout < std::chrono::milliseconds::zero())
        throw std::invalid_argument{"a pool's wait_timeout must not be negative"};
    state_->conninfo = std::move(conninfo);
    state_->options = options;
    state_->idle.reserve(options.max_size);
}

pool::~pool() = default;

lease pool::acquire() {
    return acquire(state_->options.wait_timeout);
}

lease pool::acquire(std::chrono::milliseconds wait_timeout) {
    auto& state = *state_;
    const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
    std::unique_ptr<connection> taken;
    {
        std::unique_lock lock{state.mutex};
        // A place is an open or soon to be opened connection; an idle one gives its place to whoever takes
        // it.
        if (!state.freed.wait_until(lock, deadline,
                                    [&] { return state.counters.in_use < state.options.max_size; })) {
            throw pool_timeout{"no connection became free within " + std::to_string(wait_timeout.count()) +
                               " ms: all " + std::to_string(state.options.max_size) +
                               " of the pool are in use"};
        }
        ++state.counters.in_use;
        if (!state.idle.empty()) {
            taken = std::move(state.idle.back());
            state.idle.pop_back();
        }
    }
    try {
        while (taken && !(taken->is_alive() && taken->is_clean())) {
            taken.reset();
            const std::lock_guard lock{state.mutex};
            ++state.counters.discarded;
            if (!state.idle.empty()) {
                taken = std::move(state.idle.back());
                state.idle.pop_back();
            }
        }
        if (!taken) {
            taken = std::make_unique<connection>(state.conninfo);
            const std::lock_guard lock{state.mutex};
            ++state.counters.opened;
        }
    } catch (...) {
        state.release_place(false);
        throw;
    }
    return lease{state_, std::move(taken)};
}

pool_stats pool::stats() const {
    const std::lock_guard lock{state_->mutex};
    pool_stats result = state_->counters;
    result.idle = state_->idle.size();
    return result;
}

} // namespace tenancy
