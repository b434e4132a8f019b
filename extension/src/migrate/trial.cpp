#include "migrate/trial.hpp"

#include "context/verdict.hpp"
#include "pg/guard.hpp"

#if PG_VERSION_NUM >= 170000
extern "C" {
#include "storage/dsm_registry.h"
}
#endif

namespace tenancy::migrate {

namespace {

/// A place is taken once by setting its key, and keeps it until the server stops.
struct place {
    pg_atomic_uint64 key; ///< database and relation; 0 is free
    pg_atomic_uint64 counts[judgements];
    pg_atomic_uint64 last_hidden;
};

place* places = nullptr;
bool shared_by_all = false;
shmem_request_hook_type next_shmem_request = nullptr;
shmem_startup_hook_type next_shmem_startup = nullptr;

constexpr std::size_t size_of_places = sizeof(place) * most_tallies;

void make_places(void* memory) {
    auto* made = static_cast<place*>(memory);
    for (std::size_t i = 0; i < most_tallies; ++i) {
        pg_atomic_init_u64(&made[i].key, 0);
        for (pg_atomic_uint64& each : made[i].counts)
            pg_atomic_init_u64(&each, 0);
        pg_atomic_init_u64(&made[i].last_hidden, 0);
    }
}

void request() {
    if (next_shmem_request)
        next_shmem_request();
    RequestAddinShmemSpace(size_of_places);
}

void startup() {
    if (next_shmem_startup)
        next_shmem_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto* memory = static_cast<place*>(ShmemInitStruct("tenancy trial", size_of_places, &found));
    if (!found)
        make_places(memory);
    LWLockRelease(AddinShmemInitLock);
    places = memory;
    shared_by_all = true;
}

place* all_places() {
    if (likely(places != nullptr))
        return places;
#if PG_VERSION_NUM >= 170000
    bool found;
    places = static_cast<place*>(GetNamedDSMSegment("tenancy trial", size_of_places, make_places, &found));
    shared_by_all = true;
#else
    // Not preloaded, before there were named segments: a session counts for itself only.
    places = static_cast<place*>(MemoryContextAlloc(TopMemoryContext, size_of_places));
    make_places(places);
#endif
    return places;
}

std::uint64_t key_of(Oid relation) noexcept {
    return static_cast<std::uint64_t>(MyDatabaseId) << 32 | relation;
}

/// The place of a relation, taken now if need be; null when all are taken by others.
place* find_place(Oid relation) {
    place* all = all_places();
    std::uint64_t key = key_of(relation);
    std::size_t first = murmurhash32(relation ^ MyDatabaseId) % most_tallies;
    for (std::size_t i = 0; i < most_tallies; ++i) {
        place& candidate = all[(first + i) % most_tallies];
        std::uint64_t held = pg_atomic_read_u64(&candidate.key);
        if (held == 0 && pg_atomic_compare_exchange_u64(&candidate.key, &held, key))
            return &candidate;
        if (held == key)
            return &candidate;
    }
    return nullptr;
}

} // namespace

void count(Oid relation, judgement what) noexcept {
    // Most calls are for the relation of the last one.
    static place* last = nullptr;
    if (last == nullptr || pg_atomic_read_u64(&last->key) != key_of(relation))
        last = find_place(relation);
    if (last == nullptr)
        return;
    pg_atomic_fetch_add_u64(&last->counts[static_cast<int>(what)], 1);
    if (what != judgement::passed)
        pg_atomic_write_u64(&last->last_hidden,
                            static_cast<std::uint64_t>(GetCurrentStatementStartTimestamp()));
}

std::size_t read_tallies(tally* into, std::size_t most) noexcept {
    place* all = all_places();
    std::size_t found = 0;
    for (std::size_t i = 0; i < most_tallies && found < most; ++i) {
        std::uint64_t key = pg_atomic_read_u64(&all[i].key);
        if (key >> 32 != MyDatabaseId)
            continue;
        tally& each = into[found++];
        each.relation = static_cast<Oid>(key);
        for (int j = 0; j < judgements; ++j)
            each.counts[j] = pg_atomic_read_u64(&all[i].counts[j]);
        each.last_hidden = static_cast<TimestampTz>(pg_atomic_read_u64(&all[i].last_hidden));
    }
    return found;
}

void clear_tally(Oid relation) noexcept {
    place* found = find_place(relation);
    if (found == nullptr)
        return;
    for (pg_atomic_uint64& each : found->counts)
        pg_atomic_write_u64(&each, 0);
    pg_atomic_write_u64(&found->last_hidden, 0);
}

bool is_shared() noexcept {
    all_places();
    return shared_by_all;
}

void request_tallies() {
    if (!process_shared_preload_libraries_in_progress)
        return;
    next_shmem_request = shmem_request_hook;
    shmem_request_hook = request;
    next_shmem_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

} // namespace tenancy::migrate

namespace {

using namespace tenancy;
using namespace tenancy::migrate;

/// Whether the value of a tenant column is the context's tenant.
bool is_tenant_of(const context::verdict& last, Oid type, Datum value) {
    switch (type) {
    case UUIDOID:
        return std::memcmp(DatumGetUUIDP(value), &last.tenant, sizeof last.tenant) == 0;
    case INT8OID:
        return last.has_external_key_bigint && DatumGetInt64(value) == last.external_key_bigint;
    case INT4OID:
        return last.has_external_key_bigint && DatumGetInt32(value) == last.external_key_bigint;
    case TEXTOID: {
        text* given = DatumGetTextPP(value);
        return last.has_external_key && VARSIZE_ANY_EXHDR(given) == VARSIZE(last.external_key) - VARHDRSZ &&
               std::memcmp(VARDATA_ANY(given), VARDATA(last.external_key), VARSIZE_ANY_EXHDR(given)) == 0;
    }
    default:
        return false;
    }
}

} // namespace

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_trial_passes);

/// Runs once for every row under a policy of a trial, and always says yes.
PGDLLEXPORT Datum tenancy_trial_passes(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
        PG_RETURN_BOOL(true);
    Oid relation = PG_GETARG_OID(0);
    bool writing = PG_GETARG_BOOL(2);
    judgement what = judgement::passed;
    if (!context::is_settled() && context::settle() != context::status::settled)
        what = writing ? judgement::written_without_tenant : judgement::without_tenant;
    else if (PG_ARGISNULL(1) || !is_tenant_of(context::last_verdict(), get_fn_expr_argtype(fcinfo->flinfo, 1),
                                              PG_GETARG_DATUM(1)))
        what = writing ? judgement::written_to_other : judgement::other_tenant;
    else if (writing && !context::last_verdict().may_write)
        what = judgement::not_permitted;
    count(relation, what);
    PG_RETURN_BOOL(true);
}
}

TENANCY_FUNCTION(tenancy_trial_counts) {
    pg::guarded([&] {
        InitMaterializedSRF(fcinfo, 0);
        auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
        auto* found = static_cast<tally*>(palloc(sizeof(tally) * most_tallies));
        std::size_t many = read_tallies(found, most_tallies);
        for (std::size_t i = 0; i < many; ++i) {
            Datum values[judgements + 2];
            bool nulls[judgements + 2] = {};
            values[0] = ObjectIdGetDatum(found[i].relation);
            for (int j = 0; j < judgements; ++j)
                values[j + 1] = Int64GetDatum(static_cast<std::int64_t>(found[i].counts[j]));
            values[judgements + 1] = TimestampTzGetDatum(found[i].last_hidden);
            nulls[judgements + 1] = found[i].last_hidden == 0;
            tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        }
        if (!is_shared())
            ereport(WARNING, (errmsg("a trial counts for each session by itself"),
                              errhint("Put tenancy into shared_preload_libraries to count for all.")));
    });
    return static_cast<Datum>(0);
}

TENANCY_FUNCTION(tenancy_clear_trial) {
    if (!PG_ARGISNULL(0))
        clear_tally(PG_GETARG_OID(0));
    PG_RETURN_VOID();
}
