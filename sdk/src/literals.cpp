#include "literals.hpp"

#include <charconv>

namespace tenancy::detail {

std::string vector_text(const std::vector<float>& values) {
    std::string text;
    text.reserve(values.size() * 13 + 2);
    text += '[';
    char buffer[32];
    for (const float value : values) {
        if (text.size() > 1)
            text += ',';
        text.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
    }
    text += ']';
    return text;
}

} // namespace tenancy::detail
