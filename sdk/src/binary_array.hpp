#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tenancy/detail/compat.hpp"
#include "tenancy/ids.hpp"

namespace tenancy::detail {

/// Builds a one-dimensional PostgreSQL array in its binary form, element by element, for a parameter of a
/// statement.
/**
 * Neither side formats or parses a number, and no text needs quotes: for embeddings that is most of the work.
 */
class binary_array {
public:
    /// @param element_type OID of the elements' type
    explicit binary_array(std::uint32_t element_type);

    void append_text(std::string_view text);
    /// @param text JSON, for an array of jsonb
    void append_jsonb(std::string_view text);
    void append_uuid(const uuid_bytes& bytes);
    void append_integer(std::int32_t value);
    /// @param values 1 to 16000 numbers, for an array of pgvector's type vector
    void append_vector(const std::vector<float>& values);
    void append_null();

    /// Bytes so far.
    [[nodiscard]] std::size_t size() const noexcept { return data_.size(); }

    /// The whole array; leaves an empty one.
    [[nodiscard]] parameter_bytes take();

private:
    void begin();
    void put_16(std::uint16_t value);
    void put_32(std::uint32_t value);
    void put(std::string_view bytes);
    void set_32(std::size_t at, std::uint32_t value);

    std::uint32_t element_type_;
    std::uint32_t count_ = 0;
    bool has_null_ = false;
    parameter_bytes data_;
};

/// OIDs of PostgreSQL's own types; they never change.
enum type_oid : std::uint32_t { oid_integer = 23, oid_text = 25, oid_uuid = 2950, oid_jsonb = 3802 };

} // namespace tenancy::detail
