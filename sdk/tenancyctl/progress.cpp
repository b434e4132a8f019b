#include "tenancyctl/progress.hpp"

#include <algorithm>

#include <sys/ioctl.h>
#include <unistd.h>

namespace tenancyctl {

std::string progress_line(std::size_t done, std::size_t total, const std::string& label, std::size_t width) {
    constexpr std::size_t bar_width = 24;
    const std::size_t filled = total == 0 ? bar_width : std::min(bar_width, done * bar_width / total);
    std::string line = "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] " +
                       std::to_string(done) + "/" + std::to_string(total) + " ";
    for (const char c : label) {
        if (line.size() >= width)
            break;
        const auto byte = static_cast<unsigned char>(c);
        line += byte < 0x20 || byte >= 0x7f ? '?' : c; // a file's name must not steer the terminal
    }
    line.resize(std::min(line.size(), width));
    return line;
}

progress::progress(std::size_t total, bool enabled)
    : total_{total}, enabled_{enabled && isatty(STDERR_FILENO) == 1} {}

progress::~progress() {
    if (shown_)
        std::fputs("\r\033[K", stderr);
}

void progress::show(std::size_t done, const std::string& label) {
    const auto now = std::chrono::steady_clock::now();
    if (!enabled_ || now < next_)
        return;
    next_ = now + std::chrono::milliseconds{100};
    shown_ = true;
    winsize size{};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const std::size_t width = known ? size.ws_col - 1u : 79u;
    std::fprintf(stderr, "\r\033[K%s", progress_line(done, total_, label, width).c_str());
    std::fflush(stderr);
}

} // namespace tenancyctl
