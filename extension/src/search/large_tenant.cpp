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

bool large_tenant::look_at_clusters(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant,
                                    vectors::collector& found) {
    vectors::promise learned;
    std::size_t kind = vectors::promise::kinds;
    std::int64_t blocks = 0, codes = 0;
    auto visit = [&](vectors::block_kind, const std::uint8_t* bytes, std::size_t size, std::ptrdiff_t) {
        ++blocks;
        switch (vectors::part_of(bytes, size)) {
        case vectors::directory_part::promise:
            learned = vectors::unpack_promise(bytes, size);
            kind = learned.kind_for(m_count);
            return kind < vectors::promise::kinds;
        case vectors::directory_part::members:
            codes += vectors::unpack_members(bytes, size, m_members);
            return true;
        case vectors::directory_part::centres:
            break;
        }
        vectors::block_view block{bytes, size};
        m_keys.resize(block.count());
        m_upper.resize(block.count());
        vectors::compare(m_asked, block, 0, block.count(), m_keys.data(), m_upper.data());
        for (std::size_t i = 0; i < block.count(); ++i)
            m_centres.push_back({m_keys[i], vectors::cluster_of(block.id(i))});
        return true;
    };
    table.read_tenant(GetActiveSnapshot(), store, tenant.datum(), vectors::block_kind::directory,
                      vectors::block_kind::directory, visit);
    if (kind == vectors::promise::kinds || !is_large(codes)) return false;
    std::uint32_t probes = learned.probes[kind];
    if (probes >= m_centres.size()) return false;
    for (const vectors::member& one : m_members)
        if (!vectors::is_of_file(one.source, table.heap())) return false;

    std::nth_element(m_centres.begin(), m_centres.begin() + probes, m_centres.end(),
                     [](const centre& a, const centre& b) { return a.key > b.key; });
    m_is_near.assign(learned.clusters, false);
    for (std::uint32_t i = 0; i < probes; ++i)
        if (m_centres[i].number < learned.clusters) m_is_near[m_centres[i].number] = true;
    known_pages pages{table, store, tenant, vectors::block_kind::clustered};
    auto read = [&](bool near) {
        m_sources.clear();
        for (const vectors::member& one : m_members)
            if ((one.cluster < learned.clusters && m_is_near[one.cluster]) == near) m_sources.push_back(one.source);
        // One page may have some of the clusters; in the order of places, it is read once.
        std::sort(m_sources.begin(), m_sources.end());
        m_sources.erase(std::unique(m_sources.begin(), m_sources.end()), m_sources.end());
        for (std::uint64_t source : m_sources) {
            if (!near && std::binary_search(m_read.begin(), m_read.end(), source)) continue;
            pages.read(source, [&](const vectors::block_view& block) { vectors::scan(m_asked, block, source, found); });
            ++blocks;
            CHECK_FOR_INTERRUPTS();
        }
    };
    read(true);
    if (vectors::stands_out(m_asked, found.likely_last(), m_centres[probes].key) >= learned.stands_out[kind]) {
        use("clusters", blocks, codes, true, learned.recall[kind]);
    } else {
        // Every page of a cluster is named in the directory.
        m_read.swap(m_sources);
        read(false);
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
