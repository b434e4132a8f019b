#include "binary_array.hpp"

#include <cstring>
#include <utility>

namespace tenancy::detail {

namespace {

// Where things are in the header: number of dimensions, whether there are NULLs, the elements' type, then for
// the one dimension its length and its first index.
constexpr std::size_t at_has_null = 4;
constexpr std::size_t at_count = 12;

} // namespace

binary_array::binary_array(std::uint32_t element_type) : element_type_{element_type} {
    begin();
}

void binary_array::begin() {
    data_ = {};
    count_ = 0;
    has_null_ = false;
    put_32(1);
    put_32(0);
    put_32(element_type_);
    put_32(0);
    put_32(1);
}

void binary_array::append_text(std::string_view text) {
    put_32(static_cast<std::uint32_t>(text.size()));
    put(text);
    ++count_;
}

void binary_array::append_jsonb(std::string_view text) {
    constexpr char version = 1;
    put_32(static_cast<std::uint32_t>(text.size() + 1));
    put({&version, 1});
    put(text);
    ++count_;
}

void binary_array::append_uuid(const uuid_bytes& bytes) {
    put_32(16);
    put({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    ++count_;
}

void binary_array::append_integer(std::int32_t value) {
    put_32(4);
    put_32(static_cast<std::uint32_t>(value));
    ++count_;
}

void binary_array::append_vector(const std::vector<float>& values) {
    put_32(static_cast<std::uint32_t>(4 + 4 * values.size()));
    put_16(static_cast<std::uint16_t>(values.size()));
    put_16(0);
    for (const float value : values) {
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        put_32(bits);
    }
    ++count_;
}

void binary_array::append_null() {
    put_32(0xffffffffu);
    has_null_ = true;
    ++count_;
}

parameter_bytes binary_array::take() {
    set_32(at_has_null, has_null_ ? 1 : 0);
    set_32(at_count, count_);
    parameter_bytes result = std::move(data_);
    begin();
    return result;
}

void binary_array::put_16(std::uint16_t value) {
    const char bytes[]{static_cast<char>(value >> 8), static_cast<char>(value)};
    put({bytes, sizeof bytes});
}

void binary_array::put_32(std::uint32_t value) {
    const char bytes[]{static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                       static_cast<char>(value >> 8), static_cast<char>(value)};
    put({bytes, sizeof bytes});
}

void binary_array::put(std::string_view bytes) {
    const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
    data_.insert(data_.end(), first, first + bytes.size());
}

void binary_array::set_32(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
        data_[at + i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

} // namespace tenancy::detail
