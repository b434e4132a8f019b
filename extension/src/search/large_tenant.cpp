#include "search/large_tenant.hpp"

#include "vectors/approximate.hpp"
#include "vectors/pure/directory.hpp"
#include "vectors/pure/scan.hpp"
#include "vectors/pure/sketch.hpp"

namespace tenancy::search {

namespace {

/// Pages of one kind that a tenant has where something else says they are.
class known_pages {
public:
    known_pages(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant, vectors::block_kind kind)
        : m_table{table}, m_store{store}, m_tenant{tenant}, m_kind{kind}, m_reader{table.heap(), GetActiveSnapshot()} {}

    /// Call visit(const block_view&), unless the page was packed anew since: then it is elsewhere, and read as one of which
    /// nothing is known.
    template <typename Visit>
    void read(std::uint64_t source, Visit visit) {
        HeapTupleData tuple;
        if (!m_reader.fetch(vectors::place_of(source), tuple)) return;
        Datum values[vectors::block_columns];
        m_table.take_apart(tuple, values);
        auto* data = reinterpret_cast<struct varlena*>(DatumGetPointer(values[vectors::block_data - 1]));
        auto* whose = reinterpret_cast<struct varlena*>(DatumGetPointer(values[vectors::block_tenant - 1]));
        std::string_view key{VARDATA_ANY(whose), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(whose))};
        bool is_ours =
            DatumGetInt32(values[vectors::block_store - 1]) == m_store && key == m_tenant.bytes() &&
            static_cast<vectors::block_kind>(DatumGetInt16(values[vectors::block_of_kind - 1])) == m_kind;
        if (!is_ours) return;
        visit(vectors::block_view{reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(data)),
                                  static_cast<std::size_t>(VARSIZE_ANY_EXHDR(data))});
    }

    /// Have a page on its way that is read soon.
    void expect(std::uint64_t source) const { m_reader.expect(vectors::place_of(source)); }
    /// How far behind the page that is read it lies in memory.
    std::ptrdiff_t to(std::uint64_t source) const { return m_reader.to(vectors::place_of(source)); }

    void close() { m_reader.close(); }

private:
    vectors::block_table& m_table;
    std::int32_t m_store;
    const store::tenant_key& m_tenant;
    vectors::block_kind m_kind;
    store::page_reader m_reader;
};

} // namespace

bool large_tenant::is_large(std::int64_t codes) const noexcept {
    return codes * static_cast<std::int64_t>(m_asked.dimensions()) > vectors::approximate_above() / 2;
}

void large_tenant::use(const char* tier, std::int64_t blocks, std::int64_t codes, bool left_out, double recall) noexcept {
    m_tier = tier;
    m_blocks += blocks;
    m_codes += codes;
    m_left_out = m_left_out || left_out;
    m_recall = std::min(m_recall, recall);
}

/// Keep the nearest of the centres, one more than clusters are to be read. Once there are as many, few others come in.
void large_tenant::keep_nearest(const vectors::block_view& centres, std::size_t probes, std::ptrdiff_t ahead) {
    auto is_nearer = [](const centre& a, const centre& b) { return a.key > b.key; };
    m_keys.resize(centres.count());
    vectors::compare_centres(m_asked, centres, m_keys.data(), ahead);
    for (std::size_t i = 0; i < centres.count(); ++i) {
        if (m_nearest.size() > probes) {
            if (!(m_keys[i] > m_nearest.front().key)) continue;
            std::pop_heap(m_nearest.begin(), m_nearest.end(), is_nearer);
            m_nearest.pop_back();
        }
        m_nearest.push_back({m_keys[i], vectors::cluster_of(centres.id(i))});
        std::push_heap(m_nearest.begin(), m_nearest.end(), is_nearer);
    }
}

bool large_tenant::look_at_clusters(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant,
                                    vectors::collector& found) {
    vectors::promise learned;
    std::size_t kind = vectors::promise::kinds;
    std::int64_t blocks = 0, codes = 0;
    std::size_t probes = 0, centres = 0;
    bool is_readable = false;
    // The promise comes first, then the centres, and then what has the members.
    auto visit = [&](vectors::block_kind, const std::uint8_t* bytes, std::size_t size, std::ptrdiff_t ahead) {
        ++blocks;
        switch (vectors::part_of(bytes, size)) {
        case vectors::directory_part::promise:
            learned = vectors::unpack_promise(bytes, size);
            kind = learned.kind_for(m_count);
            if (kind < vectors::promise::kinds) probes = learned.probes[kind];
            return kind < vectors::promise::kinds;
        case vectors::directory_part::centres: {
            vectors::block_view block{bytes, size};
            keep_nearest(block, probes, ahead);
            centres += block.count();
            return true;
        }
        case vectors::directory_part::members:
            break;
        }
        vectors::members_view members{bytes, size};
        if (m_clusters.empty()) {
            for (std::size_t i = 1; i < m_nearest.size(); ++i)
                m_clusters.push_back(m_nearest[i].number);
            std::sort(m_clusters.begin(), m_clusters.end());
        }
        members.find(m_clusters, m_sources);
        codes += members.vectors();
        // What was written at once is of one file.
        is_readable = kind < vectors::promise::kinds && centres == learned.clusters && m_clusters.size() == probes &&
                      members.count() > 0 && vectors::is_of_file(members[0].source, table.heap());
        return is_readable;
    };
    auto read_directory = [&](auto to) {
        table.read_tenant(GetActiveSnapshot(), store, tenant.datum(), vectors::block_kind::directory,
                          vectors::block_kind::directory, to);
    };
    m_nearest.clear();
    m_clusters.clear();
    m_sources.clear();
    read_directory(visit);
    if (!is_readable || !is_large(codes)) return false;

    known_pages pages{table, store, tenant, vectors::block_kind::clustered};
    auto read_pages = [&] {
        // One page may have some of the clusters; in the order of places, it is read once.
        std::sort(m_sources.begin(), m_sources.end());
        m_sources.erase(std::unique(m_sources.begin(), m_sources.end()), m_sources.end());
        for (std::size_t i = 0; i < m_sources.size(); ++i) {
            std::uint64_t source = m_sources[i];
            if (i + 2 < m_sources.size()) pages.expect(m_sources[i + 2]);
            if (std::binary_search(m_read.begin(), m_read.end(), source)) continue;
            pages.read(source, [&](const vectors::block_view& block) {
                std::ptrdiff_t ahead = i + 1 < m_sources.size() ? pages.to(m_sources[i + 1]) : 0;
                vectors::scan(m_asked, block, source, found, ahead);
            });
            ++blocks;
            CHECK_FOR_INTERRUPTS();
        }
    };
    m_read.clear();
    read_pages();
    if (vectors::stands_out(m_asked, found.likely_last(), m_nearest.front().key) >= learned.stands_out[kind]) {
        use("clusters", blocks, codes, true, learned.recall[kind]);
    } else {
        // Every page of a cluster is named in the directory.
        m_read.swap(m_sources);
        m_sources.clear();
        read_directory([&](vectors::block_kind, const std::uint8_t* bytes, std::size_t size, std::ptrdiff_t) {
            if (vectors::part_of(bytes, size) != vectors::directory_part::members) return true;
            vectors::members_view members{bytes, size};
            for (std::size_t i = 0; i < members.count(); ++i)
                m_sources.push_back(members[i].source);
            return true;
        });
        read_pages();
        m_blocks += blocks;
        m_codes += codes;
    }
    pages.close();
    return true;
}

bool large_tenant::look_at_sketches(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant,
                                    vectors::collector& found) {
    std::int64_t blocks = 0, codes = 0;
    bool is_of_file = true;
    table.read_tenant(GetActiveSnapshot(), store, tenant.datum(), vectors::block_kind::sketch, vectors::block_kind::sketch,
                      [&](vectors::block_kind, const std::uint8_t* bytes, std::size_t size, std::ptrdiff_t) {
                          vectors::sketch_view sketch{bytes, size};
                          for (std::size_t i = 0; i < sketch.sources(); ++i)
                              is_of_file = is_of_file && vectors::is_of_file(sketch.source(i), table.heap());
                          if (!is_of_file) return false;
                          vectors::scan(m_asked, sketch, m_near);
                          ++blocks;
                          codes += static_cast<std::int64_t>(sketch.count());
                          CHECK_FOR_INTERRUPTS();
                          return true;
                      });
    if (!is_of_file || !is_large(codes)) return false;

    m_near.end_scan();
    known_pages pages{table, store, tenant, vectors::block_kind::sketched};
    vectors::shortlist::entry next;
    while (m_near.next(found.cut(), next)) {
        pages.read(next.source, [&](const vectors::block_view& block) {
            if (next.place < block.count()) vectors::scan_one(m_asked, block, next.place, next.source, found);
        });
        CHECK_FOR_INTERRUPTS();
    }
    pages.close();
    use("sketches", blocks, codes, m_near.has_left_out(), m_near.expected_recall());
    return true;
}

} // namespace tenancy::search
