#pragma once

#include "pg/prelude.hpp"

/// By what a store tells tenants apart: the bytes of the tenant column's value, whatever its type.
namespace tenancy::store {

/// A tenant's key as a bytea value in place, so that scan keys may point at it.
///
/// A uuid is its 16 bytes, bigint and integer are 8 bytes, big-endian, and a text is itself. Two values are of one tenant
/// when their bytes are equal; a corpus whose tenant column compares otherwise (a nondeterministic collation) has no store.
class tenant_key {
public:
    static constexpr std::size_t longest = 255;

    tenant_key() noexcept { set(nullptr, 0); }

    Datum datum() const noexcept { return PointerGetDatum(m_value); }
    std::string_view bytes() const noexcept {
        return {VARDATA(m_value), static_cast<std::size_t>(VARSIZE(m_value)) - VARHDRSZ};
    }
    bool is_empty() const noexcept { return bytes().empty(); }

    void set(const void* bytes, std::size_t size) noexcept {
        SET_VARSIZE(m_value, VARHDRSZ + size);
        if (size > 0) std::memcpy(VARDATA(m_value), bytes, size);
    }

    void set(std::int64_t number) noexcept {
        unsigned char bytes[8];
        for (int i = 0; i < 8; ++i)
            bytes[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(number) >> (56 - 8 * i));
        set(bytes, sizeof bytes);
    }

private:
    alignas(std::int64_t) char m_value[VARHDRSZ + longest];
};

/// The key that a value of a tenant column makes. Calls PostgreSQL: runs under a guard of the caller.
///
/// @param type uuid, text, varchar, bigint or integer
/// @returns    false for a text that is longer than any tenant's key: no tenant reads such a row
bool read_tenant_key(Datum value, Oid type, tenant_key& key);

/// The key of the tenant that the context names, for a tenant column of that type; raises where reading a protected table
/// would.
///
/// @returns false when the context has no tenant and that means no rows, or the tenant has no key of this type
bool read_current_tenant(Oid type, tenant_key& key);

} // namespace tenancy::store
