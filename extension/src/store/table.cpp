#include "store/table.hpp"

#include "context/row_lookup.hpp"

extern "C" {
#include "access/heapam.h"
#include "catalog/index.h"
#include "commands/sequence.h"
#include "executor/tuptable.h"
#include "storage/buf_internals.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
}

#include <map>

namespace tenancy::store {

/// In which buffer a block of the heap was last met, by its number: asking there first spares the look-up in the shared
/// table, a miss of every cache. What is in the buffer is checked when it is pinned.
struct known_buffers {
    decltype(RelationData::tenancy_locator) locator;
    std::vector<Buffer> of_block;
};

namespace {

known_buffers& buffers_of(Relation heap) {
    static auto& known = *new std::map<Oid, known_buffers>; // never destroyed
    known_buffers& buffers = known[heap->rd_id];
    if (std::memcmp(&buffers.locator, &heap->tenancy_locator, sizeof buffers.locator) != 0) {
        buffers.locator = heap->tenancy_locator;
        buffers.of_block.clear();
    }
    return buffers;
}

} // namespace

page_reader::page_reader(Relation heap, Snapshot snapshot, bool remembers)
    : m_heap{heap}, m_snapshot{snapshot}, m_known{remembers ? &buffers_of(heap) : nullptr},
      m_trusts_hints{snapshot->snapshot_type == SNAPSHOT_TOAST ||
                     (snapshot->snapshot_type == SNAPSHOT_MVCC && !IsolationIsSerializable())},
      m_sees_deleted{snapshot->snapshot_type == SNAPSHOT_TOAST} {}

bool page_reader::fill(IndexScanDesc from) {
    m_count = m_next = 0;
    while (m_count < most && !m_is_end) {
        ItemPointer place = index_getnext_tid(from, ForwardScanDirection);
        m_is_end = place == nullptr;
        if (m_is_end) break;
        m_places[m_count++] = *place;
    }
    for (int i = 0; i < std::min(ahead, m_count); ++i)
        expect(m_places[i]);
    return m_count > 0;
}

/// Where the page of a place was last met, if that is a shared buffer.
Buffer page_reader::met_at(const ItemPointerData& place) const noexcept {
    const auto& known = m_known->of_block;
    BlockNumber block = ItemPointerGetBlockNumber(&place);
    if (block >= known.size() || !BufferIsValid(known[block]) || BufferIsLocal(known[block])) return InvalidBuffer;
    return known[block];
}

void page_reader::expect(const ItemPointerData& place) const {
    Buffer met = met_at(place);
    if (BufferIsValid(met)) announce_page(met);
}

std::ptrdiff_t page_reader::to_next() const noexcept { return m_next < m_count ? to(m_places[m_next]) : 0; }

std::ptrdiff_t page_reader::to(const ItemPointerData& place) const noexcept {
    if (BufferIsLocal(m_pinned)) return 0;
    Buffer met = met_at(place);
    return BufferIsValid(met) ? BufferGetPage(met) - BufferGetPage(m_pinned) : 0;
}

Buffer page_reader::announce(const ItemPointerData& place) const {
    Buffer met = ReadBuffer(m_heap, ItemPointerGetBlockNumber(&place));
    announce_page(met);
    ReleaseBuffer(met);
    return met;
}

void page_reader::announce_page(Buffer met) {
    if (BufferIsLocal(met)) return;
    // Their addresses are good for as long as the server runs, whatever page is in there by now. Pinning writes to the one.
    __builtin_prefetch(GetBufferDescriptor(met - 1), 1);
    const char* page = BufferGetPage(met);
    __builtin_prefetch(page);
    __builtin_prefetch(page + 64);
}

void page_reader::announce_row(const ItemPointerData& place, Buffer met) {
    if (BufferIsLocal(met)) return;
    Page page = BufferGetPage(met);
    std::size_t item = offsetof(PageHeaderData, pd_linp) +
                       (ItemPointerGetOffsetNumber(&place) - 1) * sizeof(ItemIdData);
    if (item + sizeof(ItemIdData) > BLCKSZ) return;
    ItemIdData found;
    std::memcpy(&found, static_cast<char*>(page) + item, sizeof found);
    constexpr std::size_t line = 64, lines = 10;
    std::size_t begin = ItemIdGetOffset(&found), end = std::min<std::size_t>(begin + ItemIdGetLength(&found), BLCKSZ);
    for (std::size_t i = 0; i < lines && begin < end; ++i, begin += line)
        __builtin_prefetch(static_cast<char*>(page) + begin);
}

Buffer page_reader::read(BlockNumber block, Buffer met) const {
    if (m_known == nullptr) {
        if (BufferIsValid(met) && ReadRecentBuffer(m_heap->tenancy_locator, MAIN_FORKNUM, block, met)) return met;
        return ReadBuffer(m_heap, block);
    }
    auto& known = m_known->of_block;
    if (block >= known.size()) known.resize(block + 1024, InvalidBuffer);
    Buffer buffer = known[block];
    if (BufferIsValid(buffer) && ReadRecentBuffer(m_heap->tenancy_locator, MAIN_FORKNUM, block, buffer)) return buffer;
    return known[block] = ReadBuffer(m_heap, block);
}

bool page_reader::next(HeapTupleData& tuple) {
    while (m_next < m_count) {
        if (m_next + ahead < m_count) expect(m_places[m_next + ahead]);
        if (fetch_known(m_places[m_next++], tuple)) return true;
    }
    return false;
}

bool page_reader::fetch(ItemPointerData place, HeapTupleData& tuple) {
    CHECK_FOR_INTERRUPTS();
    if (m_blocks == 0) m_blocks = RelationGetNumberOfBlocks(m_heap);
    return ItemPointerIsValid(&place) && ItemPointerGetBlockNumber(&place) < m_blocks && fetch_known(place, tuple);
}

bool page_reader::fetch_known(ItemPointerData place, HeapTupleData& tuple, Buffer met) {
    release();
    m_pinned = read(ItemPointerGetBlockNumber(&place), met);
    return is_seen(place, tuple);
}

bool page_reader::fetch_met(ItemPointerData place, HeapTupleData& tuple, Buffer met) {
    release();
    if (!ReadRecentBuffer(m_heap->tenancy_locator, MAIN_FORKNUM, ItemPointerGetBlockNumber(&place), met)) return false;
    m_pinned = met;
    return is_seen(place, tuple);
}

void page_reader::release() {
    if (BufferIsValid(m_pinned)) ReleaseBuffer(m_pinned);
    m_pinned = InvalidBuffer;
}

bool page_reader::is_seen(ItemPointerData place, HeapTupleData& tuple) {
    if (m_trusts_hints && is_seen_at_once(place, tuple)) return true;
    LockBuffer(m_pinned, BUFFER_LOCK_SHARE);
    bool is_seen = heap_hot_search_buffer(&place, m_heap, m_pinned, m_snapshot, &tuple, nullptr, true);
    LockBuffer(m_pinned, BUFFER_LOCK_UNLOCK);
    return is_seen;
}

/// Whether a row is there for the snapshot, without a lock: nearly always it was written by a transaction that had ended
/// before, as its hint bits say, and nobody has deleted it.
///
/// The pin keeps the row where it is. Who deletes it clears HEAP_XMAX_INVALID first, and if that was before the snapshot was
/// taken, it is seen here. A row that took the place of one that had gone was written after the snapshot.
bool page_reader::is_seen_at_once(const ItemPointerData& place, HeapTupleData& tuple) const {
    Page page = BufferGetPage(m_pinned);
    OffsetNumber offset = ItemPointerGetOffsetNumber(&place);
    if (offset > PageGetMaxOffsetNumber(page)) return false;
    ItemId item = PageGetItemId(page, offset);
    if (!ItemIdIsNormal(item)) return false;
    auto header = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
    uint16 hints = *const_cast<volatile uint16*>(&header->t_infomask);
    if ((hints & HEAP_XMIN_COMMITTED) == 0) return false;
    // A value of a toast table is there as long as a row that is seen has it.
    if (!m_sees_deleted) {
        if ((hints & HEAP_XMAX_INVALID) == 0) return false;
        bool is_frozen = (hints & HEAP_XMIN_FROZEN) == HEAP_XMIN_FROZEN;
        if (!is_frozen && !TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(header), m_snapshot->xmin)) return false;
    }
    tuple.t_data = header;
    tuple.t_len = ItemIdGetLength(item);
    tuple.t_self = place;
    tuple.t_tableOid = RelationGetRelid(m_heap);
    return true;
}

void page_reader::close() { release(); }

table::table(const char* name, const char* index, LOCKMODE mode) : m_mode{mode} {
    Oid schema = get_namespace_oid("tenancy", false);
    m_heap = table_open(context::relation_named(schema, name), mode);
    m_index = index_open(context::relation_named(schema, index), mode);
}

void table::close() {
    if (m_scan_slot) ExecDropSingleTupleTableSlot(m_scan_slot);
    if (m_insert_slot) ExecDropSingleTupleTableSlot(m_insert_slot);
    LOCKMODE given_back = m_mode == AccessShareLock ? m_mode : NoLock;
    index_close(m_index, given_back);
    table_close(m_heap, given_back);
    m_heap = nullptr;
}

IndexScanDesc table::begin(Snapshot snapshot, ScanKey keys, int count) {
    // What it had open may still look well in memory that is free.
    if (m_heap == nullptr) elog(ERROR, "the table of a store is closed");
#if PG_VERSION_NUM >= 180000
    IndexScanDesc found = index_beginscan(m_heap, m_index, snapshot, nullptr, count, 0);
#else
    IndexScanDesc found = index_beginscan(m_heap, m_index, snapshot, count, 0);
#endif
    index_rescan(found, keys, count, nullptr, 0);
    return found;
}

std::int64_t table::count_entries(ScanKey keys, int count) {
    IndexScanDesc found = begin(SnapshotAny, keys, count);
    std::int64_t entries = 0;
    while (index_getnext_tid(found, ForwardScanDirection) != nullptr) {
        CHECK_FOR_INTERRUPTS();
        ++entries;
    }
    index_endscan(found);
    return entries;
}

TupleTableSlot* table::scan_slot() {
    if (m_scan_slot == nullptr) m_scan_slot = table_slot_create(m_heap, nullptr);
    return m_scan_slot;
}

ItemPointerData table::insert(const Datum* values, const bool* nulls) {
    CHECK_FOR_INTERRUPTS();
    if (m_insert_slot == nullptr) {
        m_insert_slot = table_slot_create(m_heap, nullptr);
        m_index_info = BuildIndexInfo(m_index);
    }
    TupleDesc descriptor = RelationGetDescr(m_heap);
    HeapTuple tuple = heap_form_tuple(descriptor, const_cast<Datum*>(values), const_cast<bool*>(nulls));
    ExecForceStoreHeapTuple(tuple, m_insert_slot, false);
    table_tuple_insert(m_heap, m_insert_slot, GetCurrentCommandId(true), 0, nullptr);

    Datum keys[INDEX_MAX_KEYS];
    bool key_nulls[INDEX_MAX_KEYS];
    FormIndexDatum(m_index_info, m_insert_slot, nullptr, keys, key_nulls);
    index_insert(m_index, keys, key_nulls, &m_insert_slot->tts_tid, m_heap,
                 m_index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, m_index_info);
    ItemPointerData place = m_insert_slot->tts_tid;
    ExecClearTuple(m_insert_slot);
    heap_freetuple(tuple);
    return place;
}

bool table::remove(const ItemPointerData& place, Snapshot snapshot) {
    CHECK_FOR_INTERRUPTS();
    ItemPointerData tid = place;
    TM_FailureData failure;
    return table_tuple_delete(m_heap, &tid, GetCurrentCommandId(true), snapshot, InvalidSnapshot, false, &failure,
                              false) == TM_Ok;
}

std::int64_t next_number(const char* sequence) { return nextval_internal(context::own_relation(sequence), false); }

namespace {

/// Of a class of objects that SQL cannot lock, so that nobody can hold up others' reorganizing.
LOCKTAG lock_of_tenant(const table& of, std::int32_t store, std::string_view tenant) {
    LOCKTAG tag;
    uint32 hash = hash_bytes_uint32(static_cast<uint32>(store)) ^
                  hash_bytes(reinterpret_cast<const unsigned char*>(tenant.data()), static_cast<int>(tenant.size()));
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationGetRelid(of.heap()), hash, 0);
    return tag;
}

} // namespace

bool try_lock_tenant(const table& of, std::int32_t store, std::string_view tenant) {
    LOCKTAG tag = lock_of_tenant(of, store, tenant);
    return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

void lock_tenant(const table& of, std::int32_t store, std::string_view tenant) {
    LOCKTAG tag = lock_of_tenant(of, store, tenant);
    LockAcquire(&tag, ExclusiveLock, false, false);
}

} // namespace tenancy::store
