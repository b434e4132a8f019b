#include "store/toasted.hpp"

#include "store/table.hpp"

extern "C" {
#include "access/detoast.h"
#include "access/heaptoast.h"
#include "access/toast_internals.h"
#include "catalog/pg_am.h"
}

namespace tenancy::store {

namespace {

/// Values with more chunks are read by PostgreSQL, one at a time.
constexpr int most_chunks = 16;
constexpr std::size_t at_once = 32;

enum toast_column : AttrNumber { chunk_id = 1, chunk_seq, chunk_data };

struct varatt_external pointer_of(Datum value) {
    struct varatt_external pointer;
    auto* attribute = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
    VARATT_EXTERNAL_GET_POINTER(pointer, attribute);
    return pointer;
}

int size_of(const struct varatt_external& pointer) { return static_cast<int>(VARATT_EXTERNAL_GET_EXTSIZE(pointer)); }

int chunks_of(const struct varatt_external& pointer) {
    return (size_of(pointer) - 1) / static_cast<int>(TOAST_MAX_CHUNK_SIZE) + 1;
}

/// A toast table and a scan of its index, open for values one after the other.
class toast_table {
public:
    toast_table(Oid relation, Snapshot snapshot) : m_heap{table_open(relation, AccessShareLock)} {
        int valid = toast_open_indexes(m_heap, AccessShareLock, &m_indexes, &m_index_count);
#if PG_VERSION_NUM >= 180000
        m_scan = index_beginscan(m_heap, m_indexes[valid], snapshot, nullptr, 1, 0);
#else
        m_scan = index_beginscan(m_heap, m_indexes[valid], snapshot, 1, 0);
#endif
    }

    void close() {
        index_endscan(m_scan);
        toast_close_indexes(m_indexes, m_index_count, AccessShareLock);
        table_close(m_heap, AccessShareLock);
    }

    Relation heap() const noexcept { return m_heap; }

    /// @returns false when there are fewer chunks than there should be
    bool find(Oid value, ItemPointerData* places, int chunks) {
        ScanKeyData key;
        ScanKeyInit(&key, chunk_id, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
        index_rescan(m_scan, &key, 1, nullptr, 0);
        for (int i = 0; i < chunks; ++i) {
            ItemPointer place = index_getnext_tid(m_scan, ForwardScanDirection);
            if (place == nullptr) return false;
            places[i] = *place;
        }
        return true;
    }

private:
    Relation m_heap;
    Relation* m_indexes;
    int m_index_count;
    IndexScanDesc m_scan;
};

/// Copy the chunks of a value. @returns null when they are not what its pointer says
Datum assemble(page_reader& pages, TupleDesc descriptor, const struct varatt_external& pointer,
               const ItemPointerData* places, Buffer first) {
    int size = size_of(pointer);
    auto* value = static_cast<struct varlena*>(palloc(size + VARHDRSZ));
    SET_VARSIZE(value, size + VARHDRSZ);
    for (int i = 0, done = 0; done < size; ++i) {
        HeapTupleData tuple;
        if (!pages.fetch_known(places[i], tuple, i == 0 ? first : InvalidBuffer)) return Datum{0};
        Datum values[3];
        bool nulls[3];
        heap_deform_tuple(&tuple, descriptor, values, nulls);
        auto* data = reinterpret_cast<struct varlena*>(DatumGetPointer(values[chunk_data - 1]));
        if (DatumGetObjectId(values[chunk_id - 1]) != pointer.va_valueid || DatumGetInt32(values[chunk_seq - 1]) != i ||
            VARATT_IS_EXTENDED(data))
            return Datum{0};
        int expected = Min(size - done, static_cast<int>(TOAST_MAX_CHUNK_SIZE));
        if (static_cast<int>(VARSIZE(data) - VARHDRSZ) != expected) return Datum{0};
        std::memcpy(VARDATA(value) + done, VARDATA(data), static_cast<std::size_t>(expected));
        done += expected;
    }
    return PointerGetDatum(value);
}

/// All of one toast table.
void read_some(Datum* values, std::size_t count, Oid relation, Snapshot snapshot) {
    ItemPointerData places[at_once][most_chunks];
    bool are_found[at_once];
    toast_table table{relation, snapshot};
    bool is_heap = table.heap()->rd_rel->relam == HEAP_TABLE_AM_OID;
    for (std::size_t i = 0; i < count; ++i) {
        struct varatt_external pointer = pointer_of(values[i]);
        are_found[i] = is_heap && table.find(pointer.va_valueid, places[i], chunks_of(pointer));
    }
    // Each step asks for what the next one reads, of all values, before any of it is waited for.
    page_reader pages{table.heap(), snapshot, false};
    Buffer met[at_once] = {};
    for (std::size_t i = 0; i < count; ++i)
        if (are_found[i]) met[i] = pages.announce(places[i][0]);
    for (std::size_t i = 0; i < count; ++i)
        if (are_found[i]) page_reader::announce_row(places[i][0], met[i]);
    for (std::size_t i = 0; i < count; ++i) {
        Datum whole = are_found[i]
                          ? assemble(pages, RelationGetDescr(table.heap()), pointer_of(values[i]), places[i], met[i])
                          : Datum{0};
        // What is wrong with it, PostgreSQL says.
        if (whole == Datum{0})
            whole = PointerGetDatum(detoast_attr(reinterpret_cast<struct varlena*>(DatumGetPointer(values[i]))));
        values[i] = whole;
    }
    pages.close();
    table.close();
}

} // namespace

bool is_toasted(Datum value) noexcept {
    auto* attribute = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
    if (!VARATT_IS_EXTERNAL_ONDISK(attribute)) return false;
    struct varatt_external pointer = pointer_of(value);
    return !VARATT_EXTERNAL_IS_COMPRESSED(pointer) && size_of(pointer) > 0 && chunks_of(pointer) <= most_chunks;
}

void read_toasted(Datum* values, std::size_t count) {
#if PG_VERSION_NUM >= 180000
    Snapshot snapshot = get_toast_snapshot();
#else
    SnapshotData of_toast;
    Snapshot snapshot = &of_toast;
    init_toast_snapshot(snapshot);
#endif
    // Rows of one partition have one toast table, and come one after the other.
    for (std::size_t i = 0, end; i < count; i = end) {
        Oid relation = pointer_of(values[i]).va_toastrelid;
        for (end = i + 1; end < count && end - i < at_once && pointer_of(values[end]).va_toastrelid == relation;)
            ++end;
        read_some(values + i, end - i, relation, snapshot);
    }
}

} // namespace tenancy::store
