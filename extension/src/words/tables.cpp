#include "words/tables.hpp"

#include "pg/guard.hpp"

namespace tenancy::words {

namespace {

/// A bytea of these bytes, in the current memory context.
Datum bytea_of(std::string_view bytes) {
    auto* value = static_cast<struct varlena*>(palloc(VARHDRSZ + bytes.size()));
    SET_VARSIZE(value, VARHDRSZ + bytes.size());
    std::memcpy(VARDATA(value), bytes.data(), bytes.size());
    return PointerGetDatum(value);
}

} // namespace

void remove_row(store::table& from, const ItemPointerData& place, Snapshot snapshot) {
    if (from.remove(place, snapshot)) return;
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("could not tidy the keyword store because of a concurrent change"),
                    errhint("Run the transaction again.")));
}

void tenant_words::open(LOCKMODE mode) {
    pg::guarded([&] {
        m_log.emplace("keyword_log", "keyword_log_key", mode);
        m_segments.emplace("keyword_segments", "keyword_segments_key", mode);
    });
}

void tenant_words::close() {
    pg::guarded([&] {
        m_segments->close();
        m_log->close();
    });
}

void tenant_words::set_log_keys(ScanKeyData* keys) {
    ScanKeyInit(&keys[0], log_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(m_store));
    ScanKeyInit(&keys[1], log_tenant, BTEqualStrategyNumber, F_BYTEAEQ, m_tenant.datum());
}

void tenant_words::set_segment_keys(ScanKeyData* keys, part kind, std::int64_t segment) {
    ScanKeyInit(&keys[0], segment_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(m_store));
    ScanKeyInit(&keys[1], segment_tenant, BTEqualStrategyNumber, F_BYTEAEQ, m_tenant.datum());
    ScanKeyInit(&keys[2], segment_part, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(static_cast<std::int16_t>(kind)));
    ScanKeyInit(&keys[3], segment_number, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(segment));
}

tenant_words::contents tenant_words::read(Snapshot snapshot, Snapshot also) {
    contents found;
    pg::guarded([&] {
        ScanKeyData keys[4];
        set_segment_keys(keys, part::head, 0);
        ScanKeyInit(&keys[2], segment_part, BTLessEqualStrategyNumber, F_INT2LE, Int16GetDatum(static_cast<std::int16_t>(part::head)));
        m_segments->scan(snapshot, keys, 3, [&](const store::row& row) {
            if (also && !table_tuple_satisfies_snapshot(m_segments->heap(), row.slot(), also)) return true;
            if (static_cast<part>(DatumGetInt16(row.column(segment_part))) == part::frozen)
                found.is_frozen = true;
            else
                found.segments.push_back(
                    {DatumGetInt64(row.column(segment_number)), segment_head::parse(row.bytes(segment_data))});
            return true;
        });
    });
    return found;
}

void tenant_words::insert_log_row(std::string_view documents) {
    pg::guarded([&] {
        Datum bytes = bytea_of(documents);
        Datum values[] = {Int32GetDatum(m_store), m_tenant.datum(), bytes};
        const bool nulls[3] = {};
        m_log->insert(values, nulls);
        pfree(DatumGetPointer(bytes));
    });
}

void tenant_words::insert_part(std::int64_t segment, part kind, std::string_view key, std::uint32_t number,
                               std::string_view bytes) {
    pg::guarded([&] {
        Datum first = bytea_of(key), data = bytea_of(bytes);
        Datum values[] = {Int32GetDatum(m_store),
                          m_tenant.datum(),
                          Int16GetDatum(static_cast<std::int16_t>(kind)),
                          Int64GetDatum(segment),
                          first,
                          Int32GetDatum(static_cast<std::int32_t>(number)),
                          data};
        const bool nulls[7] = {};
        m_segments->insert(values, nulls);
        pfree(DatumGetPointer(first));
        pfree(DatumGetPointer(data));
    });
}

void tenant_words::remove_log_row(const ItemPointerData& place, Snapshot snapshot) {
    pg::guarded([&] {
        remove_row(*m_log, place, snapshot);
    });
}

void tenant_words::remove_segment(std::int64_t segment, Snapshot snapshot) {
    pg::guarded([&] {
        for (part kind : {part::head, part::ids, part::lengths, part::postings, part::places}) {
            ScanKeyData keys[4];
            set_segment_keys(keys, kind, segment);
            m_segments->scan(snapshot, keys, 4, [&](const store::row& row) {
                remove_row(*m_segments, row.place(), snapshot);
                return true;
            });
        }
    });
}

void tenant_words::remove_all(Snapshot snapshot, Snapshot also) {
    pg::guarded([&] {
        ScanKeyData keys[4];
        auto remove_from = [&](store::table& from) {
            from.scan(snapshot, keys, 2, [&](const store::row& row) {
                if (also && !table_tuple_satisfies_snapshot(from.heap(), row.slot(), also)) return true;
                remove_row(from, row.place(), snapshot);
                return true;
            });
        };
        set_segment_keys(keys, part::head, 0);
        remove_from(*m_segments);
        set_log_keys(keys);
        remove_from(*m_log);
    });
}

void tenant_words::insert_frozen() { insert_part(0, part::frozen, {}, 0, {}); }

bool tenant_words::try_lock() {
    return pg::guarded([&] { return store::try_lock_tenant(*m_segments, m_store, m_tenant.bytes()); });
}

void tenant_words::lock() {
    pg::guarded([&] { store::lock_tenant(*m_segments, m_store, m_tenant.bytes()); });
}

std::string_view tenant_words::stored_segment::page(part kind, std::uint32_t number) {
    bool is_found = false;
    pg::guarded([&] {
        ScanKeyData keys[6];
        m_of.set_segment_keys(keys, kind, m_number);
        tenancy::store::tenant_key empty;
        ScanKeyInit(&keys[4], segment_key, BTEqualStrategyNumber, F_BYTEAEQ, empty.datum());
        ScanKeyInit(&keys[5], segment_row_number, BTEqualStrategyNumber, F_INT4EQ,
                    Int32GetDatum(static_cast<std::int32_t>(number)));
        m_of.m_segments->scan(m_snapshot, keys, 6, [&](const store::row& row) {
            m_page = row.bytes(segment_data);
            is_found = true;
            return false;
        });
    });
    if (!is_found) refuse_corrupt("A page of a segment is missing.");
    return m_page;
}

void tenant_words::stored_segment::for_each_page(part kind, const std::function<void(std::string_view)>& visit) {
    pg::guarded([&] {
        ScanKeyData keys[4];
        m_of.set_segment_keys(keys, kind, m_number);
        m_of.m_segments->scan(m_snapshot, keys, 4, [&](const store::row& row) {
            visit(row.bytes(segment_data));
            return true;
        });
    });
}

void tenant_words::stored_segment::blocks_of(part kind, std::string_view lexeme, std::vector<std::string>& into) {
    // The last block that begins at or before the lexeme; where it begins within the lexeme's list, also those before it.
    auto begin = static_cast<std::ptrdiff_t>(into.size());
    pg::guarded([&] {
        Datum first = bytea_of(lexeme);
        ScanKeyData keys[5];
        m_of.set_segment_keys(keys, kind, m_number);
        ScanKeyInit(&keys[4], segment_key, BTLessEqualStrategyNumber, F_BYTEALE, first);
        m_of.m_segments->scan(
            m_snapshot, keys, 5,
            [&](const store::row& row) {
                into.emplace_back(row.bytes(segment_data));
                return row.bytes(segment_key) == lexeme && DatumGetInt32(row.column(segment_row_number)) > 0;
            },
            BackwardScanDirection);
        pfree(DatumGetPointer(first));
    });
    std::reverse(into.begin() + begin, into.end());
}

bool tenant_words::stored_segment::next_block(part kind, std::string& into, bool from_the_start) {
    position& at = m_at[static_cast<std::size_t>(kind)];
    if (from_the_start) at = {};
    bool is_found = false;
    pg::guarded([&] {
        CHECK_FOR_INTERRUPTS();
        Datum key = bytea_of(at.key);
        ScanKeyData keys[5];
        m_of.set_segment_keys(keys, kind, m_number);
        ScanKeyInit(&keys[4], segment_key, BTGreaterEqualStrategyNumber, F_BYTEAGE, key);
        m_of.m_segments->scan(m_snapshot, keys, 5, [&](const store::row& row) {
            std::string_view first = row.bytes(segment_key);
            std::int32_t number = DatumGetInt32(row.column(segment_row_number));
            if (first == at.key && number <= at.number) return true;
            into = row.bytes(segment_data);
            at.key = first;
            at.number = number;
            is_found = true;
            return false;
        });
        pfree(DatumGetPointer(key));
    });
    return is_found;
}

Snapshot take_newest_snapshot() {
    return pg::guarded([] {
        CommandCounterIncrement();
        return RegisterSnapshot(GetLatestSnapshot());
    });
}

void drop(Snapshot snapshot) {
    pg::guarded([&] { UnregisterSnapshot(snapshot); });
}

namespace {

constexpr const char* tables[][2] = {{"keyword_log", "keyword_log_key"}, {"keyword_segments", "keyword_segments_key"}};

} // namespace

void remove_store(std::int32_t store, Snapshot snapshot) {
    CommandCounterIncrement();
    Snapshot seen = RegisterSnapshot(snapshot ? snapshot : GetLatestSnapshot());
    for (const auto& [name, index] : tables) {
        tenancy::store::table from{name, index, RowExclusiveLock};
        ScanKeyData key;
        ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(store));
        from.scan(seen, &key, 1, [&](const tenancy::store::row& row) {
            remove_row(from, row.place(), seen);
            return true;
        });
        from.close();
    }
    UnregisterSnapshot(seen);
}

bool has_rows(std::int32_t store) {
    CommandCounterIncrement();
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    bool is_found = false;
    for (const auto& [name, index] : tables) {
        tenancy::store::table from{name, index, AccessShareLock};
        ScanKeyData key;
        ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(store));
        from.scan(snapshot, &key, 1, [&](const tenancy::store::row&) {
            is_found = true;
            return false;
        });
        from.close();
    }
    UnregisterSnapshot(snapshot);
    return is_found;
}

part_sink& stored_segments::begin_segment() {
    m_sink.segment = pg::guarded([] { return store::next_number("keyword_numbers"); });
    ++m_made;
    return m_sink;
}

} // namespace tenancy::words
