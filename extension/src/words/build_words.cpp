#include "pg/arguments.hpp"
#include "pg/guard.hpp"
#include "pure/uuid.hpp"
#include "store/state.hpp"
#include "words/pack.hpp"
#include "words/seal.hpp"

extern "C" {
#include "utils/varlena.h"
}

namespace {

using namespace tenancy;
using namespace tenancy::words;

/// A place in the order of (tenant, id), as the chunks' index has it.
struct place {
    bool is_set = false;
    std::string tenant; ///< bytes of its key
    uuid id{};
};

/// Calls PostgreSQL.
place place_of(Datum tenant, const uuid& id, Oid type) {
    store::tenant_key key;
    if (store::read_tenant_key(tenant, type, key)) return {true, std::string{key.bytes()}, id};
    // Longer than any tenant's, and nobody's; but a place all the same.
    text* value = DatumGetTextPP(tenant);
    return {true, std::string{VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))}, id};
}

/// What lies between two places: after the first, and not after the last; without limit where one is not set.
class range {
public:
    /// Calls PostgreSQL.
    range(const search::corpus& of, const place& after, const place& last)
        : m_type{of.tenant_type}, m_after{after}, m_last{last} {
        int32 modifier;
        Oid type;
        get_atttypetypmodcoll(of.chunks, get_attnum(of.chunks, of.columns.tenant.c_str()), &type, &modifier, &m_collation);
    }

    /// -1 or 1 for a tenant that is outside or inside with all its chunks, 0 for one at a limit.
    int side_of(std::string_view tenant) const {
        int from_first = m_after.is_set ? compare(tenant, m_after.tenant) : 1;
        int from_last = m_last.is_set ? compare(tenant, m_last.tenant) : -1;
        if (from_first < 0 || from_last > 0) return -1;
        return from_first > 0 && from_last < 0 ? 1 : 0;
    }

    /// Of a chunk of a tenant at a limit.
    bool holds(std::string_view tenant, const uuid& id) const {
        if (m_after.is_set && tenant == m_after.tenant && !key_less(m_after.id, id)) return false;
        return !m_last.is_set || tenant != m_last.tenant || !key_less(m_last.id, id);
    }

private:
    /// As the tenant column's own type compares.
    int compare(std::string_view a, std::string_view b) const {
        if (m_type == INT8OID || m_type == INT4OID) {
            // Big-endian numbers in two's complement are in the order of their bytes, but for the sign.
            bool is_negative = (a[0] & 0x80) != 0;
            if (is_negative != ((b[0] & 0x80) != 0)) return is_negative ? -1 : 1;
            return a.compare(b);
        }
        if (m_type == UUIDOID) return a.compare(b);
        return varstr_cmp(a.data(), static_cast<int>(a.size()), b.data(), static_cast<int>(b.size()), m_collation);
    }

    Oid m_type, m_collation = InvalidOid;
    const place &m_after, &m_last;
};

/// Take out of the log what a snapshot sees of the chunks in a range. Guards itself.
void forget_log(std::int32_t store, const range& of, Snapshot snapshot) {
    struct kept_row {
        std::string tenant, documents;
    };
    std::vector<kept_row> kept;
    std::string rest;
    pg::guarded([&] {
        tenancy::store::table log{"keyword_log", "keyword_log_key", RowExclusiveLock};
        ScanKeyData key;
        ScanKeyInit(&key, log_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(store));
        log.scan(snapshot, &key, 1, [&](const tenancy::store::row& row) {
            CHECK_FOR_INTERRUPTS();
            std::string_view tenant = row.bytes(log_tenant);
            int side = of.side_of(tenant);
            if (side < 0) return true;
            rest.clear();
            if (side == 0) {
                auto* documents = DatumGetByteaPP(row.column(log_documents));
                std::string_view bytes{VARDATA_ANY(documents), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(documents))};
                log_reader entries{bytes};
                for (log_entry entry; entries.next(entry);)
                    if (!of.holds(tenant, entry.who.id)) put_log_entry(rest, entry.who, entry.is_negative, entry.document);
                if (rest.size() == bytes.size()) return true;
            }
            if (!rest.empty()) kept.push_back({std::string{tenant}, rest});
            remove_row(log, row.place(), snapshot);
            return true;
        });
        log.close();
    });
    for (const kept_row& row : kept) {
        tenant_words into{store, row.tenant};
        into.open(RowExclusiveLock);
        into.insert_log_row(row.documents);
        into.close();
    }
}

/// Seal what was written while the store was built, tenant by tenant. Guards itself.
void seal_logs(std::int32_t number) {
    std::vector<std::string> tenants;
    Snapshot snapshot = take_newest_snapshot();
    pg::guarded([&] {
        tenancy::store::table log{"keyword_log", "keyword_log_key", AccessShareLock};
        ScanKeyData key;
        ScanKeyInit(&key, log_store, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
        log.scan(snapshot, &key, 1, [&](const tenancy::store::row& row) {
            std::string_view tenant = row.bytes(log_tenant);
            if (tenants.empty() || tenants.back() != tenant) tenants.emplace_back(tenant);
            return true;
        });
        log.close();
    });
    drop(snapshot);
    for (const std::string& tenant : tenants) {
        tenant_words of{number, tenant};
        of.open(RowExclusiveLock);
        seal(of, false);
        of.close();
    }
}

} // namespace

/// Add the next rows in the order of tenant and id (at most so many) that come after a place.
///
/// What triggers have written about these chunks until now goes: the same snapshot that does not see it shows the rows. What
/// they write from now on, and of other chunks, stays. So each step makes a part of the whole exact, and none waits for
/// writers.
TENANCY_FUNCTION(tenancy_pack_words) {
    pg::refuse_null(fcinfo, 0, "corpus");
    pg::refuse_null(fcinfo, 1, "statement");
    pg::refuse_null(fcinfo, 2, "batch_rows");
    std::string corpus{pg::text_view(PG_GETARG_TEXT_PP(0))};
    std::shared_ptr<search::corpus> of = search::open_corpus(corpus);
    char* statement = pg::guarded([&] { return text_to_cstring(PG_GETARG_TEXT_PP(1)); });
    std::int64_t most = PG_GETARG_INT32(2);
    if (most < 1)
        throw error{sqlstate::invalid_parameter_value, "batch_rows must be at least 1, not " + std::to_string(most)};
    store::state state = store::state_of(corpus, store_kind);
    if (state.is != store::phase::building)
        throw error{sqlstate::not_in_prerequisite_state, "the keyword store of corpus \"" + corpus + "\" is not being built", {},
                    "Call tenancy.rebuild_corpus(), which builds it."};

    Oid output = InvalidOid;
    TupleDesc descriptor = nullptr;
    place after, last;
    pg::guarded([&] {
        if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "tenancy.pack_words() must return a row");
        descriptor = BlessTupleDesc(descriptor);
        Oid input, parameter;
        bool is_varlena;
        getTypeInputInfo(of->tenant_type, &input, &parameter);
        getTypeOutputInfo(of->tenant_type, &output, &is_varlena);
        if (PG_ARGISNULL(3) || PG_ARGISNULL(4)) return;
        Datum value = OidInputFunctionCall(input, text_to_cstring(PG_GETARG_TEXT_PP(3)), parameter, -1);
        after = place_of(value, pg::uuid_argument(fcinfo, 4), of->tenant_type);
    });

    Snapshot snapshot = take_newest_snapshot();
    writer into{state.number, writer::mode::build};
    packed_rows packed = pack_rows(*of, statement, snapshot, into);
    bool is_done = packed.rows < most;
    if (!is_done) pg::guarded([&] { last = place_of(packed.tenant, packed.id, of->tenant_type); });
    forget_log(state.number, pg::guarded([&] { return range{*of, after, last}; }), snapshot);
    drop(snapshot);
    for (const std::string& tenant : into.tenants_with_segments()) {
        tenant_words built{state.number, tenant};
        built.open(RowExclusiveLock);
        merge_built(built, is_done || tenant != last.tenant);
        built.close();
    }
    if (is_done) seal_logs(state.number);
    return pg::guarded([&] {
        Datum values[3] = {Int64GetDatum(packed.rows), 0, 0};
        bool nulls[3] = {false, packed.rows == 0, packed.rows == 0};
        if (packed.rows > 0) {
            values[1] = CStringGetTextDatum(OidOutputFunctionCall(output, packed.tenant));
            values[2] = pg::uuid_copy(packed.id);
        }
        return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
    });
}
