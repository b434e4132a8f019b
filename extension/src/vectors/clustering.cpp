#include "vectors/clustering.hpp"
#include "vectors/approximate.hpp"

#include <iterator>
#include <limits>
#include <tuple>

namespace tenancy::vectors {

namespace {

/// Vectors that are assigned to clusters in one go.
constexpr std::size_t at_once = 1024;

/// Pages that one statement adds to clusters at most, or a small one to sketches: it has its own work to do. The rest is left to
/// the next ones.
constexpr std::size_t most_added = 1000;

/// The order of what a directory has, as a search needs it.
constexpr std::int64_t number_of_promise = -1, number_of_centres = 0, number_of_members = 1;

/// So many parts of a tenant's vectors are one that is read by every search before it is added to clusters or sketches.
constexpr std::int64_t new_part = 32;

void look_for_interrupts() {
    pg::guarded([] { CHECK_FOR_INTERRUPTS(); });
}

bool is_bounded(const block_view& block) {
    for (std::size_t place = 0; place < block.count(); ++place)
        if (!(block.facts().residuals[place] < std::numeric_limits<float>::infinity())) return false;
    return true;
}

} // namespace

bool clustering::read_promise(promise& learned) {
    bool is_there = false;
    pg::guarded([&] {
        for_each_row(block_kind::directory, [&](const store::row& row, bool is_seen) {
            std::string_view bytes = row.bytes(block_data);
            auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
            m_is_all_seen = m_is_all_seen && is_seen;
            directory_part part = part_of(begin, bytes.size());
            if (part == directory_part::promise) {
                learned = unpack_promise(begin, bytes.size());
                is_there = true;
            } else if (part == directory_part::members) {
                members_view members{begin, bytes.size()};
                for (std::size_t i = 0; i < members.count(); ++i)
                    m_is_elsewhere = m_is_elsewhere || !is_of_file(members[i].source, m_table.heap());
            }
            return true;
        });
        for_each_row(block_kind::sketch, [&](const store::row& row, bool is_seen) {
            std::string_view bytes = row.bytes(block_data);
            sketch_view sketch{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
            m_is_all_seen = m_is_all_seen && is_seen;
            m_is_elsewhere = m_is_elsewhere || (sketch.sources() > 0 && !is_of_file(sketch.source(0), m_table.heap()));
            return m_is_all_seen && !m_is_elsewhere;
        });
    });
    return is_there;
}

void clustering::forget() {
    for (block_kind kind : {block_kind::clustered, block_kind::sketched})
        if (!sees_all(kind)) return;
    remove_all(block_kind::directory);
    remove_all(block_kind::sketch);
    change_kind(block_kind::clustered, block_kind::full);
    change_kind(block_kind::sketched, block_kind::full);
    pg::guarded([] { CommandCounterIncrement(); });
}

bool clustering::find_pages(block_kind kind, std::size_t most) {
    bool is_all = true;
    pg::guarded([&] {
        for_each_row(kind, [&](const store::row& row, bool is_seen) {
            std::int64_t number = DatumGetInt64(row.column(block_number));
            block_view block = view_of(row);
            // What has no bound is read by every search, as long as it lies in a page of no cluster.
            if (!is_seen || dies_elsewhere(block, number) || (kind == block_kind::full && !is_bounded(block))) {
                is_all = false;
                return true;
            }
            m_pages.push_back({nullptr, row.place(), number});
            m_vectors += static_cast<std::uint64_t>(DatumGetInt32(row.column(block_entries)));
            return m_pages.size() < most;
        });
    });
    return is_all;
}

void clustering::find_pages(std::vector<pending_page>& pending) {
    auto is_not = [](const pending_page& one) { return !is_bounded(one.view()); };
    std::vector<pending_page> others;
    auto end = std::stable_partition(pending.begin(), pending.end(), is_not);
    others.assign(std::make_move_iterator(pending.begin()), std::make_move_iterator(end));
    pending.erase(pending.begin(), end);
    write(others);
    for (const pending_page& one : pending) {
        m_pages.push_back({&one.data, {}, one.number});
        m_vectors += one.entries;
    }
}

void clustering::write(std::vector<pending_page>& pending) {
    pg::guarded([&] {
        for (const pending_page& one : pending)
            insert(block_kind::full, one.number, one.entries, one.data.data(), one.data.size());
    });
    pending.clear();
}

template <typename Visit>
void clustering::read_page(store::page_reader& reader, std::size_t page, Visit visit) {
    if (const std::vector<std::uint8_t>* data = m_pages[page].data) return visit(block_view{data->data(), data->size()});
    pg::guarded([&] {
        HeapTupleData tuple;
        if (!reader.fetch(m_pages[page].place, tuple))
            elog(ERROR, "a page of the vector store is gone while its tenant is locked");
        Datum values[block_columns];
        m_table.take_apart(tuple, values);
        auto* data = reinterpret_cast<struct varlena*>(DatumGetPointer(values[block_data - 1]));
        visit(block_view{reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(data)),
                         static_cast<std::size_t>(VARSIZE_ANY_EXHDR(data))});
    });
}

std::vector<std::uint8_t> clustering::read_sample(std::size_t count) {
    block_builder sample{m_of.tables.by, m_of.dimensions};
    store::page_reader reader{m_table.heap(), SnapshotSelf};
    // As many of each page: vectors that came together are often alike.
    std::uint64_t seen = 0, taken = 0;
    for (std::size_t page = 0; page < m_pages.size(); ++page)
        read_page(reader, page, [&](const block_view& block) {
            for (std::size_t place = 0; place < block.count(); ++place, ++seen)
                if (seen * count / m_vectors >= taken && taken < count) {
                    sample.add(block, place);
                    ++taken;
                }
        });
    pg::guarded([&] { reader.close(); });
    return sample.pack();
}

void clustering::assign(const clusters& to, rehearsal* learner) {
    gone_set gone = read_gone();
    block_builder some{m_of.tables.by, m_of.dimensions};
    m_entries.clear();
    auto finish = [&] {
        if (some.is_empty()) return;
        std::size_t first = m_entries.size() - some.count();
        std::vector<std::uint8_t> bytes = some.pack();
        block_view block{bytes.data(), bytes.size()};
        std::vector<std::uint32_t> found = to.assign(block, look_for_interrupts);
        if (learner) learner->look_at(block, found);
        for (std::size_t i = 0; i < found.size(); ++i)
            m_entries[first + i].cluster = found[i];
        look_for_interrupts();
    };
    store::page_reader reader{m_table.heap(), SnapshotSelf};
    for (std::size_t page = 0; page < m_pages.size(); ++page) {
        read_page(reader, page, [&](const block_view& block) {
            for (std::size_t place = 0; place < block.count(); ++place) {
                // Under another number the dead would live on.
                if (is_dead(gone, block.id(place), m_pages[page].number)) continue;
                some.add(block, place);
                m_entries.push_back({0, static_cast<std::uint32_t>(page), static_cast<std::uint32_t>(place)});
            }
        });
        if (some.count() >= at_once) finish();
    }
    finish();
    pg::guarded([&] { reader.close(); });
}

void clustering::write_pages() {
    std::sort(m_entries.begin(), m_entries.end(), [](const entry& a, const entry& b) {
        return std::tie(a.cluster, a.page, a.place) < std::tie(b.cluster, b.page, b.place);
    });
    std::size_t capacity = page_capacity(m_of.tables.by, m_of.dimensions, m_tenant_size);
    std::size_t most_members = (data_capacity(m_tenant_size) - members_format::header) / members_format::entry;
    block_builder builder{m_of.tables.by, m_of.dimensions};
    std::vector<member> members;
    std::size_t first_of_row = 0;
    std::uint32_t vectors_of_row = 0;
    auto write_members = [&](bool is_end) {
        while (members.size() - first_of_row >= most_members || (is_end && first_of_row < members.size())) {
            std::size_t count = std::min(most_members, members.size() - first_of_row);
            std::vector<std::uint8_t> bytes = pack_members(members.data() + first_of_row, count, vectors_of_row);
            pg::guarded([&] { insert(block_kind::directory, number_of_members, count, bytes.data(), bytes.size()); });
            first_of_row += count;
            vectors_of_row = 0;
        }
    };
    store::page_reader reader{m_table.heap(), SnapshotSelf};
    for (std::size_t begin = 0; begin < m_entries.size(); begin += capacity) {
        std::size_t end = std::min(begin + capacity, m_entries.size());
        std::int64_t number = 0;
        for (std::size_t i = begin; i < end; ++i) {
            // The greatest number of what went in, as the packing of pages has it.
            number = std::max(number, m_pages[m_entries[i].page].number);
            read_page(reader, m_entries[i].page, [&](const block_view& block) { builder.add(block, m_entries[i].place); });
        }
        std::vector<std::uint8_t> bytes = builder.pack();
        ItemPointerData place =
            pg::guarded([&] { return insert(block_kind::clustered, number, end - begin, bytes.data(), bytes.size()); });
        for (std::size_t i = begin; i < end; ++i)
            if (i == begin || m_entries[i].cluster != m_entries[i - 1].cluster)
                members.push_back({m_entries[i].cluster, source_of(place, m_table.heap())});
        vectors_of_row += static_cast<std::uint32_t>(end - begin);
        write_members(false);
        look_for_interrupts();
    }
    write_members(true);
    pg::guarded([&] {
        reader.close();
        for (const page& each : m_pages)
            if (each.data == nullptr) remove(each.place);
    });
}

void clustering::write_centres(const clusters& made) {
    block_builder builder{m_of.tables.by, m_of.dimensions};
    std::size_t most = page_capacity(m_of.tables.by, m_of.dimensions, m_tenant_size);
    for (std::size_t number = 0; number < made.count(); ++number) {
        builder.add(id_of_cluster(static_cast<std::uint32_t>(number)), made.centre(number));
        if (builder.count() < most && number + 1 < made.count()) continue;
        std::size_t count = builder.count();
        std::vector<std::uint8_t> bytes = builder.pack();
        pg::guarded([&] { insert(block_kind::directory, number_of_centres, count, bytes.data(), bytes.size()); });
    }
}

void clustering::write_promise(const promise& learned) {
    std::vector<std::uint8_t> bytes = pack_promise(learned);
    pg::guarded([&] { insert(block_kind::directory, number_of_promise, 1, bytes.data(), bytes.size()); });
}

bool clustering::make(std::vector<pending_page>& pending) {
    if (!find_pages(block_kind::clustered)) return true;
    bool had_clusters = !m_pages.empty();
    if (!find_pages(block_kind::sketched)) return true;
    if (!sees_all(block_kind::sketch) || !sees_all(block_kind::directory)) return true;
    find_pages(block_kind::full);
    find_pages(pending);
    if (m_pages.empty()) return true;

    std::size_t count = clusters::usual_count(m_vectors);
    std::vector<std::uint8_t> sample = read_sample(clusters::usual_sample(count));
    block_view view{sample.data(), sample.size()};
    clusters made{view, count, look_for_interrupts};
    block_builder builder{m_of.tables.by, m_of.dimensions};
    for (std::size_t number = 0; number < made.count(); ++number)
        builder.add(id_of_cluster(static_cast<std::uint32_t>(number)), made.centre(number));
    std::vector<std::uint8_t> centres = builder.pack();

    rehearsal learner{m_of.tables.by, m_of.dimensions};
    std::size_t questions = std::min(rehearsal::usual_count, view.count());
    for (std::size_t i = 0; i < questions; ++i)
        learner.add(view, i * view.count() / questions);
    assign(made, &learner);
    promise learned = learner.learned({centres.data(), centres.size()},
                                      page_capacity(m_of.tables.by, m_of.dimensions, m_tenant_size));
    if (learned.clusters > 0) {
        remove_all(block_kind::directory);
        remove_all(block_kind::sketch);
        write_pages();
        pending.clear();
        write_centres(made);
        write_promise(learned);
        return true;
    }
    // Nothing to gain now. What was learned is kept, so as not to try again soon.
    remove_all(block_kind::directory);
    if (had_clusters) change_kind(block_kind::clustered, block_kind::full);
    write_promise(learned);
    return false;
}

void clustering::add(std::vector<pending_page>& pending) {
    std::vector<copied_row> rows;
    if (!read(block_kind::directory, rows)) return;
    std::vector<float> centres;
    for (const copied_row& row : rows) {
        if (part_of(row.data.data(), row.data.size()) != directory_part::centres) continue;
        block_view block = row.view();
        for (std::size_t place = 0; place < block.count(); ++place) {
            std::size_t at = cluster_of(block.id(place)) * m_of.dimensions;
            centres.resize(std::max(centres.size(), at + m_of.dimensions));
            values_of(block, place, centres.data() + at);
        }
    }
    if (pending.size() > most_added) {
        write(pending);
        // What a command writes, only the next may delete.
        pg::guarded([] { CommandCounterIncrement(); });
    }
    find_pages(block_kind::full, most_added - pending.size());
    find_pages(pending);
    if (centres.empty() || m_pages.empty()) return;
    assign({m_of.tables.by, m_of.dimensions, std::move(centres)}, nullptr);
    write_pages();
    pending.clear();
}

bool sketching::are_wanted(std::int64_t all, std::int64_t fresh) const {
    return all * static_cast<std::int64_t>(m_of.dimensions) > approximate_above() && fresh * new_part > all;
}

void sketching::make(std::vector<pending_page>& pending, std::size_t most_pages) {
    constexpr std::size_t at_once = 2000;
    // Pages that were written a moment ago may be deleted.
    pg::guarded([] { CommandCounterIncrement(); });
    sketch_builder sketches{m_of.tables.by, m_of.dimensions};
    std::size_t most = data_capacity(m_tenant_size);
    auto write = [&] {
        std::size_t entries = sketches.count();
        std::vector<std::uint8_t> bytes = sketches.pack();
        pg::guarded([&] { insert(block_kind::sketch, 0, entries, bytes.data(), bytes.size()); });
    };
    auto add = [&](const std::vector<std::uint8_t>& data, std::int64_t number) {
        block_view block{data.data(), data.size()};
        if (!sketches.is_empty() && sketches.size(block.count()) > most) write();
        ItemPointerData place =
            pg::guarded([&] { return insert(block_kind::sketched, number, block.count(), data.data(), data.size()); });
        sketches.add(block, source_of(place, m_table.heap()));
    };
    while (most_pages > 0) {
        std::vector<copied_row> pages;
        read(block_kind::full, pages, std::min(at_once, most_pages));
        if (pages.empty()) break;
        most_pages -= pages.size();
        for (const copied_row& page : pages) {
            pg::guarded([&] { remove(page.place); });
            add(page.data, page.number);
        }
    }
    for (const pending_page& page : pending)
        add(page.data, page.number);
    pending.clear();
    if (!sketches.is_empty()) write();
}

void reduce(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant, std::int64_t all,
            std::vector<pending_page>& pending) {
    // What this transaction wrote may be taken apart too.
    pg::guarded([] { CommandCounterIncrement(); });
    clustering clusters{table, of, store, tenant};
    promise learned;
    bool is_learned = clusters.read_promise(learned);
    if (!clusters.is_all_seen()) return;
    if (clusters.is_elsewhere()) {
        clusters.forget();
        is_learned = false;
        learned = {};
    }
    std::int64_t fresh = clusters.entries_of(block_kind::full);
    for (const pending_page& one : pending)
        fresh += static_cast<std::int64_t>(one.entries);
    bool has_clusters = learned.clusters > 0;
    if (!is_learned || all >= 2 * static_cast<std::int64_t>(learned.vectors))
        has_clusters = clusters.make(pending);
    else if (has_clusters && fresh * new_part > all)
        clusters.add(pending);
    if (has_clusters) return;
    sketching sketches{table, of, store, tenant};
    if (sketches.are_wanted(all, fresh)) sketches.make(pending);
}

namespace {

/// Whether a tenant may be large, with enough in pages of no cluster and no sketch: asked often, so by the index alone.
bool may_be_reduced(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant) {
    store::tenant_key key;
    key.set(tenant.data(), tenant.size());
    auto most_bytes = [&](block_kind kind) {
        std::int64_t rows = pg::guarded([&] { return table.most_rows(store, key.datum(), kind); });
        return rows * static_cast<std::int64_t>(page_capacity(of.tables.by, of.dimensions, tenant.size()) * of.dimensions);
    };
    std::int64_t fresh = most_bytes(block_kind::full);
    if (fresh * new_part <= approximate_above() / 2) return false;
    return fresh + most_bytes(block_kind::sketched) + most_bytes(block_kind::clustered) > approximate_above() / 2;
}

} // namespace

void reduce_some(block_table& table, const search::corpus& of, std::int32_t store, std::string_view tenant) {
    if (!may_be_reduced(table, of, store, tenant)) return;
    clustering clusters{table, of, store, tenant};
    promise learned;
    clusters.read_promise(learned);
    if (!clusters.is_all_seen() || clusters.is_elsewhere()) return;
    std::int64_t fresh = clusters.entries_of(block_kind::full);
    std::vector<pending_page> none;
    pg::guarded([] { CommandCounterIncrement(); });
    if (learned.clusters > 0) {
        if (fresh * new_part > static_cast<std::int64_t>(learned.vectors)) clusters.add(none);
        return;
    }
    sketching sketches{table, of, store, tenant};
    if (sketches.are_wanted(fresh + clusters.entries_of(block_kind::sketched), fresh)) sketches.make(none, most_added);
}

} // namespace tenancy::vectors
