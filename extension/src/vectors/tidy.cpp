#include "pg/guard.hpp"
#include "vectors/sketches.hpp"
#include "vectors/writer.hpp"

#include <limits>

namespace tenancy::vectors {

namespace {

/// So many loose rows are read by every search of the tenant, and no more.
constexpr std::int64_t most_loose = 32;
/// Rows of dead chunks are read by who tidies only.
constexpr std::int64_t most_gone_rows = 64;
/// Dead chunks below which the pages stay as they are, however few those are.
constexpr std::int64_t least_gone = 64;
/// Pages that one statement repacks at most: it has its own work to do. The rest is left to the next ones.
constexpr std::size_t most_repacked = 2000;

/// New pages of one statement that are worth a count of all.
constexpr std::int64_t many_pages = 32;

/// A row of blocks, copied out of its page.
struct copied_row {
    ItemPointerData place;
    std::int64_t number;
    std::vector<std::uint8_t> data;

    explicit copied_row(const store::row& row) : place{row.place()}, number{DatumGetInt64(row.column(block_number))} {
        std::string_view bytes = row.bytes(block_data);
        auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
        data.assign(begin, begin + bytes.size());
    }

    block_view view() const { return {data.data(), data.size()}; }
};

/// Packs entries, each once, into pages that are written when all was read.
class packer {
public:
    packer(const search::corpus& of, std::size_t tenant_size)
        : m_builder{of.tables.by, of.dimensions}, m_capacity{page_capacity(of.tables.by, of.dimensions, tenant_size)} {}

    void add(const block_view& from, std::size_t place, std::int64_t number) {
        m_builder.add(from, place);
        m_number = std::max(m_number, number);
        if (m_builder.count() >= m_capacity) finish_page();
    }

    /// @returns whether anything is packed
    void write(block_table& table, std::int32_t store, Datum tenant) {
        if (!m_builder.is_empty()) finish_page();
        pg::guarded([&] {
            for (const page& one : m_pages)
                table.insert_block(store, tenant,
                                   static_cast<std::size_t>(one.entries) >= m_capacity ? block_kind::full
                                                                                       : block_kind::loose,
                                   one.number, one.entries, one.data.data(), one.data.size());
        });
    }

private:
    struct page {
        std::int64_t number;
        std::int32_t entries;
        std::vector<std::uint8_t> data;
    };

    void finish_page() {
        // The greatest number of what went in: who was gone before stays gone, and nobody alive is taken for dead.
        auto entries = static_cast<std::int32_t>(m_builder.count());
        m_pages.push_back({m_number, entries, m_builder.pack()});
        m_number = 0;
    }

    block_builder m_builder;
    std::size_t m_capacity;
    std::int64_t m_number = 0;
    std::vector<page> m_pages;
};

/// One reorganization of a tenant's rows.
///
/// It reads what is committed. Where a transaction keeps one snapshot, it takes apart only what that sees, since it would
/// miss what it put together of the rest; others see the rest, and so does the next transaction.
class tidying {
public:
    tidying(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant)
        : m_table{table}, m_of{of}, m_store{store}, m_tenant_size{tenant.size()} {
        m_key.set(tenant.data(), tenant.size());
    }

    /// Count what may be taken apart: rows of a kind, and entries in them.
    void count(block_kind kind, std::int64_t& rows, std::int64_t& entries) {
        rows = entries = 0;
        pg::guarded([&] {
            for_each_row(kind, [&](const store::row& row, bool is_seen) {
                if (!is_seen) return true;
                ++rows;
                entries += DatumGetInt32(row.column(block_entries));
                return true;
            });
        });
    }

    void pack(bool with_pages, std::size_t most_pages) {
        gone_set gone = read_gone();
        packer packed{m_of, m_tenant_size};
        bool is_all = read_loose();
        if (with_pages && !gone.empty()) is_all = repack_pages(gone, packed, most_pages) && is_all;
        pack_loose(gone, packed);

        pg::guarded([&] {
            for (const auto* rows : {&m_pages, &m_loose})
                for (const copied_row& row : *rows)
                    remove(row);
            if (with_pages)
                for (const copied_row& row : m_gone_rows)
                    remove(row);
        });
        packed.write(m_table, m_store, m_key.datum());
        if (with_pages) drop_small_sketches();
        if (with_pages && !is_all) {
            for (const uuid& id : m_found)
                gone.erase(id);
            write_gone(gone);
        }
    }

    /// Make sketches of the full pages, some at a time. A page is written anew where sketches are looked for; they say
    /// where it lies.
    void sketch() {
        constexpr std::size_t at_once = 2000;
        pg::guarded([] { CommandCounterIncrement(); });
        sketch_builder sketches{m_of.tables.by, m_of.dimensions};
        std::size_t most = data_capacity(m_tenant_size);
        auto write = [&] {
            auto entries = static_cast<std::int32_t>(sketches.count());
            std::vector<std::uint8_t> bytes = sketches.pack();
            pg::guarded([&] {
                m_table.insert_block(m_store, m_key.datum(), block_kind::sketch, 0, entries, bytes.data(), bytes.size());
            });
        };
        for (;;) {
            std::vector<copied_row> pages;
            pg::guarded([&] {
                for_each_row(block_kind::full, [&](const store::row& row, bool is_seen) {
                    if (is_seen) pages.emplace_back(row);
                    return pages.size() < at_once;
                });
            });
            if (pages.empty()) break;
            for (const copied_row& page : pages) {
                block_view block = page.view();
                if (!sketches.is_empty() && sketches.size(block.count()) > most) write();
                ItemPointerData place = pg::guarded([&] {
                    remove(page);
                    return m_table.insert_block(m_store, m_key.datum(), block_kind::sketched, page.number,
                                                static_cast<int32>(block.count()), page.data.data(), page.data.size());
                });
                sketches.add(block, source_of(place));
            }
        }
        if (!sketches.is_empty()) write();
    }

    void merge_gone() {
        gone_set gone = read_gone();
        pg::guarded([&] {
            for (const copied_row& row : m_gone_rows)
                remove(row);
        });
        write_gone(gone);
    }

private:
    /// Copy the rows of a kind that may be taken apart.
    ///
    /// @returns whether those are all
    bool read(block_kind kind, std::vector<copied_row>& rows) {
        bool is_all = true;
        pg::guarded([&] {
            for_each_row(kind, [&](const store::row& row, bool is_seen) {
                if (is_seen)
                    rows.emplace_back(row);
                else
                    is_all = false;
                return true;
            });
        });
        return is_all;
    }

    bool read_loose() {
        bool is_all = read(block_kind::loose, m_loose);
        std::size_t count = m_loose.size();
        auto dies = [&](const copied_row& row) { return dies_elsewhere(row.view(), row.number); };
        m_loose.erase(std::remove_if(m_loose.begin(), m_loose.end(), dies), m_loose.end());
        return is_all && m_loose.size() == count;
    }

    /// Call visit(row, is_seen) until it returns false.
    template <typename Visit>
    void for_each_row(block_kind kind, Visit visit) {
        Snapshot of_transaction = IsolationUsesXactSnapshot() ? RegisterSnapshot(GetTransactionSnapshot()) : nullptr;
        m_table.scan_tenant(SnapshotSelf, m_store, m_key.datum(), kind, kind, [&](const store::row& row) {
            return visit(row, !of_transaction || table_tuple_satisfies_snapshot(m_table.heap(), row.slot(), of_transaction));
        });
        if (of_transaction) UnregisterSnapshot(of_transaction);
    }

    /// Who is gone for this transaction. For others more may be.
    gone_set read_gone() {
        gone_set gone;
        pg::guarded([&] {
            for_each_row(block_kind::gone, [&](const store::row& row, bool is_seen) {
                if (is_seen) m_gone_rows.emplace_back(row);
                add_gone(row.bytes(block_data), is_seen ? gone : m_gone_elsewhere);
                return true;
            });
        });
        return gone;
    }

    static void add_gone(std::string_view bytes, gone_set& to) {
        for (std::size_t at = 0; at + sizeof(gone_entry) <= bytes.size(); at += sizeof(gone_entry)) {
            gone_entry entry;
            std::memcpy(&entry, bytes.data() + at, sizeof entry);
            std::int64_t& since = to[entry.id];
            since = std::max(since, entry.number);
        }
    }

    /// Whether something in a block is dead for others, and would live on under another number.
    bool dies_elsewhere(const block_view& block, std::int64_t number) const {
        if (m_gone_elsewhere.empty()) return false;
        for (std::size_t place = 0; place < block.count(); ++place)
            if (is_dead(m_gone_elsewhere, block.id(place), number)) return true;
        return false;
    }

    /// A tenant that has become small is searched without sketches again, and loses them with the last of their pages.
    void drop_small_sketches() {
        std::int64_t rows, entries;
        count(block_kind::sketched, rows, entries);
        if (entries * static_cast<std::int64_t>(m_of.dimensions) > sketch_above() / 2) return;
        std::vector<copied_row> pages, sketches;
        if (!read(block_kind::sketched, pages) || !read(block_kind::sketch, sketches)) return;
        pg::guarded([&] {
            for (const copied_row& page : pages) {
                remove(page);
                m_table.insert_block(m_store, m_key.datum(), block_kind::full, page.number,
                                     static_cast<int32>(page.view().count()), page.data.data(), page.data.size());
            }
            for (const copied_row& sketch : sketches)
                remove(sketch);
        });
    }

    static bool is_dead(const gone_set& gone, const uuid& id, std::int64_t number) {
        auto found = gone.find(id);
        return found != gone.end() && number < found->second;
    }

    void pack_loose(const gone_set& gone, packer& packed) {
        std::sort(m_loose.begin(), m_loose.end(), [](const copied_row& a, const copied_row& b) { return a.number < b.number; });
        for (const copied_row& row : m_loose) {
            block_view block = row.view();
            for (std::size_t place = 0; place < block.count(); ++place)
                if (!is_dead(gone, block.id(place), row.number)) packed.add(block, place, row.number);
        }
    }

    /// Take the pages apart that hold dead entries.
    ///
    /// @returns whether no dead entry is left in any page
    bool repack_pages(const gone_set& gone, packer& packed, std::size_t most_pages) {
        bool is_all = true;
        pg::guarded([&] {
            auto visit = [&](const store::row& row, bool is_seen) {
                block_view block = view_of(row);
                std::int64_t number = DatumGetInt64(row.column(block_number));
                if (!is_seen || dies_elsewhere(block, number)) {
                    is_all = false;
                    return true;
                }
                if (m_pages.size() >= most_pages) return is_all = false;
                for (std::size_t place = 0; place < block.count(); ++place)
                    if (is_dead(gone, block.id(place), number)) {
                        m_pages.emplace_back(row);
                        break;
                    }
                return true;
            };
            for_each_row(block_kind::full, visit);
            for_each_row(block_kind::sketched, visit);
        });
        for (const copied_row& row : m_pages) {
            block_view block = row.view();
            for (std::size_t place = 0; place < block.count(); ++place) {
                uuid id = block.id(place);
                if (is_dead(gone, id, row.number))
                    m_found.push_back(id);
                else
                    packed.add(block, place, row.number);
            }
        }
        return is_all;
    }

    void write_gone(const gone_set& gone) {
        std::vector<gone_entry> entries;
        entries.reserve(gone.size());
        std::int64_t number = 0;
        for (const auto& [id, since] : gone) {
            entries.push_back({id, since});
            number = std::max(number, since);
        }
        std::size_t most = data_capacity(m_tenant_size) / sizeof(gone_entry);
        pg::guarded([&] {
            for (std::size_t begin = 0; begin < entries.size(); begin += most) {
                std::size_t count = std::min(most, entries.size() - begin);
                m_table.insert_block(m_store, m_key.datum(), block_kind::gone, number, static_cast<int32>(count),
                                     entries.data() + begin, count * sizeof(gone_entry));
            }
        });
    }

    void remove(const copied_row& row) {
        // Under the tenant's lock nobody else does, but who empties the table by hand.
        if (!m_table.remove(row.place, SnapshotSelf))
            ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                            errmsg("could not tidy the vector store because of a concurrent change"),
                            errhint("Run the transaction again.")));
    }

    block_table& m_table;
    const search::corpus& m_of;
    std::int32_t m_store;
    std::size_t m_tenant_size;
    store::tenant_key m_key;
    std::vector<copied_row> m_gone_rows, m_loose, m_pages;
    gone_set m_gone_elsewhere; ///< for others, but not for this transaction
    std::vector<uuid> m_found; ///< dead entries that were taken out of pages
};

} // namespace

void tidy(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant, bool wrote_loose,
          std::int64_t new_gone, std::int64_t new_pages) {
    // What this statement wrote is to be seen, and may be deleted.
    pg::guarded([] { CommandCounterIncrement(); });
    tidying work{table, of, store, tenant};
    std::int64_t loose_rows = 0, loose = 0, gone_rows = 0, gone = 0, pages = 0, in_pages = 0;
    if (wrote_loose) work.count(block_kind::loose, loose_rows, loose);
    if (new_gone > 0) work.count(block_kind::gone, gone_rows, gone);

    bool is_much_dead = false;
    // The pages are counted when another `least_gone` have come together, not for each.
    if (gone >= least_gone && gone / least_gone != (gone - new_gone) / least_gone) {
        work.count(block_kind::full, pages, in_pages);
        std::int64_t sketched_pages, sketched;
        work.count(block_kind::sketched, sketched_pages, sketched);
        is_much_dead = gone * 5 >= in_pages + sketched + loose;
    }
    bool is_large = false;
    if (new_pages >= many_pages && sketch_above() >= 0) {
        work.count(block_kind::full, pages, in_pages);
        is_large = in_pages * static_cast<std::int64_t>(of.dimensions) > sketch_above();
    }
    if (loose_rows <= most_loose && gone_rows <= most_gone_rows && !is_much_dead && !is_large) return;
    if (!pg::guarded([&] { return store::try_lock_tenant(table, store, tenant); })) return;
    if (is_much_dead || loose_rows > most_loose)
        work.pack(is_much_dead, most_repacked);
    else if (gone_rows > most_gone_rows)
        work.merge_gone();
    if (is_large) work.sketch();
}

} // namespace tenancy::vectors
