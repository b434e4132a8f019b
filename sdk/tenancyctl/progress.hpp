#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

namespace tenancyctl {

/// One line of progress: a bar of the given width, the numbers, and what is being worked on.
/** @param width how many columns the line may take; too long a label is cut */
std::string progress_line(std::size_t done, std::size_t total, const std::string& label, std::size_t width);

/// Shows how far long work has come, on standard error and only if that is a terminal.
class progress {
public:
    /// @param enabled false never shows anything
    progress(std::size_t total, bool enabled);
    /// Takes the line away again.
    ~progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// Shows at most ten times a second.
    void show(std::size_t done, const std::string& label);

private:
    std::size_t total_;
    bool enabled_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point next_{};
};

} // namespace tenancyctl
