#pragma once

#include "words/tables.hpp"

#include <string>
#include <unordered_map>
#include <vector>

namespace tenancy::words {

/// Writes to the keyword store of a corpus what one statement, or a build, changed.
class writer {
public:
    /// @param may_seal whether the log may be sealed into segments, and segments merged
    writer(std::int32_t store, bool may_seal) : m_store{store}, m_may_seal{may_seal} {}

    /// A chunk's words came, or went.
    ///
    /// @param tenant bytes of the tenant's key
    void add(std::string_view tenant, const uuid& id, const packed_document& words, bool is_negative);

    /// Write all that is left.
    void finish();

private:
    struct tenant_part {
        std::vector<document> came, went;
    };

    void write_all();
    void write(const std::string& tenant, tenant_part& part);

    std::int32_t m_store;
    bool m_may_seal;
    std::unordered_map<std::string, tenant_part> m_parts;
    std::size_t m_buffered = 0;
};

} // namespace tenancy::words
