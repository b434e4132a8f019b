#include "literals.hpp"

#include <charconv>
#include <utility>

namespace tenancy::detail {

void append_vector_text(std::string& out, const std::vector<float>& values) {
    out += '[';
    char buffer[32];
    bool first = true;
    for (const float value : values) {
        if (!first)
            out += ',';
        first = false;
        const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
        out.append(buffer, end);
    }
    out += ']';
}

std::string vector_text(const std::vector<float>& values) {
    std::string text;
    text.reserve(values.size() * 13 + 2);
    append_vector_text(text, values);
    return text;
}

void array_text::separate() {
    if (text_.size() > 1)
        text_ += ',';
}

void array_text::append(std::string_view element) {
    separate();
    text_ += '"';
    for (const char c : element) {
        if (c == '"' || c == '\\')
            text_ += '\\';
        text_ += c;
    }
    text_ += '"';
}

void array_text::append_plain(std::string_view element) {
    separate();
    text_ += element;
}

std::string array_text::take() {
    text_ += '}';
    return std::exchange(text_, "{");
}

} // namespace tenancy::detail
