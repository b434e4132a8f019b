#include "pure/pure.hpp"

#include "audit/pure/refusals.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tenancy::audit {

namespace {

constexpr std::size_t nowhere = SIZE_MAX;

/// FNV-1a: speed and spread are enough, since equal hashes are compared.
class hasher {
public:
    void add(const void* bytes, std::size_t size) noexcept {
        const auto* at = static_cast<const unsigned char*>(bytes);
        for (std::size_t i = 0; i < size; ++i) m_state = (m_state ^ at[i]) * 1099511628211U;
    }

    void add(const char* text) noexcept { add(text, std::strlen(text) + 1); }

    /// Never 0, which is a free place.
    std::uint64_t value() const noexcept { return m_state == 0 ? 1 : m_state; }

private:
    std::uint64_t m_state = 14695981039346656037U;
};

std::uint64_t role_of(const refusal& one) noexcept { return std::uint64_t{one.database} << 32 | one.role; }

std::uint64_t hash_of_session(const refusal& one) noexcept {
    hasher hash;
    hash.add(&one.database, sizeof one.database);
    hash.add(&one.role, sizeof one.role);
    hash.add(&one.session, sizeof one.session);
    hash.add(one.actor);
    return hash.value();
}

std::uint64_t hash_of(const refusal& one) noexcept {
    hasher hash;
    hash.add(&one.database, sizeof one.database);
    hash.add(&one.role, sizeof one.role);
    hash.add(one.actor);
    hash.add(&one.has_tenant, sizeof one.has_tenant);
    if (one.has_tenant) hash.add(one.tenant.bytes, sizeof one.tenant.bytes);
    hash.add(one.sqlstate);
    hash.add(one.object);
    return hash.value();
}

bool same(const refusal& a, const refusal& b) noexcept {
    return a.database == b.database && a.role == b.role && a.has_tenant == b.has_tenant && (!a.has_tenant || a.tenant == b.tenant) &&
           std::strcmp(a.sqlstate, b.sqlstate) == 0 && std::strcmp(a.actor, b.actor) == 0 && std::strcmp(a.object, b.object) == 0;
}

/// Which of the values comes most often, among those that count, and how often.
template <typename Counts>
std::pair<std::uint64_t, std::size_t> most_frequent(const std::array<std::uint64_t, most_places>& values, Counts counts) noexcept {
    struct counter {
        std::uint64_t value;
        std::size_t times;
    };
    constexpr std::size_t width = 2 * most_places;
    std::array<counter, width> met{};
    std::pair<std::uint64_t, std::size_t> most{0, 0};
    for (std::size_t i = 0; i < most_places; ++i) {
        if (!counts(i)) continue;
        std::size_t at = (values[i] * 0x9e3779b97f4a7c15U >> 32) % width;
        while (met[at].times > 0 && met[at].value != values[i]) at = (at + 1) % width;
        met[at].value = values[i];
        if (++met[at].times > most.second) most = {values[i], met[at].times};
    }
    return most;
}

} // namespace

bool refusal_board::put(const refusal& one, microseconds now) noexcept {
    std::uint64_t hash = hash_of(one);
    std::size_t at = find(one, hash);
    if (at != nowhere) {
        count_in(m_places[at], 1, now, now);
        return m_places[at].held.times == 1;
    }
    std::uint64_t session = hash_of_session(one);
    at = place_for(one, session, now);
    if (at == nowhere) return count_rest(one, 1, now, now);
    m_hashes[at] = hash;
    m_sessions[at] = session;
    m_roles[at] = role_of(one);
    m_places[at] = {{one, 1, now, now, false}, now, first_interval};
    return true;
}

void refusal_board::count_in(place& at, std::uint64_t times, microseconds first, microseconds last) noexcept {
    if (at.held.times == 0) {
        at.held.first = first;
        // After a quiet interval it is as new.
        if (at.due <= last) at.interval = first_interval;
    }
    at.held.first = std::min(at.held.first, first);
    at.held.last = std::max(at.held.last, last);
    at.held.times += times;
}

std::size_t refusal_board::find(const refusal& one, std::uint64_t hash) const noexcept {
    for (std::size_t i = 0; i < most_places; ++i)
        if (m_hashes[i] == hash && same(m_places[i].held.what, one)) return i;
    return nowhere;
}

std::size_t refusal_board::place_for(const refusal& one, std::uint64_t session, microseconds now) noexcept {
    const std::uint64_t role = role_of(one);
    auto is_over = [&](std::size_t i) { return m_places[i].held.times == 0 && m_places[i].held.last + kept_for <= now; };
    std::size_t free = nowhere;
    std::size_t of_role = 0;
    std::size_t of_session = 0;
    for (std::size_t i = 0; i < most_places; ++i) {
        if (m_hashes[i] != 0 && m_roles[i] == role && is_over(i)) m_hashes[i] = 0;
        if (m_hashes[i] == 0) {
            free = i;
        } else if (m_roles[i] == role) {
            ++of_role;
            if (m_sessions[i] == session) ++of_session;
        }
    }
    if (of_session >= most_of_session) return nowhere;
    if (free == nowhere)
        for (std::size_t i = 0; i < most_places; ++i)
            if (is_over(i)) {
                m_hashes[i] = 0;
                free = i;
            }
    if (of_role < most_of_role && free != nowhere) return free;

    // Whoever has most makes room: the greediest session of another role, or of the same. Theirs is not lost but counted.
    if (of_role < most_of_role) {
        auto [greediest, has] = most_frequent(m_roles, [&](std::size_t i) { return m_hashes[i] != 0; });
        if (has > of_role + 1) return take_from_greediest(greediest, 0);
    }
    return take_from_greediest(role, of_session + 1);
}

std::size_t refusal_board::take_from_greediest(std::uint64_t role, std::size_t more_than) noexcept {
    auto is_of_role = [&](std::size_t i) { return m_hashes[i] != 0 && m_roles[i] == role; };
    auto [greediest, has] = most_frequent(m_sessions, is_of_role);
    if (has <= more_than) return nowhere;
    std::size_t newest = nowhere;
    for (std::size_t i = 0; i < most_places; ++i)
        if (is_of_role(i) && m_sessions[i] == greediest && (newest == nowhere || m_places[i].held.last >= m_places[newest].held.last))
            newest = i;
    give_up(newest);
    return newest;
}

void refusal_board::give_up(std::size_t at) noexcept {
    const refusals& held = m_places[at].held;
    if (held.times > 0) count_rest(held.what, held.times, held.first, held.last);
    m_hashes[at] = 0;
}

bool refusal_board::count_rest(const refusal& one, std::uint64_t times, microseconds first, microseconds last) noexcept {
    place* of_role = nullptr;
    place* of_database = nullptr;
    place* free = nullptr;
    std::size_t count_free = 0;
    for (place& candidate : m_rest) {
        const refusal& what = candidate.held.what;
        if (what.database == one.database && what.role == one.role) {
            of_role = &candidate;
        } else if (what.database == one.database && what.role == 0) {
            of_database = &candidate;
        } else if (what.database == 0 || (candidate.held.times == 0 && candidate.held.last + kept_for <= last)) {
            free = &candidate;
            ++count_free;
        }
    }
    place* into = of_role;
    // The last places are for whole databases.
    bool is_for_role = count_free > most_rests / 4;
    if (!into && !is_for_role) into = of_database;
    if (!into && free) {
        into = free;
        *into = {};
        into->held.is_rest = true;
        into->held.what.database = one.database;
        into->held.what.role = is_for_role ? one.role : 0;
        into->due = last + first_interval;
        into->interval = first_interval;
    }
    if (!into) {
        m_lost += times;
        return true;
    }
    char* code = into->held.what.sqlstate;
    if (into->held.times == 0)
        std::memcpy(code, one.sqlstate, sizeof one.sqlstate);
    else if (std::strcmp(code, one.sqlstate) != 0)
        code[0] = '\0';
    bool was_empty = into->held.times == 0;
    count_in(*into, times, first, last);
    // Many are to come.
    if (was_empty && into->due < last) into->due = last + into->interval;
    return was_empty;
}

/// Whoever comes again before long waits longer each time.
void refusal_board::schedule(place& of, microseconds now) noexcept {
    of.due = now + of.interval;
    of.interval = std::min(2 * of.interval, longest_interval);
}

template <typename Wanted>
std::size_t refusal_board::take_where(Wanted wanted, microseconds now, refusals* into, std::size_t most) noexcept {
    std::size_t taken = 0;
    auto take_one = [&](place& from) {
        into[taken++] = from.held;
        schedule(from, now);
        from.held.times = 0;
    };
    for (std::size_t i = 0; i < most_places && taken < most; ++i)
        if (m_hashes[i] != 0 && m_places[i].held.times > 0 && wanted(m_places[i])) take_one(m_places[i]);
    for (place& rest : m_rest)
        if (taken < most && rest.held.times > 0 && wanted(rest)) take_one(rest);
    return taken;
}

std::size_t refusal_board::take(std::uint32_t database, microseconds now, refusals* into, std::size_t most) noexcept {
    return take_where([&](const place& one) { return one.held.what.database == database && one.due <= now; }, now, into, most);
}

std::size_t refusal_board::take_all(std::uint32_t database, refusals* into, std::size_t most) noexcept {
    return take_where([&](const place& one) { return one.held.what.database == database; }, 0, into, most);
}

std::uint32_t refusal_board::next_database(microseconds now, std::uint32_t other_than) const noexcept {
    std::uint32_t found = 0;
    microseconds since = never;
    auto look = [&](const place& one) {
        if (one.held.times == 0 || one.due > now || one.due >= since || one.held.what.database == other_than) return;
        since = one.due;
        found = one.held.what.database;
    };
    for (std::size_t i = 0; i < most_places; ++i)
        if (m_hashes[i] != 0) look(m_places[i]);
    for (const place& rest : m_rest) look(rest);
    return found;
}

microseconds refusal_board::next_due() const noexcept {
    microseconds due = never;
    for (std::size_t i = 0; i < most_places; ++i)
        if (m_hashes[i] != 0 && m_places[i].held.times > 0) due = std::min(due, m_places[i].due);
    for (const place& rest : m_rest)
        if (rest.held.times > 0) due = std::min(due, rest.due);
    return due;
}

std::uint64_t refusal_board::take_lost() noexcept { return std::exchange(m_lost, 0); }

bool log_allowance::take(microseconds now) noexcept {
    microseconds minute = now / (60 * second);
    if (minute != m_minute) {
        m_minute = minute;
        m_said = 0;
    }
    if (m_said < most_in_minute) {
        ++m_said;
        return true;
    }
    ++m_unsaid;
    return false;
}

std::uint64_t log_allowance::take_unsaid(microseconds now) noexcept {
    return now / (60 * second) == m_minute ? 0 : take_all_unsaid();
}

std::uint64_t log_allowance::take_all_unsaid() noexcept { return std::exchange(m_unsaid, 0); }

} // namespace tenancy::audit
