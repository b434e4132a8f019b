#include "store/state.hpp"

#include "context/row_lookup.hpp"
#include "pg/guard.hpp"

#include <unordered_map>

extern "C" {
#include "storage/sinval.h"
}

namespace tenancy::store {

namespace {

// Column numbers of sql/51_stores.sql.
enum stores_column : AttrNumber { stores_corpus = 1, stores_kind = 2, stores_number = 3, stores_state = 4 };

struct entry {
    state known;
    bool is_stale = true;
};

std::unordered_map<std::string, entry>& known_stores() {
    // Never destroyed: what runs at the end of a process must not touch PostgreSQL.
    static auto& known = *new std::unordered_map<std::string, entry>;
    return known;
}

/// The relation whose invalidation says that the registry changed.
Oid registry_relation = InvalidOid;

void relation_changed(Datum, Oid relation) {
    if (relation != InvalidOid && relation != registry_relation) return;
    for (auto& [name, one] : known_stores())
        one.is_stale = true;
}

phase parse(const char* name) {
    if (std::strcmp(name, "built") == 0) return phase::built;
    if (std::strcmp(name, "building") == 0) return phase::building;
    return phase::stale;
}

state read(const char* corpus, const char* kind) {
    state result;
    Snapshot snapshot = RegisterSnapshot(context::snapshot_of_now());
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], stores_corpus, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(corpus));
    ScanKeyInit(&keys[1], stores_kind, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(kind));
    context::row_lookup found{"stores", "stores_pkey", snapshot, 2, keys};
    if (found.found()) {
        bool is_null; // every column is declared NOT NULL
        result.number = DatumGetInt32(found.column(stores_number, is_null));
        result.is = parse(TextDatumGetCString(found.column(stores_state, is_null)));
        result.since = HeapTupleHeaderGetXmin(found.tuple()->t_data);
    }
    found.close();
    UnregisterSnapshot(snapshot);
    return result;
}

} // namespace

state state_of(const std::string& corpus, const char* kind) {
    entry& one = known_stores()[corpus + '/' + kind];
    while (one.is_stale) {
        uint64 messages = SharedInvalidMessageCounter;
        // Not stale before it is read: a change that comes while reading then marks it.
        one.is_stale = false;
        try {
            one.known = pg::guarded([&] {
                CHECK_FOR_INTERRUPTS();
                registry_relation = get_relname_relid("stores", get_namespace_oid("tenancy", false));
                return read(corpus.c_str(), kind);
            });
        } catch (...) {
            one.is_stale = true;
            throw;
        }
        // As with open_corpus(): marked without a message, by a server that is built to forget its caches all the time.
        if (messages == SharedInvalidMessageCounter) break;
    }
    return one.known;
}

void note_loss(const std::string& corpus, const char* kind) {
    const char* statement =
        std::strcmp(kind, "words") == 0
            ? "UPDATE tenancy.stores SET state = 'stale', changed_at = pg_catalog.now() "
              "WHERE corpus OPERATOR(pg_catalog.=) $1 AND kind OPERATOR(pg_catalog.=) $2"
            : "UPDATE tenancy.stores SET progress = COALESCE(progress, '{}') OPERATOR(pg_catalog.||) '{\"lost\": true}', "
              "changed_at = pg_catalog.now() WHERE corpus OPERATOR(pg_catalog.=) $1 AND kind OPERATOR(pg_catalog.=) $2 "
              "AND (progress OPERATOR(pg_catalog.->) 'lost') IS NULL";
    pg::guarded([&] {
        Oid user;
        int security;
        GetUserIdAndSecContext(&user, &security);
        Relation registry = table_open(get_relname_relid("stores", get_namespace_oid("tenancy", false)), RowExclusiveLock);
        SetUserIdAndSecContext(registry->rd_rel->relowner,
                               security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
        Oid types[] = {TEXTOID, TEXTOID};
        Datum values[] = {CStringGetTextDatum(corpus.c_str()), CStringGetTextDatum(kind)};
        if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
        int code = SPI_execute_with_args(statement, 2, types, values, nullptr, false, 0);
        if (code != SPI_OK_UPDATE) elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(code));
        SPI_finish();
        SetUserIdAndSecContext(user, security);
        table_close(registry, NoLock);
    });
}

bool is_readable(const state& of, Snapshot snapshot) {
    if (of.is != phase::built) return false;
    return !TransactionIdIsNormal(of.since) || TransactionIdIsCurrentTransactionId(of.since) ||
           !XidInMVCCSnapshot(of.since, snapshot);
}

void register_store_invalidation() { CacheRegisterRelcacheCallback(relation_changed, 0); }

} // namespace tenancy::store
