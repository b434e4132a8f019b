#pragma once

#include "search/pure/ranked.hpp"
#include "search/spi.hpp"

#include <algorithm>
#include <vector>

namespace tenancy::search {

/// Finds the place of a key in a list of keys.
class key_index {
public:
    explicit key_index(const std::vector<uuid>& keys) {
        m_sorted.reserve(keys.size());
        for (std::size_t i = 0; i < keys.size(); ++i)
            m_sorted.push_back({keys[i], i});
        std::sort(m_sorted.begin(), m_sorted.end(), [](const entry& a, const entry& b) { return key_less(a.key, b.key); });
    }

    /// @param key one of the list
    std::size_t at(const uuid& key) const noexcept {
        return std::lower_bound(m_sorted.begin(), m_sorted.end(), key,
                                [](const entry& a, const uuid& b) { return key_less(a.key, b); })
            ->place;
    }

private:
    struct entry {
        uuid key;
        std::size_t place;
    };
    std::vector<entry> m_sorted;
};

/// Hand keys over as uuid[] values of limited size, one after the other: `use(Datum ids)`.
template <typename Use>
void for_each_chunk_of_keys(const std::vector<uuid>& keys, Use use) {
    constexpr std::size_t most = 1000;

    for (std::size_t begin = 0; begin < keys.size(); begin += most) {
        Datum ids = array_of(keys.data() + begin, std::min(most, keys.size() - begin));
        use(ids);
        pg::guarded([&] { pfree(DatumGetPointer(ids)); });
    }
}

} // namespace tenancy::search
