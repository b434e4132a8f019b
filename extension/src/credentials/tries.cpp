#include "credentials/tries.hpp"

#include "audit/denials.hpp"
#include "context/errors.hpp"
#include "credentials/credentials.hpp"

extern "C" {
#include "common/hashfn.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/wait_event.h"
}

namespace tenancy::credentials {

namespace {

constexpr std::size_t slot_count = 1024;
constexpr std::uint32_t free_tries = 10;
constexpr long first_delay = 10; ///< milliseconds

/// Short ids share slots; what is shared is only how patient we are with wrong tries.
struct shared_tries {
    pg_atomic_uint32 waiting;
    pg_atomic_uint64 slots[slot_count]; ///< the minute they are of, and below it 32 bits of count
};

shmem_request_hook_type next_shmem_request = nullptr;

shared_tries& tries() {
    static shared_tries* attached = nullptr;
    if (attached == nullptr) {
        bool found;
        LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
        auto* memory = static_cast<shared_tries*>(ShmemInitStruct("tenancy wrong tries", sizeof(shared_tries), &found));
        if (!found) {
            pg_atomic_init_u32(&memory->waiting, 0);
            for (auto& slot : memory->slots) pg_atomic_init_u64(&slot, 0);
        }
        LWLockRelease(AddinShmemInitLock);
        attached = memory;
    }
    return *attached;
}

/// How many wrong tries there now are in this minute.
std::uint32_t count(pg_atomic_uint64& slot, std::uint32_t minute) {
    std::uint64_t seen = pg_atomic_read_u64(&slot);
    while (true) {
        auto before = static_cast<std::uint32_t>(seen);
        bool is_of_now = static_cast<std::uint32_t>(seen >> 32) == minute;
        std::uint32_t now = is_of_now ? (before == PG_UINT32_MAX ? before : before + 1) : 1;
        if (pg_atomic_compare_exchange_u64(&slot, &seen, (static_cast<std::uint64_t>(minute) << 32) | now)) return now;
    }
}

long delay_after(std::uint32_t too_many) {
    long longest = longest_delay();
    long delay = first_delay;
    for (std::uint32_t i = 1; i < too_many && delay < longest; ++i) delay *= 2;
    return std::min(delay, longest);
}

/// Wait, unless enough sessions are waiting already. Ends early when the session is asked for something.
void wait(shared_tries& shared, long milliseconds) {
    if (milliseconds <= 0) return;
    auto most = static_cast<std::uint32_t>(std::max(MaxConnections / 10, 1));
    if (pg_atomic_fetch_add_u32(&shared.waiting, 1) < most) {
        // Nothing in here may raise: the count would stay too high. Interrupts are taken afterwards.
        TimestampTz end = GetCurrentTimestamp() + milliseconds * 1000;
        while (!INTERRUPTS_PENDING_CONDITION()) {
            long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
            if (left <= 0) break;
            WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
        }
    }
    pg_atomic_fetch_sub_u32(&shared.waiting, 1);
    CHECK_FOR_INTERRUPTS();
}

void request_memory() {
    if (next_shmem_request) next_shmem_request();
    RequestAddinShmemSpace(sizeof(shared_tries));
}

} // namespace

void refuse_wrong_try(std::string_view short_id) {
    audit::note_denial(sqlstate::credential_not_valid, nullptr,
                       psprintf("API key %.*s", static_cast<int>(short_id.size()), short_id.data()));
    shared_tries& shared = tries();
    TimestampTz now = GetCurrentTimestamp();
    auto minute = static_cast<std::uint32_t>(now / USECS_PER_MINUTE);
    std::uint32_t hash =
        hash_bytes(reinterpret_cast<const unsigned char*>(short_id.data()), static_cast<int>(short_id.size()));
    std::uint32_t tried = count(shared.slots[hash % slot_count], minute);
    if (tried <= free_tries) raise_not_valid();

    wait(shared, delay_after(tried - free_tries));
    int seconds = static_cast<int>((USECS_PER_MINUTE - now % USECS_PER_MINUTE + USECS_PER_SEC - 1) / USECS_PER_SEC);
    ereport(ERROR, (errcode(context::errcode_of(sqlstate::rate_limit_exceeded)), errmsg("rate limit exceeded"),
                    errdetail("Too many credentials that are not valid were tried; try again in %d s.", seconds),
                    errhint("A valid credential is accepted at any time.")));
    pg_unreachable();
}

void request_shared_tries() {
    // Loaded later, the little that is needed comes from what the server holds in reserve.
    if (!process_shared_preload_libraries_in_progress) return;
    next_shmem_request = shmem_request_hook;
    shmem_request_hook = request_memory;
}

} // namespace tenancy::credentials
