#include "store/known_rows.hpp"

#include "pg/arrays.hpp"
#include "pg/guard.hpp"
#include "store/pure/recent.hpp"
#include "store/table.hpp"

#include <algorithm>

namespace tenancy::store {

namespace {

struct known_row {
    Oid table;
    uuid key;
    ItemPointerData place;
    Buffer buffer; ///< where its page was
};

recent<known_row, 2048> known;

std::uint64_t number_of(Oid table, const uuid& key) noexcept {
    std::uint64_t words[2];
    std::memcpy(words, key.bytes, sizeof words);
    return words[0] * 0x9e3779b97f4a7c15u + words[1] + table;
}

auto is_of(Oid table, const uuid& key) noexcept {
    return [=](const known_row& one) { return one.table == table && one.key == key; };
}

} // namespace

void remember_rows(Oid table, const placed_row* rows, std::size_t count) {
    if (count == 0) return;
    Relation heap = table_open(table, NoLock);
    page_reader pages{heap, SnapshotAny, false};
    for (std::size_t i = 0; i < count; ++i) {
        const auto& [key, place] = rows[i];
        known.keep(number_of(table, key), {table, key, place, pages.announce(place)}, is_of(table, key));
    }
    pages.close();
    table_close(heap, NoLock);
}

known_rows::known_rows(Oid table, const uuid* keys, std::size_t count) {
    m_rows.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (const known_row* one = known.find(number_of(table, keys[i]), is_of(table, keys[i])))
            m_rows.push_back({keys[i], one->place, one->buffer, false});
        else
            m_unknown.push_back(keys[i]);
    }
    std::sort(m_rows.begin(), m_rows.end(), [](const row& a, const row& b) { return key_less(a.key, b.key); });
}

Datum known_rows::places() const {
    std::vector<ItemPointerData> places;
    places.reserve(m_rows.size());
    for (const row& one : m_rows) {
        page_reader::announce_page(one.buffer);
        places.push_back(one.place);
    }
    Datum array = pg::guarded([&] { return pg::array_of(TIDOID, places.data(), places.size(), sizeof(ItemPointerData)); });
    for (const row& one : m_rows)
        page_reader::announce_row(one.place, one.buffer);
    return array;
}

bool known_rows::take(const uuid& key) noexcept {
    auto at = std::lower_bound(m_rows.begin(), m_rows.end(), key,
                               [](const row& a, const uuid& b) { return key_less(a.key, b); });
    return at != m_rows.end() && at->key == key && !std::exchange(at->is_taken, true);
}

std::vector<uuid> known_rows::missing() const {
    std::vector<uuid> keys = m_unknown;
    for (const row& one : m_rows)
        if (!one.is_taken) keys.push_back(one.key);
    return keys;
}

} // namespace tenancy::store
