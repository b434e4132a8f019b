#pragma once

#include "search/corpus.hpp"
#include "store/tenant_key.hpp"
#include "words/read_words.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace tenancy::words {

/// What the keyword store takes of a row of a chunks table.
class chunk_reader {
public:
    /// @param relation the table, or a partition or child of it, whose columns may be in other places. Calls PostgreSQL
    chunk_reader(Oid relation, const search::corpus& of)
        : m_of{of}, m_tenant{get_attnum(relation, of.columns.tenant.c_str())},
          m_id{get_attnum(relation, of.columns.id.c_str())},
          m_words{get_attnum(relation, (of.columns.tsv.empty() ? of.columns.content : of.columns.tsv).c_str())} {}

    /// For rows that come as values.
    explicit chunk_reader(const search::corpus& of) : m_of{of}, m_tenant{0}, m_id{0}, m_words{0} {}

    /// Read a row. Calls PostgreSQL, and leaves memory behind in the current context.
    ///
    /// @returns false when it has no words, or no tenant that can search
    bool read(TupleTableSlot* slot) {
        bool no_tenant, no_id, no_words;
        Datum tenant = slot_getattr(slot, m_tenant, &no_tenant);
        Datum id = slot_getattr(slot, m_id, &no_id);
        Datum value = slot_getattr(slot, m_words, &no_words);
        return !no_tenant && !no_id && !no_words && read(tenant, id, value);
    }

    /// The same of values that are there.
    bool read(Datum tenant, Datum id, Datum value) {
        if (!store::read_tenant_key(tenant, m_of.tenant_type, m_key)) return false;
        std::memcpy(m_chunk.bytes, DatumGetUUIDP(id)->data, sizeof m_chunk.bytes);
        m_vector = m_of.columns.tsv.empty()
                       ? DatumGetTSVector(DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(m_of.text_config), value))
                       : DatumGetTSVector(value);
        return true;
    }

    // Of the row that was read.
    std::string_view tenant() const noexcept { return m_key.bytes(); }
    const store::tenant_key& key() const noexcept { return m_key; }
    const uuid& id() const noexcept { return m_chunk; }
    packed_document words() {
        read_words(m_vector, m_list, m_places);
        return packed_document{m_list};
    }

private:
    const search::corpus& m_of;
    AttrNumber m_tenant, m_id, m_words;
    store::tenant_key m_key;
    uuid m_chunk{};
    TSVector m_vector = nullptr;
    std::vector<word> m_list;
    std::vector<std::uint16_t> m_places;
};

} // namespace tenancy::words
