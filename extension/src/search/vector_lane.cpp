#include "search/vector_lane.hpp"

#include "search/keys.hpp"
#include "search/large_tenant.hpp"
#include "search/look_up.hpp"
#include "search/settings.hpp"
#include "store/state.hpp"
#include "store/statements.hpp"
#include "store/toasted.hpp"
#include "vectors/blocks.hpp"
#include "vectors/pure/half.hpp"
#include "vectors/pure/scan.hpp"
#include "vectors/approximate.hpp"

extern "C" {
#include "access/detoast.h"
}

namespace tenancy::search {

namespace {

/// Chunks of so few documents are fewer than the candidates that a scan would have to go through to meet them.
constexpr int most_documents_by_rows = 64;

/// Rows fetched by key beyond which reading all rows takes less time, at least and as a part of the codes.
constexpr std::int64_t least_fetched = 2048, fetched_part = 8;

/// More rows than this are rather fetched a second time than kept.
constexpr std::int64_t most_kept = 1000;

constexpr std::size_t most_at_once = 256;

/// A row (id, distance) as a ranking has it.
ranked read(Datum id, Datum distance, metric by) noexcept {
    double raw = DatumGetFloat8(distance);
    return {uuid_of(id), similarity(by, std::isnan(raw) ? distance_of_nothing(by) : raw)};
}

/// What pgvector compares the chunks with.
std::vector<float> values_of(Datum embedding, const corpus& of) {
    std::vector<float> values(of.dimensions);
    // A vector's elements follow its header of eight bytes, whatever its corpus holds.
    auto* elements = reinterpret_cast<const float*>(DatumGetPointer(embedding) + 8);
    for (std::size_t i = 0; i < of.dimensions; ++i)
        values[i] = of.tables.is_half ? vectors::float_of_half(vectors::half_of_float(elements[i])) : elements[i];
    return values;
}

int documents_in(Datum ids) {
    ArrayType* array = DatumGetArrayTypeP(ids);
    return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

} // namespace

std::vector<ranked> vector_lane::best(std::int64_t count) {
    m_report = {};
    std::vector<ranked> best;
    if (count > most_kept) m_kept = nullptr;
    if (best_of_store(count, best)) return best;
    m_kept = nullptr;
    m_report.tier = "rows";
    return best_of_rows(count);
}

std::vector<ranked> vector_lane::best_of_rows(std::int64_t count) {
    parameters given;
    given.set(0, m_embedding);
    given.set(1, Int64GetDatum(count));
    if (m_asked.given.metadata) given.set(2, m_asked.filter);
    if (m_asked.given.documents) given.set(3, m_asked.document_ids);

    std::vector<ranked> found;
    metric by = m_asked.of.tables.by;
    for_each_row(m_asked.of.plan(statement::nearest, m_asked.given), given,
                 [&](HeapTuple tuple, TupleDesc descriptor) {
                     bool is_null;
                     Datum id = SPI_getbinval(tuple, descriptor, 1, &is_null);
                     found.push_back(read(id, SPI_getbinval(tuple, descriptor, 2, &is_null), by));
                 });
    return found;
}

/// pgvector's function for two embeddings, called as the caller.
void vector_lane::prepare_distance() {
    if (m_asked.of.tables.is_half || OidIsValid(m_distance.fn_oid)) return;
    Oid function = m_asked.of.distance_function;
    pg::guarded([&] {
        if (!pg::may_execute(function)) aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
        fmgr_info(function, &m_distance);
    });
}

Datum vector_lane::distance_of(Datum embedding) {
    return FunctionCall2Coll(&m_distance, InvalidOid, embedding, m_embedding);
}

/// Fetch and score those of the chunks that the caller sees and that pass the filters; keep their rows where that is wanted.
///
/// @param count  most_at_once at most
/// @param scored room for as many
/// @returns      how many there were
std::size_t vector_lane::read_scores(const uuid* keys, std::size_t count, bool keeps, ranked* scored) {
    parameters given;
    given.set(0, m_embedding);
    if (m_asked.given.metadata) given.set(2, m_asked.filter);
    if (m_asked.given.documents) given.set(3, m_asked.document_ids);
    metric by = m_asked.of.tables.by;
    bool is_half = m_asked.of.tables.is_half;
    prepare_distance();
    std::size_t first_kept = 0;
    if (keeps) {
        first_kept = m_kept->count();
        m_kept->make_room(count);
    }

    // Embeddings that lie outside of their rows are read together, when the statement has ended.
    char pointers[most_at_once][TOAST_POINTER_SIZE];
    Datum outside[most_at_once];
    std::size_t of_row[most_at_once], rows = 0, toasted = 0;
    const row_lookup scorable{m_asked.of, keeps ? statement::scored : statement::distances, m_asked.of.chunks, 4, 1,
                              keeps ? 6 : 2, m_asked.given};
    look_up(scorable, given, keys, count, [&](TupleTableSlot* slot) {
        // Were an id there twice, the second would be no other row to the answer.
        if (rows == count) return;
        Datum id = slot->tts_values[0], scored_by = slot->tts_values[1];
        if (is_half) {
            scored[rows] = read(id, scored_by, by);
        } else if (store::is_toasted(scored_by)) {
            scored[rows].key = uuid_of(id);
            std::memcpy(pointers[toasted], DatumGetPointer(scored_by), TOAST_POINTER_SIZE);
            outside[toasted] = PointerGetDatum(pointers[toasted]);
            of_row[toasted++] = rows;
        } else {
            scored[rows] = read(id, distance_of(scored_by), by);
        }
        if (keeps) m_kept->keep(slot);
        ++rows;
    });
    pg::guarded([&] {
        constexpr std::size_t together = 32;
        for (std::size_t begin = 0; begin < toasted; begin += together) {
            std::size_t end = std::min(toasted, begin + together);
            store::read_toasted(outside + begin, end - begin);
            for (std::size_t i = begin; i < end; ++i) {
                ranked& row = scored[of_row[i]];
                row = read(UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(row.key.bytes)), distance_of(outside[i]), by);
                pfree(DatumGetPointer(outside[i]));
            }
        }
    });
    if (keeps) m_kept->rank(first_kept, scored);
    return rows;
}

/// @returns false when the rows must be read instead
bool vector_lane::best_of_store(std::int64_t count, std::vector<ranked>& best) {
    corpus& of = m_asked.of;
    auto refuse = [&](const char* why) {
        m_report.why_rows = why;
        return false;
    };
    if (of.dimensions > vectors::most_dimensions) return refuse("more dimensions than the store holds");
    if (!of.has_exact_tenants) return refuse("the tenant column has a nondeterministic collation");
    if (!uses_stores()) return refuse("tenancy.use_stores is off");
    store::state state = store::state_of(of.name, "vectors");
    if (state.is != store::phase::built) return refuse("the store is not built");
    if (!store::is_readable(state, GetActiveSnapshot())) return refuse("the store is newer than this transaction");
    if (store::is_statement_open(of.name, "vectors")) return refuse("a statement that changes the chunks is running");
    if (m_asked.given.documents &&
        pg::guarded([&] { return documents_in(m_asked.document_ids); }) <= most_documents_by_rows)
        return refuse("few documents are asked for");
    std::vector<float> values = values_of(m_embedding, of);
    vectors::query asked{of.tables.by, values.data(), of.dimensions};
    if (!asked.is_bounded()) return refuse("the query is too large or too small for bounds");

    store::tenant_key tenant;
    if (!pg::guarded([&] { return store::read_current_tenant(of.tenant_type, tenant); })) return true;

    vectors::collector found{asked, count, asked.key_of(m_asked.least)};
    if (m_asked.given.metadata || m_asked.given.documents) found.expect_misses();
    bool is_frozen = false;
    m_report.tier = "codes";
    m_report.kernel = vectors::name_of(asked.uses());
    std::int64_t codes = 0;
    bool may_leave_out = vectors::approximate_above() >= 0, has_left_out = false;
    auto scan_block = [&](vectors::block_kind kind, const std::uint8_t* bytes, std::size_t size, std::ptrdiff_t ahead) {
        if (!vectors::has_codes(kind)) return true;
        vectors::block_view block{bytes, size};
        vectors::scan(asked, block, 0, found, ahead);
        ++m_report.blocks;
        codes += static_cast<std::int64_t>(block.count());
        CHECK_FOR_INTERRUPTS();
        return true;
    };
    // Most tenants have nothing behind their loose codes, which shows without asking for it.
    bool is_more = false;
    auto scan_first = [&](vectors::block_kind kind, const std::uint8_t* bytes, std::size_t size, std::ptrdiff_t ahead) {
        is_frozen = kind == vectors::block_kind::frozen;
        is_more = kind > vectors::block_kind::loose;
        return !is_frozen && !is_more && scan_block(kind, bytes, size, ahead);
    };
    do {
        codes = 0;
        large_tenant part{asked, count};
        pg::guarded([&] {
            using vectors::block_kind;
            Snapshot snapshot = GetActiveSnapshot();
            vectors::block_table table{AccessShareLock};
            auto read = [&](block_kind first, block_kind last, auto visit) {
                table.read_tenant(snapshot, state.number, tenant.datum(), first, last, visit);
            };
            is_more = false;
            table.read_tenant(snapshot, state.number, tenant.datum(), scan_first);
            bool is_large = false;
            if (is_more)
                read(block_kind::directory, block_kind::sketched,
                     [&](block_kind kind, const std::uint8_t* bytes, std::size_t size, std::ptrdiff_t ahead) {
                         is_large = may_leave_out && !vectors::has_codes(kind);
                         return !is_large && scan_block(kind, bytes, size, ahead);
                     });
            if (is_large) {
                if (!part.look_at_clusters(table, state.number, tenant, found))
                    read(block_kind::clustered, block_kind::clustered, scan_block);
                if (!part.look_at_sketches(table, state.number, tenant, found))
                    read(block_kind::sketched, block_kind::sketched, scan_block);
            }
            table.close();
        });
        // When what was left out is wanted after all, everything is read.
        may_leave_out = false;
        if (is_frozen) return refuse("the tenant is frozen");
        codes += part.codes();
        m_report.codes = codes;
        m_report.blocks += part.blocks();
        if (part.tier() != nullptr) {
            m_report.tier = part.tier();
            m_report.expected_recall = part.expected_recall();
        }
        has_left_out = part.has_left_out();
        found.end_scan(has_left_out);

        std::int64_t most_fetched = std::max(least_fetched, codes / fetched_part);
        if (count > most_fetched && codes > most_fetched) return refuse("a large part of the chunks is asked for");
        vectors::candidate batch[most_at_once];
        // Each time costs as much as some rows, so the first is meant to be enough; what proves it comes in small steps.
        std::size_t wanted = std::clamp<std::size_t>(found.likely_to_be_taken(), 1, most_at_once);
        while (std::size_t taken = found.take(batch, wanted)) {
            fetch(batch, taken, found);
            if (static_cast<std::int64_t>(found.statistics().taken) > most_fetched + count)
                return refuse("few of the nearest chunks pass");
            auto scored = static_cast<std::int64_t>(found.statistics().scored);
            wanted = scored < count ? std::min<std::size_t>(most_at_once, wanted * 2) : 16;
        }
    } while (!found.is_complete());

    // Without a row to read nobody has asked whether the caller may read the table.
    if (found.statistics().taken == 0) fetch(nullptr, 0, found);

    m_report.is_exact = !has_left_out;
    m_report.candidates = static_cast<std::int64_t>(found.statistics().offered);
    m_report.fetched = static_cast<std::int64_t>(found.statistics().taken);
    m_report.scored = static_cast<std::int64_t>(found.statistics().scored);
    m_report.widened = static_cast<std::int64_t>(found.statistics().scans) - 1;
    best = found.result();
    return true;
}

void vector_lane::fetch(const vectors::candidate* batch, std::size_t count, vectors::collector& found) {
    uuid keys[most_at_once];
    ranked scored[most_at_once];
    for (std::size_t i = 0; i < count; ++i)
        keys[i] = batch[i].id;
    std::size_t rows = read_scores(keys, count, m_kept != nullptr, scored);
    for (std::size_t i = 0; i < rows; ++i)
        found.score(scored[i].key, scored[i].score);
    const ranked* last = found.last_of_best();
    if (m_kept && last && m_kept->count() > 2 * most_at_once) m_kept->forget_behind(*last);
}

std::vector<finding> vector_lane::scores_of(const std::vector<uuid>& keys) {
    std::vector<finding> findings(keys.size());
    key_index places{keys};
    for (std::size_t begin = 0; begin < keys.size(); begin += most_at_once) {
        ranked scored[most_at_once];
        std::size_t rows = read_scores(keys.data() + begin, std::min(most_at_once, keys.size() - begin), false, scored);
        for (std::size_t i = 0; i < rows; ++i)
            findings[places.at(scored[i].key)] = {finding::kind::scored, scored[i].score};
    }
    return findings;
}

} // namespace tenancy::search
