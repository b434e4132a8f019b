#include "control/rows.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

namespace tenancy::detail {

std::string micros(const std::string& column) {
    return "CASE WHEN isfinite(" + column + ") THEN (extract(epoch FROM " + column +
           ") * 1000000)::bigint END";
}

std::string list(const std::string& column) {
    return "to_json(" + column + ")";
}

std::optional<std::string> row_reader::maybe_text() {
    const int column = column_++;
    if (rows_[row_][column].is_null())
        return std::nullopt;
    return std::string{rows_[row_][column].c_str()};
}

timestamp row_reader::time() {
    return timestamp{std::chrono::microseconds{number<std::int64_t>()}};
}

std::optional<timestamp> row_reader::maybe_time() {
    const auto value = maybe_number<std::int64_t>();
    if (!value)
        return std::nullopt;
    return timestamp{std::chrono::microseconds{*value}};
}

std::vector<std::string> row_reader::texts() {
    const auto array = maybe_text();
    if (!array)
        return {};
    return nlohmann::json::parse(*array).get<std::vector<std::string>>();
}

arguments& arguments::text(const std::string& value) {
    if (value.find('\0') != std::string::npos)
        throw std::invalid_argument{"a text for the database must not hold a zero byte"};
    parameters_.append(value);
    return *this;
}

arguments& arguments::text(const std::optional<std::string>& value) {
    if (value)
        return text(*value);
    parameters_.append();
    return *this;
}

arguments& arguments::boolean(bool value) {
    parameters_.append(value);
    return *this;
}

arguments& arguments::time(const std::optional<timestamp>& value) {
    if (value) return text(to_string(*value));
    parameters_.append();
    return *this;
}

arguments& arguments::interval(std::chrono::seconds value) {
    return text(std::to_string(value.count()) + " seconds");
}

arguments& arguments::texts(const std::optional<std::vector<std::string>>& values) {
    if (!values)
        return text(std::nullopt);
    std::string array = "{";
    for (const auto& value : *values) {
        array += array.size() > 1 ? ",\"" : "\"";
        for (const char c : value) {
            if (c == '"' || c == '\\')
                array += '\\';
            array += c;
        }
        array += '"';
    }
    return text(array + "}");
}

} // namespace tenancy::detail
