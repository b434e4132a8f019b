#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tenancy/control/calls.hpp"

namespace tenancy::detail {

/// An expression that gives a timestamptz column in a form that no setting of the session changes:
/// microseconds since 1970, null for an infinite one.
std::string micros(const std::string& column);

/// An expression that gives a text[] column as a JSON array.
std::string list(const std::string& column);

/// Reads the fields of a row from left to right.
class row_reader {
public:
    row_reader(const pqxx::result& rows, int row) : rows_{rows}, row_{row} {}

    template <class Id>
    Id id() {
        return Id{text()};
    }
    template <class Id>
    std::optional<Id> maybe_id() {
        const auto value = maybe_text();
        return value ? std::optional<Id>{Id{*value}} : std::nullopt;
    }
    /// Empty for null.
    std::string text() { return maybe_text().value_or(""); }
    std::optional<std::string> maybe_text();
    template <class Number>
    Number number() {
        const int column = column_++;
        return rows_[row_][column].as<Number>();
    }
    template <class Number>
    std::optional<Number> maybe_number() {
        const int column = column_++;
        if (rows_[row_][column].is_null())
            return std::nullopt;
        return rows_[row_][column].as<Number>();
    }
    bool boolean() { return text() == "t"; }
    timestamp time();
    std::optional<timestamp> maybe_time();
    /// What @ref list selected.
    std::vector<std::string> texts();

private:
    const pqxx::result& rows_;
    int row_;
    int column_ = 0;
};

/// All rows, each read by a function of a row_reader.
template <class F>
auto read_all(const pqxx::result& rows, F read) {
    std::vector<decltype(read(std::declval<row_reader&>()))> all;
    all.reserve(static_cast<std::size_t>(rows.size()));
    for (int i = 0; i < static_cast<int>(rows.size()); ++i) {
        row_reader row{rows, i};
        all.push_back(read(row));
    }
    return all;
}

/// The first row, or nothing.
template <class F>
auto read_first(const pqxx::result& rows, F read) {
    using value = decltype(read(std::declval<row_reader&>()));
    if (rows.empty())
        return std::optional<value>{};
    row_reader row{rows, 0};
    return std::optional<value>{read(row)};
}

/// Puts the parameters of a statement together, in order, in the forms that the server reads.
class arguments {
public:
    /// @throws std::invalid_argument if it holds a zero byte: libpq would cut it there
    arguments& text(const std::string& value);
    arguments& text(const std::optional<std::string>& value);
    template <class Tag>
    arguments& id(const basic_id<Tag>& value) {
        parameters_.append(value.to_string());
        return *this;
    }
    template <class Tag>
    arguments& id(const std::optional<basic_id<Tag>>& value) {
        if (value) return id(*value);
        parameters_.append();
        return *this;
    }
    template <class Number>
    arguments& number(const Number& value) {
        parameters_.append(value);
        return *this;
    }
    arguments& boolean(bool value);
    arguments& time(const std::optional<timestamp>& value);
    arguments& interval(std::chrono::seconds value);
    arguments& texts(const std::optional<std::vector<std::string>>& values);

    operator const pqxx::params&() const noexcept { return parameters_; } // NOLINT: that is what it is for

private:
    pqxx::params parameters_;
};

} // namespace tenancy::detail
