#pragma once

#include "pg/prelude.hpp"
#include "pure/uuid.hpp"

/// Reads rows of tenancy's own tables straight from their indexes, without SQL, privileges or policies in the way.
namespace tenancy::context {

inline Oid relation_named(Oid schema, const char* name) {
    Oid relation = get_relname_relid(name, schema);
    if (!OidIsValid(relation))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"tenancy.%s\" does not exist", name),
                        errhint("Create the extension in this database: CREATE EXTENSION tenancy.")));
    return relation;
}

inline Oid own_relation(const char* name) { return relation_named(get_namespace_oid("tenancy", false), name); }

inline Datum uuid_datum(const uuid& id) { return PointerGetDatum(const_cast<std::uint8_t*>(id.bytes)); }

/// The one row that the keys find by an index, or none.
class row_lookup {
public:
    row_lookup(const char* table, const char* index, Snapshot snapshot, int nkeys, ScanKey keys)
        : m_table{table_open(own_relation(table), AccessShareLock)},
          m_scan{systable_beginscan(m_table, own_relation(index), true, snapshot, nkeys, keys)},
          m_tuple{systable_getnext(m_scan)} {}

    bool found() const { return HeapTupleIsValid(m_tuple); }

    Datum column(AttrNumber number, bool& is_null) const {
        return heap_getattr(m_tuple, number, RelationGetDescr(m_table), &is_null);
    }

    bool text_is(AttrNumber number, const char* expected) const {
        bool is_null;
        Datum value = column(number, is_null);
        return !is_null && std::strcmp(TextDatumGetCString(value), expected) == 0;
    }

    /// A copy in the current memory context, or null.
    char* text_or_null(AttrNumber number) const {
        bool is_null;
        Datum value = column(number, is_null);
        return is_null ? nullptr : TextDatumGetCString(value);
    }

    void copy_text(AttrNumber number, char* target, std::size_t size) const {
        bool is_null;
        Datum value = column(number, is_null);
        strlcpy(target, is_null ? "" : TextDatumGetCString(value), size);
    }

    TimestampTz time_or_never(AttrNumber number) const {
        bool is_null;
        Datum value = column(number, is_null);
        return is_null ? DT_NOEND : DatumGetTimestampTz(value);
    }

    uuid uuid_of(AttrNumber number) const {
        bool is_null;
        uuid value{};
        Datum datum = column(number, is_null);
        if (!is_null) std::memcpy(value.bytes, DatumGetUUIDP(datum)->data, sizeof value.bytes);
        return value;
    }

    HeapTuple tuple() const { return m_tuple; }
    Relation table() const { return m_table; }

    /// Not a destructor: an error of PostgreSQL skips those, and the transaction's abort closes what is open.
    void close() {
        systable_endscan(m_scan);
        table_close(m_table, AccessShareLock);
    }

private:
    Relation m_table;
    SysScanDesc m_scan;
    HeapTuple m_tuple;
};

/// GetLatestSnapshot refuses to work in parallel mode, and the query's own snapshot may be older than the tenant that
/// the leader has entered. A catalogue snapshot is as fresh, and taken in parallel workers all the time.
inline Snapshot snapshot_of_now() { return IsInParallelMode() ? GetCatalogSnapshot(InvalidOid) : GetLatestSnapshot(); }

} // namespace tenancy::context
