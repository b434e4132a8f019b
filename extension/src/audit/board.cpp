#include "audit/board.hpp"

namespace tenancy::audit {

namespace {

/// A burst larger than this is counted and not kept: someone who makes refusals on purpose must not fill memory.
constexpr std::size_t ring_size = 1024;

/// With more databases than this the sealing of some waits for their next event.
constexpr std::size_t most_unsealed = 64;

struct board {
    LWLock* lock;
    Latch* launcher;
    std::uint64_t first; ///< number of the oldest refusal in the ring
    std::uint64_t end;   ///< number of the next one
    std::uint64_t lost;
    std::uint64_t taken;
    Oid unsealed[most_unsealed];
    denial ring[ring_size];
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

bool put(const denial& refused) noexcept {
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    bool fits = shared->end - shared->first < ring_size;
    if (fits)
        shared->ring[shared->end++ % ring_size] = refused;
    else
        ++shared->lost;
    if (shared->launcher) SetLatch(shared->launcher);
    LWLockRelease(shared->lock);
    return fits;
}

std::size_t take(Oid database, denial* into, std::size_t most) noexcept {
    std::size_t taken = 0;
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    // The others' refusals close ranks, towards the end, in their order.
    std::uint64_t kept = shared->end;
    std::uint64_t last_taken = shared->first;
    for (std::uint64_t at = shared->first; at < shared->end && taken < most; ++at) {
        if (shared->ring[at % ring_size].database != database) continue;
        into[taken++] = shared->ring[at % ring_size];
        shared->ring[at % ring_size].database = InvalidOid;
        last_taken = at + 1;
    }
    if (taken > 0) {
        kept = last_taken;
        for (std::uint64_t at = last_taken; at > shared->first; --at) {
            const denial& candidate = shared->ring[(at - 1) % ring_size];
            if (OidIsValid(candidate.database)) shared->ring[--kept % ring_size] = candidate;
        }
        shared->first = kept;
        shared->taken += taken;
    }
    LWLockRelease(shared->lock);
    return taken;
}

std::uint64_t take_lost() noexcept {
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    std::uint64_t lost = std::exchange(shared->lost, 0);
    LWLockRelease(shared->lock);
    return lost;
}

bool has_denials() noexcept {
    LWLockAcquire(shared->lock, LW_SHARED);
    bool found = shared->first < shared->end;
    LWLockRelease(shared->lock);
    return found;
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
    LWLockAcquire(shared->lock, LW_EXCLUSIVE);
    if (shared->first < shared->end) {
        next.database = shared->ring[shared->first % ring_size].database;
        next.has_denials = true;
    }
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
