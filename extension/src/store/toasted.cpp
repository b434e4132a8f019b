#include "store/toasted.hpp"

#include "store/pure/recent.hpp"
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

/// Where the session last found a chunk. What lies there by now is looked at again, and says whose it is.
struct known_chunk {
    decltype(RelationData::tenancy_locator) locator;
    Oid value;
    int number;
    ItemPointerData place;
    Buffer buffer;
};

recent<known_chunk, 4096> known;

std::uint64_t number_of(Oid value, int number) noexcept {
    return static_cast<std::uint64_t>(value) * most_chunks + static_cast<std::uint64_t>(number);
}

auto is_of(Relation heap, Oid value, int number) noexcept {
    return [=](const known_chunk& one) {
        return one.value == value && one.number == number && BufferIsValid(one.buffer) &&
               std::memcmp(&one.locator, &heap->tenancy_locator, sizeof one.locator) == 0;
    };
}

/// A value on its way: where its chunks are, and in which buffers as far as that is known.
struct wanted_value {
    struct varatt_external pointer;
    int chunks;
    bool is_known; ///< from before, so the places may be wrong
    ItemPointerData places[most_chunks];
    Buffer buffers[most_chunks];
};

/// A toast table, and a scan of its index where that is needed, open for values one after the other.
class toast_table {
public:
    toast_table(Oid relation, Snapshot snapshot)
        : m_snapshot{snapshot}, m_heap{table_open(relation, AccessShareLock)}, m_pages{m_heap, snapshot, false} {}

    void close() {
        m_pages.close();
        if (m_scan) {
            index_endscan(m_scan);
            toast_close_indexes(m_indexes, m_index_count, AccessShareLock);
        }
        table_close(m_heap, AccessShareLock);
    }

    bool is_heap() const noexcept { return m_heap->rd_rel->relam == HEAP_TABLE_AM_OID; }

    /// Say where the chunks are, and ask for the pages. @returns false when there are fewer than there should be
    bool find(wanted_value& value) {
        value.is_known = true;
        for (int i = 0; i < value.chunks; ++i) {
            Oid id = value.pointer.va_valueid;
            const known_chunk* one = known.find(number_of(id, i), is_of(m_heap, id, i));
            if (one == nullptr) return look_up(value);
            value.places[i] = one->place;
            value.buffers[i] = one->buffer;
            page_reader::announce_page(one->buffer);
        }
        return true;
    }

    /// Copy the chunks. @returns null when they are not what the pointer says
    Datum read(wanted_value& value) {
        Datum whole = assemble(value);
        if (whole == Datum{0} && value.is_known && look_up(value)) whole = assemble(value);
        return whole;
    }

private:
    bool look_up(wanted_value& value) {
        if (m_scan == nullptr) open_index();
        value.is_known = false;
        ScanKeyData key;
        ScanKeyInit(&key, chunk_id, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value.pointer.va_valueid));
        index_rescan(m_scan, &key, 1, nullptr, 0);
        for (int i = 0; i < value.chunks; ++i) {
            ItemPointer place = index_getnext_tid(m_scan, ForwardScanDirection);
            if (place == nullptr) return false;
            value.places[i] = *place;
            value.buffers[i] = m_pages.announce(*place);
        }
        return true;
    }

    void open_index() {
        int valid = toast_open_indexes(m_heap, AccessShareLock, &m_indexes, &m_index_count);
#if PG_VERSION_NUM >= 180000
        m_scan = index_beginscan(m_heap, m_indexes[valid], m_snapshot, nullptr, 1, 0);
#else
        m_scan = index_beginscan(m_heap, m_indexes[valid], m_snapshot, 1, 0);
#endif
    }

    Datum assemble(wanted_value& of) {
        int size = size_of(of.pointer);
        auto* value = static_cast<struct varlena*>(palloc(size + VARHDRSZ));
        SET_VARSIZE(value, size + VARHDRSZ);
        for (int i = 0, done = 0; i < of.chunks; ++i) {
            HeapTupleData tuple;
            bool is_there = of.is_known ? m_pages.fetch_met(of.places[i], tuple, of.buffers[i])
                                        : m_pages.fetch_known(of.places[i], tuple, of.buffers[i]);
            if (!is_there) return Datum{0};
            Datum values[3];
            bool nulls[3];
            heap_deform_tuple(&tuple, RelationGetDescr(m_heap), values, nulls);
            auto* data = reinterpret_cast<struct varlena*>(DatumGetPointer(values[chunk_data - 1]));
            int expected = Min(size - done, static_cast<int>(TOAST_MAX_CHUNK_SIZE));
            if (DatumGetObjectId(values[chunk_id - 1]) != of.pointer.va_valueid ||
                DatumGetInt32(values[chunk_seq - 1]) != i || VARATT_IS_EXTENDED(data) ||
                static_cast<int>(VARSIZE(data) - VARHDRSZ) != expected)
                return Datum{0};
            std::memcpy(VARDATA(value) + done, VARDATA(data), static_cast<std::size_t>(expected));
            done += expected;
            Oid id = of.pointer.va_valueid;
            known.keep(number_of(id, i), {m_heap->tenancy_locator, id, i, of.places[i], m_pages.pinned()}, is_of(m_heap, id, i));
        }
        return PointerGetDatum(value);
    }

    Snapshot m_snapshot;
    Relation m_heap;
    page_reader m_pages;
    Relation* m_indexes = nullptr;
    int m_index_count = 0;
    IndexScanDesc m_scan = nullptr;
};

/// All of one toast table. Each step asks for what the next one reads, of all values, before any of it is waited for.
void read_some(Datum* values, std::size_t count, Oid relation, Snapshot snapshot) {
    wanted_value wanted[at_once];
    bool are_found[at_once];
    toast_table table{relation, snapshot};
    for (std::size_t i = 0; i < count; ++i) {
        wanted[i].pointer = pointer_of(values[i]);
        wanted[i].chunks = chunks_of(wanted[i].pointer);
        are_found[i] = table.is_heap() && table.find(wanted[i]);
    }
    for (std::size_t i = 0; i < count; ++i)
        if (are_found[i]) page_reader::announce_row(wanted[i].places[0], wanted[i].buffers[0]);
    for (std::size_t i = 0; i < count; ++i) {
        Datum whole = are_found[i] ? table.read(wanted[i]) : Datum{0};
        // What is wrong with it, PostgreSQL says.
        if (whole == Datum{0})
            whole = PointerGetDatum(detoast_attr(reinterpret_cast<struct varlena*>(DatumGetPointer(values[i]))));
        values[i] = whole;
    }
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
