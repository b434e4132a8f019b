#pragma once

#include "pg/guard.hpp"
#include "store/table.hpp"
#include "store/tenant_key.hpp"
#include "words/pure/build.hpp"

#include <optional>

namespace tenancy::words {

/// The kind of this store in tenancy.stores.
inline constexpr char store_kind[] = "words";

// Columns of sql/54_keyword_store.sql; those of the indexes come first, in their order.
enum log_column : AttrNumber { log_store = 1, log_tenant, log_documents };
enum segment_column : AttrNumber {
    segment_store = 1,
    segment_tenant,
    segment_part,
    segment_number,
    segment_key,
    segment_row_number,
    segment_data
};

/// One tenant's part of the keyword store, through its tables.
///
/// Its functions guard themselves. It must be open for all of them, and be closed; its destructor does nothing, for an
/// error of PostgreSQL may have closed it.
class tenant_words {
public:
    tenant_words(std::int32_t store, std::string_view tenant) : m_store{store} { m_tenant.set(tenant.data(), tenant.size()); }

    void open(LOCKMODE mode);
    void close();

    /// A stored segment.
    struct segment {
        std::int64_t number;
        segment_head head;
    };
    struct contents {
        bool is_frozen = false; ///< what there is, is but what was written since
        std::vector<segment> segments;
    };
    /// @param also a second snapshot, which must see them too
    contents read(Snapshot snapshot, Snapshot also = nullptr);

    /// Call visit(std::string_view row, const ItemPointerData& place) for each row of the log.
    template <typename Visit>
    void for_each_log_row(Snapshot snapshot, Visit visit, Snapshot also = nullptr) {
        pg::guarded([&] {
            ScanKeyData keys[2];
            set_log_keys(keys);
            m_log->scan(snapshot, keys, 2, [&](const store::row& row) {
                if (also && !table_tuple_satisfies_snapshot(m_log->heap(), row.slot(), also)) return true;
                auto* documents = DatumGetByteaPP(row.column(log_documents));
                visit(std::string_view{VARDATA_ANY(documents), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(documents))},
                      row.place());
                return true;
            });
        });
    }

    void insert_log_row(std::string_view documents);
    void insert_part(std::int64_t segment, part kind, std::string_view key, std::uint32_t number, std::string_view bytes);

    void remove_log_row(const ItemPointerData& place, Snapshot snapshot);
    void remove_segment(std::int64_t segment, Snapshot snapshot);

    /// Remove all that a snapshot sees, and have it said that the tenant is frozen.
    void remove_all(Snapshot snapshot, Snapshot also = nullptr);
    void insert_frozen();

    /// Become the only one who reorganizes this tenant's rows until the transaction ends; try_lock() does not wait.
    bool try_lock();
    void lock();

    /// Rows of a segment as tally and merging read them; lives no longer than this.
    class stored_segment : public part_source {
    public:
        stored_segment(tenant_words& of, std::int64_t number, Snapshot snapshot)
            : m_of{of}, m_number{number}, m_snapshot{snapshot} {}

        std::string_view page(part kind, std::uint32_t number) override;
        void for_each_page(part kind, const std::function<void(std::string_view)>& visit) override;
        void blocks_of(part kind, std::string_view lexeme, std::vector<std::string>& into) override;
        bool next_block(part kind, std::string& into, bool from_the_start) override;

    private:
        /// Where a walk through the blocks of a kind is.
        struct position {
            std::string key;
            std::int64_t number = -1;
        };

        tenant_words& m_of;
        std::int64_t m_number;
        Snapshot m_snapshot;
        std::string m_page;
        position m_at[5];
    };

private:
    void set_log_keys(ScanKeyData* keys);
    void set_segment_keys(ScanKeyData* keys, part kind, std::int64_t segment);

    std::int32_t m_store;
    store::tenant_key m_tenant;
    std::optional<store::table> m_log, m_segments;
};

/// A snapshot that sees all that is committed and what this transaction wrote, until it is dropped. Guarded by themselves.
Snapshot take_newest_snapshot();
void drop(Snapshot snapshot);

/// Remove a row that a snapshot sees, or raise when somebody else has. Calls PostgreSQL.
void remove_row(store::table& from, const ItemPointerData& place, Snapshot snapshot);

/// Remove all rows of a store that a snapshot sees; without one, all that are committed and of this transaction. Calls
/// PostgreSQL.
void remove_store(std::int32_t store, Snapshot snapshot = nullptr);

/// Whether a store has any row. Calls PostgreSQL.
bool has_rows(std::int32_t store);

/// Makes segments of a tenant's words in the store.
class stored_segments : public segment_sink {
public:
    explicit stored_segments(tenant_words& into) : m_sink{into} {}

    part_sink& begin_segment() override;

    /// How many segments were made.
    int made() const noexcept { return m_made; }

private:
    class sink : public part_sink {
    public:
        explicit sink(tenant_words& into) : m_into{into} {}
        void put(part kind, std::string_view key, std::uint32_t number, std::string_view bytes) override {
            m_into.insert_part(segment, kind, key, number, bytes);
        }
        std::int64_t segment = 0;

    private:
        tenant_words& m_into;
    };

    sink m_sink;
    int m_made = 0;
};

} // namespace tenancy::words
