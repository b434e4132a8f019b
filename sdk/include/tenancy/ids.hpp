#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tenancy/detail/export.hpp"

namespace tenancy {

namespace detail {

using uuid_bytes = std::array<std::uint8_t, 16>;

TENANCY_EXPORT std::optional<uuid_bytes> parse_uuid(std::string_view text) noexcept;
TENANCY_EXPORT std::string format_uuid(const uuid_bytes& bytes);
TENANCY_EXPORT uuid_bytes generate_uuid_v7();

} // namespace detail

/// A text that is not a uuid was given where an identifier is needed.
class TENANCY_EXPORT bad_id : public std::invalid_argument {
public:
    /**
     * @param what_kind what was expected, such as "tenant id"
     * @param text the text that was given; at most its first 64 bytes are shown
     */
    bad_id(std::string_view what_kind, std::string_view text);
};

/// A uuid that says in its type what it identifies.
/**
 * A tenant's id cannot be passed where a user's is expected, and no string becomes an id by itself: a text
 * that comes from outside goes through the constructor, which throws, or through @ref parse, which does not.
 *
 * @tparam Tag a type with `static constexpr std::string_view name`
 */
template <class Tag>
class basic_id {
public:
    /// Reads the canonical form, `8-4-4-4-12` hexadecimal digits.
    /**
     * @param text 36 characters; digits of either case, no braces, no blanks
     * @throws bad_id if @a text is anything else
     */
    explicit basic_id(std::string_view text) : bytes_{require(text)} {}

    /// Takes the sixteen bytes of the uuid in network order.
    explicit constexpr basic_id(const detail::uuid_bytes& bytes) noexcept : bytes_{bytes} {}

    /// Reads the canonical form, or returns nothing.
    /** @param text as for the constructor */
    [[nodiscard]] static std::optional<basic_id> parse(std::string_view text) noexcept {
        if (auto bytes = detail::parse_uuid(text))
            return basic_id{*bytes};
        return std::nullopt;
    }

    /// Makes a new identifier, a version 7 uuid (RFC 9562).
    /**
     * Identifiers made later by the same process sort after earlier ones, so that they fall on one side of an
     * index.
     * @throws std::runtime_error if the system has no random numbers
     */
    [[nodiscard]] static basic_id generate() { return basic_id{detail::generate_uuid_v7()}; }

    /// The canonical form, in lower case.
    [[nodiscard]] std::string to_string() const { return detail::format_uuid(bytes_); }

    /// The sixteen bytes in network order.
    [[nodiscard]] constexpr const detail::uuid_bytes& bytes() const noexcept { return bytes_; }

    friend bool operator==(const basic_id& a, const basic_id& b) noexcept { return a.bytes_ == b.bytes_; }
    friend bool operator!=(const basic_id& a, const basic_id& b) noexcept { return a.bytes_ != b.bytes_; }
    friend bool operator<(const basic_id& a, const basic_id& b) noexcept { return a.bytes_ < b.bytes_; }
    friend std::ostream& operator<<(std::ostream& out, const basic_id& id) { return out << id.to_string(); }

private:
    static detail::uuid_bytes require(std::string_view text) {
        if (auto bytes = detail::parse_uuid(text))
            return *bytes;
        throw bad_id{Tag::name, text};
    }

    detail::uuid_bytes bytes_;
};

namespace detail {
struct tenant_tag {
    static constexpr std::string_view name = "tenant id";
};
struct user_tag {
    static constexpr std::string_view name = "user id";
};
struct document_tag {
    static constexpr std::string_view name = "document id";
};
struct chunk_tag {
    static constexpr std::string_view name = "chunk id";
};
} // namespace detail

/// Identifies a tenant.
using tenant_id = basic_id<detail::tenant_tag>;
/// Identifies a user.
using user_id = basic_id<detail::user_tag>;
/// Identifies a document of a corpus.
using document_id = basic_id<detail::document_tag>;
/// Identifies a chunk of a document.
using chunk_id = basic_id<detail::chunk_tag>;

/// A tenant's slug: its short name, unique in the installation.
class TENANCY_EXPORT tenant_slug {
public:
    /**
     * @param text the slug; the server decides whether such a tenant exists
     * @throws std::invalid_argument if @a text is empty, longer than 255 bytes, or holds a zero byte
     */
    explicit tenant_slug(std::string text);

    /// The slug as text.
    [[nodiscard]] const std::string& str() const noexcept { return text_; }

private:
    std::string text_;
};

} // namespace tenancy

/// Lets identifiers be keys of unordered containers.
template <class Tag>
struct std::hash<tenancy::basic_id<Tag>> {
    std::size_t operator()(const tenancy::basic_id<Tag>& id) const noexcept {
        const auto& b = id.bytes();
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(b.data()), b.size()});
    }
};
