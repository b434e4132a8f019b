#include "pg/arguments.hpp"
#include "pg/guard.hpp"
#include "pure/uuid.hpp"

namespace {

/// Microseconds since 1970. Never the same twice in a backend, so that its keys sort in the order they were made.
std::uint64_t next_unix_microseconds() {
    static std::uint64_t last = 0;
    constexpr std::uint64_t postgres_epoch =
        static_cast<std::uint64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
    std::uint64_t now = static_cast<std::uint64_t>(GetCurrentTimestamp()) + postgres_epoch;
    last = now > last ? now : last + 1;
    return last;
}

} // namespace

TENANCY_FUNCTION(tenancy_uuid_v7) {
    std::uint8_t random[8];
    if (!pg_strong_random(random, sizeof random))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
    return tenancy::pg::uuid_copy(tenancy::make_uuid_v7(next_unix_microseconds(), random));
}
