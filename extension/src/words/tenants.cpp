// Looking after single tenants of the keyword store.

#include "pg/arguments.hpp"
#include "pg/guard.hpp"
#include "words/pack.hpp"
#include "words/pure/verify.hpp"

namespace {

using namespace tenancy;
using namespace tenancy::words;

/// The bytes of a tenant's key, which tenancy.tenant_key() makes.
std::string_view key_argument(FunctionCallInfo fcinfo, int argument) {
    std::string_view key = pg::guarded([&] {
        auto* given = PG_GETARG_BYTEA_PP(argument);
        return std::string_view{VARDATA_ANY(given), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(given))};
    });
    if (key.size() > store::tenant_key::longest)
        throw error{sqlstate::invalid_parameter_value, "the key of a tenant must be at most " +
                                                           std::to_string(store::tenant_key::longest) + " bytes long, not " +
                                                           std::to_string(key.size())};
    return key;
}

/// How many chunks came, less those that went.
std::int64_t count(tenant_words& of, const tenant_words::contents& found, Snapshot snapshot) {
    std::int64_t chunks = 0;
    for (const auto& one : found.segments)
        chunks += one.head.is_negative ? -std::int64_t{one.head.chunks} : std::int64_t{one.head.chunks};
    of.for_each_log_row(snapshot, [&](std::string_view row, const ItemPointerData&) {
        log_reader entries{row};
        for (log_entry entry; entries.next(entry);)
            chunks += entry.is_negative ? -1 : 1;
    });
    return chunks;
}

} // namespace

// Who seals what a frozen tenant's writers add drops it, and holds the lock until that is committed; so who unfreezes the
// tenant under the lock finds all of it among the rows.

TENANCY_FUNCTION(tenancy_freeze_words) {
    tenant_words of{PG_GETARG_INT32(0), key_argument(fcinfo, 1)};
    of.open(RowExclusiveLock);
    of.lock();
    Snapshot snapshot = take_newest_snapshot();
    tenant_words::contents found = of.read(snapshot);
    std::int64_t chunks = found.is_frozen ? 0 : count(of, found, snapshot);
    of.remove_all(snapshot);
    of.insert_frozen();
    drop(snapshot);
    of.close();
    PG_RETURN_INT64(chunks);
}

/// Build a frozen tenant's words from the rows (tenant, id, words) of a statement, run as the owner of the chunks.
TENANCY_FUNCTION(tenancy_unfreeze_words) {
    std::string corpus{pg::text_view(PG_GETARG_TEXT_PP(0))};
    std::shared_ptr<search::corpus> from = search::open_corpus(corpus);
    std::int32_t store = PG_GETARG_INT32(1);
    char* statement = pg::guarded([&] { return text_to_cstring(PG_GETARG_TEXT_PP(3)); });
    if (IsolationUsesXactSnapshot())
        throw error{"25001", "a tenant cannot be unfrozen in a transaction that keeps one snapshot", {},
                    "Use READ COMMITTED."};
    tenant_words of{store, key_argument(fcinfo, 2)};
    of.open(RowExclusiveLock);
    of.lock();
    Snapshot snapshot = take_newest_snapshot();
    bool is_frozen = of.read(snapshot).is_frozen;
    if (is_frozen) of.remove_all(snapshot);
    of.close();
    std::int64_t rows = 0;
    if (is_frozen) {
        writer into{store, writer::mode::build};
        rows = pack_rows(*from, statement, snapshot, into).rows;
    }
    drop(snapshot);
    PG_RETURN_INT64(rows);
}

/// Read all of a tenant's words, so that they are in memory; checks them on the way.
TENANCY_FUNCTION(tenancy_read_words) {
    tenant_words of{PG_GETARG_INT32(0), key_argument(fcinfo, 1)};
    of.open(AccessShareLock);
    Snapshot snapshot = GetActiveSnapshot();
    std::int64_t chunks = 0;
    for (const auto& one : of.read(snapshot).segments) {
        tenant_words::stored_segment rows{of, one.number, snapshot};
        verify_segment(one.head, rows);
        chunks += one.head.is_negative ? -std::int64_t{one.head.chunks} : std::int64_t{one.head.chunks};
    }
    of.for_each_log_row(snapshot,
                        [&](std::string_view row, const ItemPointerData&) { chunks += verify_log_row(row); });
    of.close();
    PG_RETURN_INT64(chunks);
}
