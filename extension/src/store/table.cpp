#include "store/table.hpp"

#include "context/row_lookup.hpp"

extern "C" {
#include "catalog/index.h"
#include "commands/sequence.h"
#include "executor/tuptable.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
}

namespace tenancy::store {

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
}

IndexScanDesc table::begin(Snapshot snapshot, ScanKey keys, int count) {
#if PG_VERSION_NUM >= 180000
    IndexScanDesc found = index_beginscan(m_heap, m_index, snapshot, nullptr, count, 0);
#else
    IndexScanDesc found = index_beginscan(m_heap, m_index, snapshot, count, 0);
#endif
    index_rescan(found, keys, count, nullptr, 0);
    return found;
}

TupleTableSlot* table::scan_slot() {
    if (m_scan_slot == nullptr) m_scan_slot = table_slot_create(m_heap, nullptr);
    return m_scan_slot;
}

void table::insert(const Datum* values, const bool* nulls) {
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
    ExecClearTuple(m_insert_slot);
    heap_freetuple(tuple);
}

bool table::remove(const ItemPointerData& place, Snapshot snapshot) {
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
