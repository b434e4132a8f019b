#include "vectors/approximate.hpp"
#include "vectors/tenant_rows.hpp"

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
class tidying : public tenant_rows {
public:
    using tenant_rows::tenant_rows;

    void pack(bool with_pages, std::size_t most_pages) {
        gone_set gone = read_gone();
        packer packed{m_of, m_tenant_size};
        bool is_all = read_loose();
        if (with_pages && !gone.empty()) is_all = repack_pages(gone, packed, most_pages) && is_all;
        pack_loose(gone, packed);

        pg::guarded([&] {
            remove(m_pages);
            remove(m_loose);
            if (with_pages) remove(m_gone_rows);
        });
        packed.write(m_table, m_store, m_key.datum());
        if (with_pages) widen_small();
        if (with_pages && !is_all) {
            for (const uuid& id : m_found)
                gone.erase(id);
            write_gone(gone);
        }
    }

    std::int64_t entries_in_pages() {
        return entries_of(block_kind::full) + entries_of(block_kind::sketched) + entries_of(block_kind::clustered);
    }

    void merge_gone() {
        gone_set gone = read_gone();
        pg::guarded([&] {
            remove(m_gone_rows);
        });
        write_gone(gone);
    }

private:
    bool read_loose() {
        bool is_all = read(block_kind::loose, m_loose);
        std::size_t count = m_loose.size();
        auto dies = [&](const copied_row& row) { return dies_elsewhere(row.view(), row.number); };
        m_loose.erase(std::remove_if(m_loose.begin(), m_loose.end(), dies), m_loose.end());
        return is_all && m_loose.size() == count;
    }

    /// A tenant that has become small is read whole again, and loses what helps to read less.
    void widen_small() {
        std::int64_t left = entries_of(block_kind::sketched) + entries_of(block_kind::clustered);
        if (left * static_cast<std::int64_t>(m_of.dimensions) > approximate_above() / 2) return;
        for (block_kind kind : {block_kind::directory, block_kind::sketch, block_kind::clustered, block_kind::sketched})
            if (!sees_all(kind)) return;
        remove_all(block_kind::directory);
        remove_all(block_kind::sketch);
        change_kind(block_kind::sketched, block_kind::full);
        change_kind(block_kind::clustered, block_kind::full);
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
            for_each_row(block_kind::clustered, visit);
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

    std::vector<copied_row> m_loose, m_pages;
    std::vector<uuid> m_found; ///< dead entries that were taken out of pages
};

} // namespace

void tidy(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant, bool wrote_loose,
          std::int64_t new_gone, std::int64_t new_pages, std::vector<pending_page>& pending) {
    // What this statement wrote is to be seen, and may be deleted.
    pg::guarded([] { CommandCounterIncrement(); });
    tidying work{table, of, store, tenant};
    std::int64_t loose_rows = 0, loose = 0, gone_rows = 0, gone = 0, in_pages = 0, in_pending = 0;
    if (wrote_loose) work.count(block_kind::loose, loose_rows, loose);
    if (new_gone > 0) work.count(block_kind::gone, gone_rows, gone);

    bool is_much_dead = false;
    // The pages are counted when another `least_gone` have come together, not for each.
    if (gone >= least_gone && gone / least_gone != (gone - new_gone) / least_gone) {
        is_much_dead = gone * 5 >= work.entries_in_pages() + loose;
    }
    for (const pending_page& page : pending)
        in_pending += static_cast<std::int64_t>(page.entries);
    bool is_large = false;
    if (new_pages >= many_pages && approximate_above() >= 0) {
        in_pages = work.entries_in_pages() + in_pending;
        is_large = in_pages * static_cast<std::int64_t>(of.dimensions) > approximate_above();
    }
    // Numbers are counted up, so this is true for one of so many pages.
    bool is_time = loose_rows > most_loose ||
                   (!pending.empty() && pending.back().number % many_pages < static_cast<std::int64_t>(pending.size()));
    if (approximate_above() < 0) is_time = false;
    if (loose_rows <= most_loose && gone_rows <= most_gone_rows && !is_much_dead && !is_large && !is_time) return;
    if (!pg::guarded([&] { return store::try_lock_tenant(table, store, tenant); })) return;
    if (is_much_dead || loose_rows > most_loose)
        work.pack(is_much_dead, most_repacked);
    else if (gone_rows > most_gone_rows)
        work.merge_gone();
    if (is_large) reduce(table, of, store, tenant, in_pages, pending);
    else if (is_time)
        reduce_some(table, of, store, tenant);
}

} // namespace tenancy::vectors
