#include "metering/applied.hpp"

#include "metering/rows.hpp"
#include "pg/guard.hpp"

#include <map>
#include <tuple>

namespace tenancy::metering {

namespace {

using counted_key = std::tuple<SubTransactionId, Oid, std::string>;

/// How many rows more a table has with a key, by the subtransaction that changed it.
std::map<counted_key, std::int64_t>& pending() {
    static auto& changes = *new std::map<counted_key, std::int64_t>; // never destroyed
    return changes;
}

/// What is written in a savepoint for changes before it is wanted again when the savepoint is rolled back.
void forget_written() {
    SubTransactionId here = GetCurrentSubTransactionId();
    auto before = pending();
    pending().clear();
    for (const auto& [key, change] : before) {
        if (std::get<0>(key) == here) continue;
        pending()[key] += change;
        pending()[{here, std::get<1>(key), std::get<2>(key)}] -= change;
    }
}

/// Plain code around PostgreSQL: nothing with a destructor is alive when it raises.
void write_pending() {
    const auto& changes = pending();
    auto size = static_cast<int>(changes.size());
    auto* relations = static_cast<Datum*>(palloc(sizeof(Datum) * size));
    auto* keys = static_cast<Datum*>(palloc(sizeof(Datum) * size));
    auto* amounts = static_cast<Datum*>(palloc(sizeof(Datum) * size));
    int count = 0;
    for (const auto& [key, change] : changes) {
        const std::string& text = std::get<2>(key);
        relations[count] = ObjectIdGetDatum(std::get<1>(key));
        keys[count] = PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
        amounts[count++] = Int64GetDatum(change);
    }
    Oid types[] = {OIDARRAYOID, TEXTARRAYOID, INT8ARRAYOID};
    Datum values[] = {
        PointerGetDatum(construct_array(relations, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT)),
        PointerGetDatum(construct_array(keys, count, TEXTOID, -1, false, TYPALIGN_INT)),
        PointerGetDatum(construct_array(amounts, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
    };
    Oid caller;
    int security_context;
    GetUserIdAndSecContext(&caller, &security_context);
    SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security_context | SECURITY_LOCAL_USERID_CHANGE);
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    int result = SPI_execute_with_args("SELECT tenancy.count_applied($1, $2, $3)", 3, types, values, nullptr, false, 0);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute_with_args returned %d", result);
    SPI_finish();
    SetUserIdAndSecContext(caller, security_context);
}

bool has_pending() {
    for (const auto& entry : pending())
        if (entry.second != 0) return true;
    return false;
}

void flush() {
    if (!has_pending()) {
        pending().clear();
        return;
    }
    write_pending();
    forget_written();
}

void transaction_ends(XactEvent event, void*) {
    switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
        if (!has_pending()) break;
        PushActiveSnapshot(GetTransactionSnapshot());
        write_pending();
        PopActiveSnapshot();
        pending().clear();
        break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_ABORT:
        pending().clear();
        break;
    default:
        break;
    }
}

void subtransaction_ends(SubXactEvent event, SubTransactionId which, SubTransactionId, void*) {
    if (event != SUBXACT_EVENT_ABORT_SUB) return;
    // Those of a subtransaction in it were numbered later.
    auto& changes = pending();
    for (auto entry = changes.begin(); entry != changes.end();)
        entry = std::get<0>(entry->first) >= which ? changes.erase(entry) : std::next(entry);
}

void add(Oid relation, const char* key, std::int64_t change) {
    if (key) pending()[{GetCurrentSubTransactionId(), relation, key}] += change;
}

/// The tenant column's text in a row, or null.
const char* key_of(const TriggerData* trigger, HeapTuple row, AttrNumber column) {
    TupleDesc shape = RelationGetDescr(trigger->tg_relation);
    bool is_null;
    Datum value = heap_getattr(row, column, shape, &is_null);
    return is_null ? nullptr : tenant_key_text(value, TupleDescAttr(shape, column - 1)->atttypid);
}

} // namespace

void watch_applied() {
    RegisterXactCallback(transaction_ends, nullptr);
    RegisterSubXactCallback(subtransaction_ends, nullptr);
}

} // namespace tenancy::metering

using namespace tenancy::metering;

TENANCY_FUNCTION(tenancy_flush_applied) {
    flush();
    PG_RETURN_VOID();
}

/// A row trigger that notes, and a statement trigger that writes. ALTER TABLE ... ENABLE TRIGGER ALL makes ordinary ones of
/// them, so they look themselves whether the others count.
TENANCY_FUNCTION(tenancy_count_applied_rows) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("tenancy.count_applied_rows() can only be called as a trigger")));
    auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if (SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA) return PointerGetDatum(nullptr);
    if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event)) {
        flush();
        return PointerGetDatum(nullptr);
    }
    Oid relation = RelationGetRelid(trigger->tg_relation);
    AttrNumber column = counted_column(relation);
    if (column == InvalidAttrNumber) return PointerGetDatum(nullptr);
    const char* key = key_of(trigger, trigger->tg_trigtuple, column);
    if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)) {
        const char* after = key_of(trigger, trigger->tg_newtuple, column);
        if (key && after && std::strcmp(key, after) == 0) return PointerGetDatum(nullptr);
        add(relation, key, -1);
        add(relation, after, 1);
    } else {
        add(relation, key, TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? 1 : -1);
    }
    return PointerGetDatum(nullptr);
}
