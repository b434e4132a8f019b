#pragma once

#include "pg/prelude.hpp"
#include "pure/uuid.hpp"

#include <vector>

/// Where the session last found rows of tables, by their keys: many searches meet the same chunks and documents again, and
/// the way through an index is longer than that to the row.
///
/// A place is a guess. The row that is there may be another one by now, so whoever reads it looks at its key, and asks the index
/// for what was not found.
namespace tenancy::store {

struct placed_row {
    uuid key;
    ItemPointerData place;
};

/// Note where rows are. Calls PostgreSQL, under a lock on the table and a guard of the caller.
void remember_rows(Oid table, const placed_row* rows, std::size_t count);

/// The rows with some keys, as far as their places are known.
class known_rows {
public:
    known_rows(Oid table, const uuid* keys, std::size_t count);

    std::size_t count() const noexcept { return m_rows.size(); }

    /// Their places as a tid[], in the current memory context; the pages are on their way then. Guarded by itself.
    Datum places() const;

    /// Say that a row was read. @returns whether it is one of these, for the first time
    bool take(const uuid& key) noexcept;

    /// The keys of those that were not read, and of those whose places are not known.
    std::vector<uuid> missing() const;

private:
    struct row {
        uuid key;
        ItemPointerData place;
        Buffer buffer;
        bool is_taken;
    };

    std::vector<row> m_rows; ///< in the order of keys
    std::vector<uuid> m_unknown;
};

} // namespace tenancy::store
