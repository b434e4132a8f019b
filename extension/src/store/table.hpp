#pragma once

#include "pg/prelude.hpp"

extern "C" {
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
}

/// A store's table and its btree, read and written straight through their access methods: without SQL, privileges or
/// policies in the way, as an index is.
///
/// Everything here calls PostgreSQL and runs under a guard of the caller.
namespace tenancy::store {

/// A row of a scan. Values point into the page while the visitor runs: columns that are STORAGE PLAIN are not copied.
class row {
public:
    explicit row(TupleTableSlot* slot) noexcept : m_slot{slot} {}

    /// Of a column that is NOT NULL.
    Datum column(AttrNumber number) const {
        bool is_null;
        return slot_getattr(m_slot, number, &is_null);
    }

    std::string_view bytes(AttrNumber number) const {
        auto* value = reinterpret_cast<struct varlena*>(DatumGetPointer(column(number)));
        return {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
    }

    const ItemPointerData& place() const noexcept { return m_slot->tts_tid; }
    TupleTableSlot* slot() const noexcept { return m_slot; }

private:
    TupleTableSlot* m_slot;
};

struct known_buffers;

/// Reads rows by their places, with the pages of the next ones on their way.
class page_reader {
public:
    /// @param snapshot of MVCC, or that which values of toast tables are read with
    /// @param remembers where pages were last met; for tables whose pages a session reads again and again
    page_reader(Relation heap, Snapshot snapshot, bool remembers = true);

    /// Take the next places from an index. @returns false when there are none
    bool fill(IndexScanDesc from);

    /// The next row that the snapshot sees, which stays until the call after. @returns false at the end of the places
    bool next(HeapTupleData& tuple);

    /// The row at a place that was noted when it was written, if the snapshot sees it; it stays until the next call. What
    /// lies there may by now be another row.
    bool fetch(ItemPointerData place, HeapTupleData& tuple);

    /// The same for a place that an index gave. @param met where announce() found its page, if it was asked
    bool fetch_known(ItemPointerData place, HeapTupleData& tuple, Buffer met = InvalidBuffer);

    /// Have the page of a place on its way to the processor. @returns where it is
    Buffer announce(const ItemPointerData& place) const;
    static void announce_page(Buffer met);
    /// And then the row in it: a guess, which must not be relied on, as nothing holds the page.
    static void announce_row(const ItemPointerData& place, Buffer met);

    /// As fetch_known() for a place that may be out of date, even beyond the table's end: only where its page is still in
    /// the buffer where it was met.
    bool fetch_met(ItemPointerData place, HeapTupleData& tuple, Buffer met);
    /// Where the last row's page is.
    Buffer pinned() const noexcept { return m_pinned; }

    /// How far behind the page of the row that next() gave in memory the page of the next one lies, as far as is known; else 0.
    std::ptrdiff_t to_next() const noexcept;
    /// The same of the last row that was given and a place.
    std::ptrdiff_t to(const ItemPointerData& place) const noexcept;

    /// Have the page of a place on its way that will be read soon, if it was met before.
    void expect(const ItemPointerData& place) const;

    void close();

private:
    static constexpr int most = 64;
    /// So many pages ahead a page is asked for: long enough to come, not so long that it has gone again.
    static constexpr int ahead = 2;

    void release();
    bool is_seen(ItemPointerData place, HeapTupleData& tuple);
    bool is_seen_at_once(const ItemPointerData& place, HeapTupleData& tuple) const;
    Buffer met_at(const ItemPointerData& place) const noexcept;
    Buffer read(BlockNumber block, Buffer met) const;

    Relation m_heap;
    Snapshot m_snapshot;
    known_buffers* m_known;
    bool m_trusts_hints, m_sees_deleted;
    ItemPointerData m_places[most];
    int m_count = 0, m_next = 0;
    BlockNumber m_blocks = 0; ///< of the heap; 0 before it is asked
    bool m_is_end = false; ///< asked again after its end, an index begins anew
    Buffer m_pinned = InvalidBuffer;
};

class table {
public:
    /// @param name, index of schema tenancy
    table(const char* name, const char* index, LOCKMODE mode);

    /// Not a destructor: an error of PostgreSQL skips those, and the transaction's abort closes what is open. Locks are
    /// kept until the transaction ends when it wrote.
    void close();

    Relation heap() const noexcept { return m_heap; }

    /// Call visit(const row&) for the rows that the keys find, in the index's order, until it returns false.
    ///
    /// @param keys of the index's columns: key.sk_attno counts those, not the table's
    template <typename Visit>
    void scan(Snapshot snapshot, ScanKey keys, int count, Visit visit, ScanDirection direction = ForwardScanDirection) {
        IndexScanDesc found = begin(snapshot, keys, count);
        TupleTableSlot* slot = scan_slot();
        while (index_getnext_slot(found, direction, slot)) {
            CHECK_FOR_INTERRUPTS();
            if (!visit(row{slot})) break;
        }
        index_endscan(found);
        ExecClearTuple(slot);
    }

    /// The same for a table whose rows fill their pages: reads ahead of the visitor, so that a long scan runs at the speed
    /// of memory. The visitor gets tuples of the heap, which lie in their pages, and page_reader::to_next().
    template <typename Visit>
    void scan_pages(Snapshot snapshot, ScanKey keys, int count, Visit visit) {
        page_reader pages{m_heap, snapshot};
        IndexScanDesc found = begin(snapshot, keys, count);
        for (bool is_more = true; is_more && pages.fill(found);)
            while (is_more) {
                HeapTupleData tuple;
                CHECK_FOR_INTERRUPTS();
                if (!pages.next(tuple)) break;
                is_more = visit(tuple, pages.to_next());
            }
        pages.close();
        index_endscan(found);
    }

    /// How many entries of the index the keys find: at least as many as there are rows, and all of that costs less than one look
    /// at each row.
    std::int64_t count_entries(ScanKey keys, int count);

    /// Add a row with its index entry, as of the current command.
    ///
    /// @returns where it lies
    ItemPointerData insert(const Datum* values, const bool* nulls);

    /// Delete a row that the snapshot sees, as of the current command, without waiting.
    ///
    /// @returns false when another transaction deletes it, or has
    bool remove(const ItemPointerData& place, Snapshot snapshot);

private:
    IndexScanDesc begin(Snapshot snapshot, ScanKey keys, int count);
    TupleTableSlot* scan_slot();

    Relation m_heap, m_index;
    LOCKMODE m_mode;
    TupleTableSlot* m_scan_slot = nullptr;
    TupleTableSlot* m_insert_slot = nullptr;
    IndexInfo* m_index_info = nullptr;
};

/// One of the session's numbers from a sequence of schema tenancy, without asking for privileges.
std::int64_t next_number(const char* sequence);

/// Try to become the only one who reorganizes a tenant's rows of a store until the transaction ends. Never waits.
bool try_lock_tenant(const table& of, std::int32_t store, std::string_view tenant);

/// The same, waiting for whoever does it now.
void lock_tenant(const table& of, std::int32_t store, std::string_view tenant);

} // namespace tenancy::store
