#pragma once

#include "words/tables.hpp"

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace tenancy::words {

/// Writes to the keyword store of a corpus what one statement, or a build, changed.
class writer {
public:
    enum class mode {
        keep,      ///< by triggers: the log is sealed into segments when it has grown, and segments are merged
        keep_log,  ///< by triggers while the store is built: all goes to the log, from which builds take things out again
        build      ///< segments, which nobody merges
    };

    writer(std::int32_t store, mode how) : m_store{store}, m_mode{how} {}

    /// A chunk's words came, or went.
    ///
    /// @param tenant bytes of the tenant's key
    void add(std::string_view tenant, const uuid& id, const packed_document& words, bool is_negative);

    /// Write all that is left.
    void finish();

    /// Which tenants got segments.
    const std::set<std::string>& tenants_with_segments() const noexcept { return m_with_segments; }

private:
    struct tenant_part {
        std::vector<document> came, went;
    };

    void write_all();
    void write(const std::string& tenant, tenant_part& part);

    std::int32_t m_store;
    mode m_mode;
    std::set<std::string> m_with_segments;
    std::unordered_map<std::string, tenant_part> m_parts;
    std::size_t m_buffered = 0;
};

} // namespace tenancy::words
