#pragma once

#include "search/corpus.hpp"
#include "search/spi.hpp"
#include "store/known_rows.hpp"

namespace tenancy::search {

/// A statement that looks rows of a table up by their keys: `distances`, `scored` or `titles`.
struct row_lookup {
    corpus& of;
    statement by_key;
    Oid table;
    int parameters; ///< that it has
    int keys;       ///< which of them is the array of keys, from 0
    int place;      ///< the column that says where a row lies
    filters given = {};
};

namespace detail {

/// By a plan of keys, noting where the rows are.
template <typename Visit>
void look_up_by_keys(const row_lookup& how, parameters& given, const uuid* keys, std::size_t count, Visit& visit) {
    std::vector<store::placed_row> found;
    found.reserve(count);
    given.set(how.keys, array_of(keys, count));
    for_each_slot_by_key(how.of.plan_by_keys(how.by_key, how.given), given, how.parameters, [&](TupleTableSlot* slot) {
        slot_getallattrs(slot);
        if (!slot->tts_isnull[how.place] && found.size() < count)
            found.push_back({uuid_of(slot->tts_values[0]), *reinterpret_cast<ItemPointer>(DatumGetPointer(slot->tts_values[how.place]))});
        visit(slot);
    });
    pg::guarded([&] {
        pfree(DatumGetPointer(given.values[how.keys]));
        store::remember_rows(how.table, found.data(), found.size());
    });
}

} // namespace detail

/// Call visit(slot) for the rows with the keys, in any order, as for_each_slot_by_key() does: first where they were found
/// before, unless most of them would be asked for twice.
template <typename Visit>
void look_up(const row_lookup& how, parameters given, const uuid* keys, std::size_t count, Visit visit) {
    // Of rows that a filter holds back nothing tells that they are still where they were.
    SPIPlanPtr by_places = how.given.metadata || how.given.documents ? nullptr : how.of.plan_by_places(how.by_key, how.given);
    if (by_places == nullptr) return detail::look_up_by_keys(how, given, keys, count, visit);
    store::known_rows known{how.table, keys, count};
    if (known.count() * 2 < count || count == 0) return detail::look_up_by_keys(how, given, keys, count, visit);

    given.set(how.keys, known.places());
    for_each_slot_by_key(by_places, given, how.parameters, [&](TupleTableSlot* slot) {
        slot_getallattrs(slot);
        // Another row may have the place of one that is gone.
        if (known.take(uuid_of(slot->tts_values[0]))) visit(slot);
    });
    pg::guarded([&] { pfree(DatumGetPointer(given.values[how.keys])); });
    std::vector<uuid> missing = known.missing();
    if (!missing.empty()) detail::look_up_by_keys(how, given, missing.data(), missing.size(), visit);
}

} // namespace tenancy::search
