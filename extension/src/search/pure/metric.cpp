#include "pure/pure.hpp"

#include "search/pure/metric.hpp"

#include <cmath>
#include <limits>

namespace tenancy::search {

bool parse_metric(std::string_view name, metric& parsed) noexcept {
    if (name == "cosine")
        parsed = metric::cosine;
    else if (name == "inner_product")
        parsed = metric::inner_product;
    else if (name == "l2")
        parsed = metric::l2;
    else
        return false;
    return true;
}

const char* distance_operator(metric by) noexcept {
    switch (by) {
    case metric::cosine:
        return "<=>";
    case metric::inner_product:
        return "<#>";
    case metric::l2:
        break;
    }
    return "<->";
}

double distance_of_nothing(metric by) noexcept {
    switch (by) {
    case metric::cosine:
        return 1;
    case metric::inner_product:
        return 0;
    case metric::l2:
        break;
    }
    return std::numeric_limits<double>::infinity();
}

double similarity(metric by, double distance) noexcept {
    switch (by) {
    case metric::cosine:
        return 1 - distance;
    case metric::inner_product:
        // Not -distance, which would answer a negative zero.
        return 0 - distance;
    case metric::l2:
        break;
    }
    return 1 / (1 + distance);
}

fit check_embedding(const float* values, std::size_t count, std::size_t expected, bool is_half,
                    std::size_t& position) noexcept {
    // The least number that rounds to infinity in two bytes.
    constexpr float half_overflows = 65520.0f;

    position = 0;
    if (count != expected) return fit::wrong_dimensions;
    for (; position < count; ++position) {
        if (!std::isfinite(values[position])) return fit::not_finite;
        if (is_half && std::fabs(values[position]) >= half_overflows) return fit::out_of_half_range;
    }
    return fit::good;
}

} // namespace tenancy::search
