#include "search/large_tenant.hpp"

#include "vectors/pure/scan.hpp"
#include "vectors/pure/sketch.hpp"
#include "vectors/sketches.hpp"

namespace tenancy::search {

bool look_at_part(vectors::block_table& table, std::int32_t store, const store::tenant_key& tenant,
                  const vectors::query& asked, std::int64_t count, vectors::collector& found, partial_look& look) {
    Snapshot snapshot = GetActiveSnapshot();
    vectors::shortlist near{count};
    table.read_tenant(snapshot, store, tenant.datum(), vectors::block_kind::sketch, vectors::block_kind::sketch,
                      [&](vectors::block_kind, const std::uint8_t* bytes, std::size_t size) {
                          vectors::sketch_view sketch{bytes, size};
                          vectors::scan(asked, sketch, near);
                          ++look.blocks;
                          look.codes += static_cast<std::int64_t>(sketch.count());
                          CHECK_FOR_INTERRUPTS();
                          return true;
                      });
    if (look.codes * static_cast<std::int64_t>(asked.dimensions()) <= vectors::sketch_above() / 2) return false;

    near.end_scan();
    store::page_reader pages{table.heap(), snapshot};
    vectors::shortlist::entry next;
    while (near.next(found.cut(), next)) {
        // A page that was packed anew since is elsewhere, and was read as one without a sketch.
        HeapTupleData tuple;
        if (!pages.fetch(vectors::place_of(next.source), tuple)) continue;
        Datum values[vectors::block_columns];
        table.take_apart(tuple, values);
        auto* data = reinterpret_cast<struct varlena*>(DatumGetPointer(values[vectors::block_data - 1]));
        auto* whose = reinterpret_cast<struct varlena*>(DatumGetPointer(values[vectors::block_tenant - 1]));
        std::string_view key{VARDATA_ANY(whose), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(whose))};
        bool is_ours = DatumGetInt32(values[vectors::block_store - 1]) == store && key == tenant.bytes() &&
                       static_cast<vectors::block_kind>(DatumGetInt16(values[vectors::block_of_kind - 1])) ==
                           vectors::block_kind::sketched;
        if (!is_ours) continue;
        vectors::block_view block{reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(data)),
                                  static_cast<std::size_t>(VARSIZE_ANY_EXHDR(data))};
        if (next.place < block.count()) vectors::scan_one(asked, block, next.place, next.source, found);
        CHECK_FOR_INTERRUPTS();
    }
    pages.close();
    look.has_left_out = near.has_left_out();
    look.tier = "sketches";
    look.expected_recall = near.expected_recall();
    return true;
}

} // namespace tenancy::search
