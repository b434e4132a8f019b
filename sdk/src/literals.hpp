#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenancy::detail {

/// Appends pgvector's text form, `[1,2.5,3]`, with the fewest digits that read back as the same floats.
void append_vector_text(std::string& out, const std::vector<float>& values);

/// pgvector's text form.
std::string vector_text(const std::vector<float>& values);

/// Builds the text form of a one-dimensional PostgreSQL array, element by element.
class array_text {
public:
    array_text() : text_{"{"} {}
    /// Appends an element; it is quoted, so any text without zero bytes is safe.
    void append(std::string_view element);
    /// Appends an element that needs no quotes, such as a number or a uuid.
    void append_plain(std::string_view element);
    /// Appends NULL.
    void append_null() { append_plain("NULL"); }
    /// The whole array.
    [[nodiscard]] std::string take();

private:
    void separate();
    std::string text_;
};

} // namespace tenancy::detail
