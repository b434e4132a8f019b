#pragma once

#include "pure/uuid.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

/// What waits to be written into the audit log of refusals, shared fairly. It lies in shared memory: no pointers, all zero
/// when empty, and every call is short, because others wait for the lock meanwhile.
///
/// One who makes refusals on purpose must neither fill the log nor push out those of others:
///
/// - Like refusals (same database, role, actor, tenant, code, object) share a place, which counts them. The first is due at
///   once, those that follow together, after an interval that doubles as long as they come.
/// - A place is kept for a while after it was written, so that it bounds how many rows somebody causes in that time.
/// - A session, as each actor that it says it is, has a share of its role's places, a role a share of all, and a newcomer
///   takes a place from who has most. The role is the one that the server authenticated, so what a session says of itself
///   only divides its role's share.
/// - What finds no place is counted for its role, where there is room for that, else for its database, else for all.
namespace tenancy::audit {

using microseconds = std::int64_t;

constexpr microseconds second = 1000000;
constexpr std::size_t most_places = 2048;
constexpr std::size_t most_of_role = 512;
constexpr std::size_t most_of_session = 128;
constexpr std::size_t most_rests = 256;
constexpr microseconds first_interval = 5 * second;
constexpr microseconds longest_interval = 60 * second;
constexpr microseconds kept_for = 600 * second;

/// One refusal, as it is raised.
struct refusal {
    std::uint32_t database;
    std::uint32_t role;
    std::uint32_t session; ///< tells shares apart, not refusals
    bool has_tenant;
    uuid tenant;
    char sqlstate[6];
    char actor[72];
    char object[192];
};

/// Refusals as they are written: one, or several alike.
struct refusals {
    refusal what;
    std::uint64_t times;
    microseconds first;
    microseconds last;
    bool is_rest; ///< what found no place: of a role, of which the tenant and the object are not known
};

class refusal_board {
public:
    /// Note one. @returns whether next_due() may be another now
    bool put(const refusal& one, microseconds now) noexcept;

    /// Take up to `most` that are due, of one database.
    std::size_t take(std::uint32_t database, microseconds now, refusals* into, std::size_t most) noexcept;

    /// Take all of a database, due or not: it is gone, or cannot take them.
    std::size_t take_all(std::uint32_t database, refusals* into, std::size_t most) noexcept;

    /// The database of what is due longest, or 0. @param other_than 0, or one that does not count
    std::uint32_t next_database(microseconds now, std::uint32_t other_than = 0) const noexcept;

    /// When the next is due, or `never`.
    microseconds next_due() const noexcept;

    /// Those that belong to no database that there was room for; counted from 0 again.
    std::uint64_t take_lost() noexcept;

    static constexpr microseconds never = INT64_MAX;

private:
    struct place {
        refusals held; ///< times is 0 in a place that is only kept
        microseconds due;
        microseconds interval;
    };

    std::size_t find(const refusal& one, std::uint64_t hash) const noexcept;
    std::size_t place_for(const refusal& one, std::uint64_t session, microseconds now) noexcept;
    std::size_t take_from_greediest(std::uint64_t role, std::size_t more_than) noexcept;
    void give_up(std::size_t at) noexcept;
    bool count_rest(const refusal& one, std::uint64_t times, microseconds first, microseconds last) noexcept;
    static void count_in(place& at, std::uint64_t times, microseconds first, microseconds last) noexcept;
    static void schedule(place& of, microseconds now) noexcept;
    template <typename Wanted>
    std::size_t take_where(Wanted wanted, microseconds now, refusals* into, std::size_t most) noexcept;

    // What is looked through for each refusal lies together. A place is free when its hash is 0.
    std::array<std::uint64_t, most_places> m_hashes;
    std::array<std::uint64_t, most_places> m_sessions;
    std::array<std::uint64_t, most_places> m_roles;
    std::array<place, most_places> m_places;
    std::array<place, most_rests> m_rest; ///< free when the database is 0; of a whole database when the role is 0
    std::uint64_t m_lost;
};

/// How often a session may say something itself, where there is no board: so often in a minute, then once for all others.
class log_allowance {
public:
    static constexpr int most_in_minute = 20;

    /// Count one. @returns whether it may be said
    bool take(microseconds now) noexcept;

    /// How many were not said in minutes that are over; counted from 0 again.
    std::uint64_t take_unsaid(microseconds now) noexcept;

    /// The same whatever minute it is, for the end.
    std::uint64_t take_all_unsaid() noexcept;

private:
    microseconds m_minute = 0;
    int m_said = 0;
    std::uint64_t m_unsaid = 0;
};

} // namespace tenancy::audit
