#include "audit/board.hpp"

namespace tenancy::audit {

namespace {

/// With more databases than this the sealing of some waits for their next event.
constexpr std::size_t most_unsealed = 64;

struct board {
    LWLock* lock;
    Latch* launcher;
    std::uint64_t taken;
    Oid unsealed[most_unsealed];
    refusal_board refused;
};

board* shared = nullptr;
shmem_request_hook_type next_shmem_request = nullptr;
shmem_startup_hook_type next_shmem_startup = nullptr;
constexpr char tranche[] = "tenancy_audit";

void request() {
    if (next_shmem_request) next_shmem_request();
    RequestAddinShmemSpace(sizeof(board));
    RequestNamedLWLockTranche(tranche, 1);
}

void startup() {
    if (next_shmem_startup) next_shmem_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto* segment = static_cast<board*>(ShmemInitStruct("tenancy audit", sizeof(board), &found));
    if (!found) {
        std::memset(static_cast<void*>(segment), 0, sizeof(board));
        segment->lock = &GetNamedLWLockTranche(tranche)->lock;
    }
    LWLockRelease(AddinShmemInitLock);
    shared = segment;
}

} // namespace

bool has_board() noexcept { return shared != nullptr; }

void put(const refusal& one) noexcept {
    TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    if (shared->refused.put(one, now) && shared->launcher) SetLatch(shared->launcher);
    LWLockRelease(shared->lock);
}

std::size_t take(Oid database, refusals* into, std::size_t most) noexcept {
    TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    std::size_t taken = shared->refused.take(database, now, into, most);
    shared->taken += taken;
    LWLockRelease(shared->lock);
    return taken;
}

std::size_t take_unwritten(Oid database, refusals* into, std::size_t most) noexcept {
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    std::size_t taken = shared->refused.take_all(database, into, most);
    LWLockRelease(shared->lock);
    return taken;
}

std::uint64_t take_lost() noexcept {
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    std::uint64_t lost = shared->refused.take_lost();
    LWLockRelease(shared->lock);
    return lost;
}

bool is_due_elsewhere(Oid database) noexcept {
    TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(shared->lock, LW_SHARED);
    bool found = shared->refused.next_database(now, database) != InvalidOid;
    LWLockRelease(shared->lock);
    return found;
}

long ms_until_due() noexcept {
    LWLockAcquire(shared->lock, LW_SHARED);
    TimestampTz due = shared->refused.next_due();
    LWLockRelease(shared->lock);
    return due == refusal_board::never ? -1 : TimestampDifferenceMilliseconds(GetCurrentTimestamp(), due);
}

std::uint64_t count_taken() noexcept {
    LWLockAcquire(shared->lock, LW_SHARED);
    std::uint64_t count = shared->taken;
    LWLockRelease(shared->lock);
    return count;
}

bool has_unsealed() noexcept {
    LWLockAcquire(shared->lock, LW_SHARED);
    bool found = std::any_of(shared->unsealed, shared->unsealed + most_unsealed, [](Oid database) { return OidIsValid(database); });
    LWLockRelease(shared->lock);
    return found;
}

void mark_unsealed(Oid database) noexcept {
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    Oid* end = shared->unsealed + most_unsealed;
    if (std::find(shared->unsealed, end, database) == end) {
        Oid* free = std::find(shared->unsealed, end, InvalidOid);
        if (free != end) *free = database;
        // The launcher sleeps without end while nothing is to be sealed.
        if (shared->launcher) SetLatch(shared->launcher);
    }
    LWLockRelease(shared->lock);
}

errand next_errand(bool sealing_is_due) noexcept {
    errand next{InvalidOid, false, false};
    TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    next.database = shared->refused.next_database(now);
    next.has_denials = OidIsValid(next.database);
    for (Oid& unsealed : shared->unsealed) {
        if (!OidIsValid(unsealed)) continue;
        if (!OidIsValid(next.database) && sealing_is_due) next.database = unsealed;
        if (unsealed != next.database || !sealing_is_due) continue;
        unsealed = InvalidOid;
        next.has_unsealed = true;
        break;
    }
    LWLockRelease(shared->lock);
    return next;
}

void set_launcher(Latch* latch) noexcept {
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    shared->launcher = latch;
    LWLockRelease(shared->lock);
}

void request_board() {
    next_shmem_request = shmem_request_hook;
    shmem_request_hook = request;
    next_shmem_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

} // namespace tenancy::audit
