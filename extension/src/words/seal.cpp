#include "words/seal.hpp"

#include "pg/guard.hpp"

namespace tenancy::words {

namespace {

/// So many segments of like size are merged into one of the next size, which is so many times larger.
constexpr std::uint32_t fan_in = 8;

/// Chunks that one statement merges at most, for it has its own work to do; and one that wrote segments itself.
constexpr std::uint64_t most_merged = 32768, most_merged_in_bulk = 65536;

/// Segments of so many chunks are merged no more: a segment has a limit.
constexpr std::uint32_t large = most_chunks / 2;

/// Chunks that a tenant may have for everything to be merged, as what went is only forgotten so.
constexpr std::uint64_t most_compacted = 100000;

using stored = tenant_words::segment;

int size_class(std::uint32_t chunks) {
    int result = 0;
    for (std::uint64_t limit = least_sealed * fan_in; chunks >= limit; limit *= fan_in)
        ++result;
    return result;
}

/// What a transaction may take apart of a tenant's words: what is committed, and where it keeps one snapshot only what that
/// sees, as it would count the rest twice or not at all. The sum of what there is stays the same for everybody.
class movable {
public:
    explicit movable(tenant_words& of) : m_of{of} {
        pg::guarded([&] {
            CommandCounterIncrement();
            // Not with a snapshot of the transaction alone: what others took apart meanwhile is no longer there. And a
            // serializable transaction does not depend on what it reads here.
            if (IsolationUsesXactSnapshot())
                m_seen = RegisterSnapshot(GetTransactionSnapshot());
            else
                m_latest = RegisterSnapshot(GetLatestSnapshot());
        });
    }

    Snapshot snapshot() const noexcept { return m_latest ? m_latest : SnapshotSelf; }

    template <typename Visit>
    void for_each_log_row(Visit visit) {
        m_of.for_each_log_row(snapshot(), visit, m_seen);
    }

    tenant_words::contents read() { return m_of.read(snapshot(), m_seen); }
    void remove_all() { m_of.remove_all(snapshot(), m_seen); }

    /// Whether nothing is there beside so many segments, when the log's rows were taken.
    bool is_all(std::size_t segments) {
        if (!m_seen) return true;
        bool is_empty = true;
        m_of.for_each_log_row(SnapshotSelf, [&](std::string_view, const ItemPointerData&) { is_empty = false; });
        return is_empty && m_of.read(SnapshotSelf).segments.size() == segments;
    }

    void close() {
        pg::guarded([&] { UnregisterSnapshot(m_latest ? m_latest : m_seen); });
    }

private:
    tenant_words& m_of;
    Snapshot m_latest = nullptr, m_seen = nullptr; ///< one of them
};

class sealing {
public:
    sealing(tenant_words& of, std::vector<stored> segments, movable& from)
        : m_of{of}, m_from{from}, m_snapshot{from.snapshot()}, m_into{of}, m_segments{std::move(segments)} {}

    /// Turn the log into segments, in memory until it is known what they are merged with.
    void seal_log() {
        std::vector<document> came, went;
        std::vector<ItemPointerData> places;
        m_from.for_each_log_row([&](std::string_view row, const ItemPointerData& place) {
            read_row(row, came, went);
            places.push_back(place);
        });
        build_segments(false, came, m_fresh);
        build_segments(true, went, m_fresh);
        for (const ItemPointerData& place : places)
            m_of.remove_log_row(place, m_snapshot);
    }

    void merge(bool is_in_bulk) {
        std::uint64_t came = 0, went = 0;
        count(came, went);
        // What went is forgotten together with what it takes away, so that must be there.
        if (went >= least_sealed && went * 4 >= came && came + went <= most_compacted && m_from.is_all(m_segments.size())) {
            merge_those([](const segment_head&) { return true; }, true);
            return;
        }
        merge_classes(is_in_bulk ? most_merged_in_bulk : most_merged);
        write();
    }

    /// Of a tenant that is being built, which has only what came.
    void merge_built(bool is_complete) {
        merge_classes(UINT64_MAX);
        int small = 0;
        for_each_head([&](const segment_head& head) { small += head.chunks < large; });
        if (is_complete && small > 1) merge_those([](const segment_head& head) { return head.chunks < large; }, false);
        write();
    }

private:
    static void read_row(std::string_view row, std::vector<document>& came, std::vector<document>& went) {
        log_reader entries{row};
        for (log_entry entry; entries.next(entry);)
            (entry.is_negative ? went : came).push_back({entry.who, std::string{entry.document}});
    }

    /// From the smallest class up: what was merged may be one too many for the next class.
    void merge_classes(std::uint64_t most) {
        for (bool is_negative : {false, true})
            for (int size = 0; size < size_class(large); ++size)
                if (is_too_many(is_negative, size, most))
                    merge_those(
                        [&](const segment_head& head) { return head.is_negative == is_negative && size_class(head.chunks) <= size; },
                        false);
    }

    void write() {
        for (auto& one : m_fresh.segments)
            copy(*one);
        m_fresh.segments.clear();
    }

    template <typename Visit>
    void for_each_head(Visit visit) {
        for (const stored& one : m_segments)
            visit(one.head);
        for (auto& one : m_fresh.segments)
            visit(one->head());
    }

    void count(std::uint64_t& came, std::uint64_t& went) {
        for_each_head([&](const segment_head& head) { (head.is_negative ? went : came) += head.chunks; });
    }

    bool is_too_many(bool is_negative, int size, std::uint64_t most) {
        std::uint32_t number = 0;
        std::uint64_t chunks = 0;
        for_each_head([&](const segment_head& head) {
            if (head.is_negative != is_negative || size_class(head.chunks) > size) return;
            number += size_class(head.chunks) == size;
            chunks += head.chunks;
        });
        return number >= fan_in && chunks <= most;
    }

    template <typename Which>
    void merge_those(Which which, bool is_everything) {
        std::vector<std::unique_ptr<tenant_words::stored_segment>> sources;
        std::vector<merge_input> inputs;
        std::vector<stored> kept;
        std::vector<std::int64_t> merged;
        for (stored& one : m_segments) {
            if (!which(one.head)) {
                kept.push_back(std::move(one));
                continue;
            }
            sources.push_back(std::make_unique<tenant_words::stored_segment>(m_of, one.number, m_snapshot));
            inputs.push_back({std::move(one.head), sources.back().get()});
            merged.push_back(one.number);
        }
        memory_segments fresh, result;
        for (auto& one : m_fresh.segments) {
            if (!which(one->head())) {
                result.segments.push_back(std::move(one));
                continue;
            }
            inputs.push_back({one->head(), one.get()});
            fresh.segments.push_back(std::move(one));
        }
        // Everything is merged last, and may be large.
        if (is_everything)
            merge_segments(inputs, true, m_into);
        else
            merge_segments(inputs, false, result);
        for (std::int64_t number : merged)
            m_of.remove_segment(number, m_snapshot);
        m_segments = std::move(kept);
        m_fresh = std::move(result);
    }

    void copy(memory_segment& from) {
        part_sink& into = m_into.begin_segment();
        for (const auto& [place, bytes] : from.rows)
            into.put(place.kind, place.key, place.number, bytes);
    }

    tenant_words& m_of;
    movable& m_from;
    Snapshot m_snapshot;
    stored_segments m_into;
    std::vector<stored> m_segments; ///< those in the store
    memory_segments m_fresh;        ///< those to be written
};

bool has_grown(movable& what) {
    std::size_t entries = 0;
    what.for_each_log_row([&](std::string_view row, const ItemPointerData&) {
        log_reader reader{row};
        for (log_entry entry; reader.next(entry);)
            ++entries;
    });
    return entries >= least_sealed;
}

} // namespace

void seal(tenant_words& of, bool made_segments) {
    if (!made_segments) {
        movable before{of};
        bool is_worth_it = has_grown(before);
        before.close();
        if (!is_worth_it) return;
    }
    if (!of.try_lock()) return;
    // Read after the lock was taken: what was done by whoever had it before is seen.
    movable what{of};
    tenant_words::contents found = what.read();
    if (found.is_frozen) {
        // What is written meanwhile is found among the rows, too, when the tenant is frozen no more.
        what.remove_all();
        of.insert_frozen();
    } else {
        sealing work{of, std::move(found.segments), what};
        work.seal_log();
        work.merge(made_segments);
    }
    what.close();
}

void merge_built(tenant_words& of, bool is_complete) {
    movable what{of};
    {
        sealing work{of, what.read().segments, what};
        work.merge_built(is_complete);
    }
    what.close();
}

} // namespace tenancy::words
