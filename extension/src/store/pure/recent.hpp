#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tenancy::store {

/// The latest of many entries, in a fixed amount of memory: of those whose numbers fall together, the last four.
template <typename Entry, std::size_t Sets>
class recent {
    static_assert(Sets > 1 && (Sets & (Sets - 1)) == 0);

public:
    /// @returns null when there is none that is_it(const Entry&) says yes to
    template <typename Is>
    const Entry* find(std::uint64_t number, Is is_it) const noexcept {
        const Entry* set = m_sets[place_of(number)];
        for (std::size_t way = 0; way < ways; ++way)
            if (is_it(set[way])) return &set[way];
        return nullptr;
    }

    /// @param is_it which entry this takes the place of, if it is there
    template <typename Is>
    void keep(std::uint64_t number, const Entry& entry, Is is_it) noexcept {
        Entry* set = m_sets[place_of(number)];
        std::size_t way = 0;
        while (way + 1 < ways && !is_it(set[way]))
            ++way;
        std::move_backward(set, set + way, set + way + 1);
        set[0] = entry;
    }

private:
    static constexpr std::size_t ways = 4;

    static std::size_t place_of(std::uint64_t number) noexcept {
        // Numbers may differ in a few of their bits alone: first fold, then spread, then take what all bits have part in.
        number = (number ^ number >> 32) * 0x9e3779b97f4a7c15u;
        return static_cast<std::size_t>((number ^ number >> 32) * 0x9e3779b97f4a7c15u >> 40) & (Sets - 1);
    }

    Entry m_sets[Sets][ways] = {};
};

} // namespace tenancy::store
