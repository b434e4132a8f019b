#include "metering/rate.hpp"

#include "context/errors.hpp"
#include "pg/arguments.hpp"

namespace tenancy::metering {

namespace {

/// A key's latest minute. A minute that is over makes the place free.
struct window {
    Oid database;
    uuid key;
    std::int64_t minute;
    std::int32_t taken;
};

constexpr std::size_t places_in_bucket = 8;
constexpr std::size_t most_buckets = 4096;

struct bucket {
    slock_t lock;
    window places[places_in_bucket];
};

bucket* buckets = nullptr;
shmem_request_hook_type next_shmem_request = nullptr;
shmem_startup_hook_type next_shmem_startup = nullptr;

void request() {
    if (next_shmem_request) next_shmem_request();
    RequestAddinShmemSpace(sizeof(bucket) * most_buckets);
}

void startup() {
    if (next_shmem_startup) next_shmem_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto* segment = static_cast<bucket*>(ShmemInitStruct("tenancy rates", sizeof(bucket) * most_buckets, &found));
    if (!found) {
        std::memset(static_cast<void*>(segment), 0, sizeof(bucket) * most_buckets);
        for (std::size_t i = 0; i < most_buckets; ++i) SpinLockInit(&segment[i].lock);
    }
    LWLockRelease(AddinShmemInitLock);
    buckets = segment;
}

enum class answer { allowed, exceeded, no_place };

/// Under the bucket's spinlock: no call that could raise or sleep.
answer count(bucket& of, const uuid& key, std::int64_t minute, int per_minute) {
    window* place = nullptr;
    for (window& candidate : of.places) {
        if (candidate.database == MyDatabaseId && candidate.key == key) {
            place = &candidate;
            break;
        }
        if (!place && candidate.minute < minute) place = &candidate;
    }
    if (!place) return answer::no_place;
    if (place->database != MyDatabaseId || !(place->key == key) || place->minute < minute) {
        place->database = MyDatabaseId;
        place->key = key;
        place->minute = minute;
        place->taken = 0;
    }
    if (place->taken >= per_minute) return answer::exceeded;
    ++place->taken;
    return answer::allowed;
}

void take_in_table(const uuid& key, int per_minute) {
    // Entering with a key calls this as the application's role, which may not touch the table. An error resets the user.
    Oid caller;
    int security_context;
    GetUserIdAndSecContext(&caller, &security_context);
    SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security_context | SECURITY_LOCAL_USERID_CHANGE);
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    uuid copy = key;
    Oid types[] = {UUIDOID, INT4OID};
    Datum values[] = {UUIDPGetDatum(reinterpret_cast<pg_uuid_t*>(&copy)), Int32GetDatum(per_minute)};
    int result = SPI_execute_with_args("SELECT tenancy.take_rate_in_table($1, $2)", 2, types, values, nullptr, false, 0);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute_with_args returned %d", result);
    SPI_finish();
    SetUserIdAndSecContext(caller, security_context);
}

} // namespace

void take_rate(const uuid& key, int per_minute) {
    if (!buckets) {
        take_in_table(key, per_minute);
        return;
    }
    std::uint32_t hash = hash_combine(DatumGetUInt32(hash_any(key.bytes, sizeof key.bytes)), MyDatabaseId);
    bucket& of = buckets[hash % most_buckets];
    TimestampTz now = GetCurrentTimestamp();
    std::int64_t minute = now / USECS_PER_MINUTE;
    SpinLockAcquire(&of.lock);
    answer answered = count(of, key, minute, per_minute);
    SpinLockRelease(&of.lock);

    if (answered == answer::no_place) take_in_table(key, per_minute);
    if (answered != answer::exceeded) return;
    int seconds = static_cast<int>(((minute + 1) * USECS_PER_MINUTE - now + USECS_PER_SEC - 1) / USECS_PER_SEC);
    ereport(ERROR, (errcode(context::errcode_of(sqlstate::rate_limit_exceeded)), errmsg("rate limit exceeded"),
                    errdetail("The limit is %d in a minute; the next minute begins in %d seconds.", per_minute, seconds),
                    errhint("Wait that long and try again.")));
}

void request_rates() {
    if (!process_shared_preload_libraries_in_progress) return;
    next_shmem_request = shmem_request_hook;
    shmem_request_hook = request;
    next_shmem_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

} // namespace tenancy::metering

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_take_rate);

PGDLLEXPORT Datum tenancy_take_rate(PG_FUNCTION_ARGS) {
    tenancy::pg::refuse_null(fcinfo, 0, "key");
    // No limit is no question.
    if (PG_ARGISNULL(1)) PG_RETURN_VOID();
    int per_minute = PG_GETARG_INT32(1);
    if (per_minute < 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("per_minute must be 1 or more, not %d", per_minute)));
    tenancy::metering::take_rate(tenancy::pg::uuid_argument(fcinfo, 0), per_minute);
    PG_RETURN_VOID();
}
}
