#include "search/corpus.hpp"

#include "pg/arguments.hpp"
#include "pg/guard.hpp"
#include "search/planning.hpp"
#include "search/registry.hpp"
#include "search/spi.hpp"

extern "C" {
#include "nodes/plannodes.h"
#include "utils/plancache.h"
}

#include <unordered_map>

extern "C" {
#include "storage/lmgr.h"
#include "storage/sinval.h"
}

namespace tenancy::search {

namespace {

using corpus_map = std::unordered_map<std::string, std::shared_ptr<corpus>>;

corpus_map& known_corpora() {
    // Never destroyed: a corpus frees plans, which at the end of a process is too late.
    static auto& known = *new corpus_map;
    return known;
}

/// The relation whose invalidation says that the registry changed; found when the first corpus is read.
Oid registry_relation = InvalidOid;

// Callbacks run wherever PostgreSQL accepts invalidations, also in the middle of a search: they mark, and free nothing.

void relation_changed(Datum, Oid relation) {
    for (auto& [name, entry] : known_corpora())
        if (relation == InvalidOid || relation == registry_relation || relation == entry->chunks ||
            relation == entry->documents)
            entry->is_stale = true;
}

void schema_changed(Datum, int, uint32) {
    for (auto& [name, entry] : known_corpora())
        entry->is_stale = true;
}

void type_changed(Datum, int, uint32 hash) {
    for (auto& [name, entry] : known_corpora())
        if (hash == 0 || hash == entry->vector_type_hash) entry->is_stale = true;
}

std::string text_of(const layout& tables, statement wanted, filters given) {
    switch (wanted) {
    case statement::nearest:
        return nearest_statement(tables, given);
    case statement::distances:
        return distances_statement(tables, given);
    case statement::distances_by_join:
        return distances_statement(tables, given, lookup::join);
    case statement::distances_by_place:
        return distances_statement(tables, given, lookup::place);
    case statement::scored:
        return scored_statement(tables, given);
    case statement::scored_by_join:
        return scored_statement(tables, given, lookup::join);
    case statement::scored_by_place:
        return scored_statement(tables, given, lookup::place);
    case statement::words:
        return words_statement(tables, given);
    case statement::words_of:
        return words_of_statement(tables);
    case statement::visible:
        return visible_statement(tables);
    case statement::passing:
        return passing_statement(tables, given);
    case statement::rows:
        return rows_statement(tables);
    case statement::titles:
        return titles_statement(tables);
    case statement::titles_by_join:
        return titles_statement(tables, lookup::join);
    case statement::titles_by_place:
        return titles_statement(tables, lookup::place);
    case statement::document:
        break;
    }
    return document_statement(tables);
}

bool is_by_key(statement wanted) {
    switch (wanted) {
    case statement::distances:
    case statement::distances_by_join:
    case statement::distances_by_place:
    case statement::scored:
    case statement::scored_by_join:
    case statement::scored_by_place:
    case statement::words_of:
    case statement::passing:
    case statement::rows:
    case statement::titles:
    case statement::titles_by_join:
    case statement::titles_by_place:
        return true;
    default:
        return false;
    }
}

int parameter_types(statement wanted, Oid vector_type, Oid (&types)[4]) {
    auto set = [&](std::initializer_list<Oid> given) {
        std::copy(given.begin(), given.end(), types);
        return static_cast<int>(given.size());
    };
    switch (wanted) {
    case statement::nearest:
        return set({vector_type, INT8OID, JSONBOID, UUIDARRAYOID});
    case statement::distances:
    case statement::distances_by_join:
    case statement::scored:
    case statement::scored_by_join:
        return set({vector_type, UUIDARRAYOID, JSONBOID, UUIDARRAYOID});
    case statement::distances_by_place:
    case statement::scored_by_place:
        return set({vector_type, TIDARRAYOID, JSONBOID, UUIDARRAYOID});
    case statement::words:
        return set({REGCONFIGOID, JSONBOID, UUIDARRAYOID});
    case statement::words_of:
        return set({REGCONFIGOID, UUIDARRAYOID});
    case statement::visible:
        return 0;
    case statement::passing:
        return set({UUIDARRAYOID, JSONBOID, UUIDARRAYOID});
    case statement::rows:
    case statement::titles:
    case statement::titles_by_join:
        return set({UUIDARRAYOID});
    case statement::titles_by_place:
        return set({TIDARRAYOID});
    case statement::document:
        break;
    }
    return set({UUIDOID});
}

} // namespace

corpus::~corpus() {
    for (const made& one : m_plans)
        if (one.plan) {
            forget_preference(one.plan);
            SPI_freeplan(one.plan);
        }
}

SPIPlanPtr corpus::plan(statement wanted, filters given) {
    SPIPlanPtr& slot = of(wanted, given).plan;
    if (slot) return slot;

    Oid types[4];
    int count = parameter_types(wanted, vector_type, types);
    std::string text = text_of(tables, wanted, given);
    // A statement over all of a tenant is planned for each run: the right plan for a small tenant is not the right one for
    // a large one, and a generic plan would be whichever came first. Rows by their keys are found in one way only, and
    // planning that would take longer than doing it.
    int options = is_by_key(wanted) ? CURSOR_OPT_GENERIC_PLAN : CURSOR_OPT_CUSTOM_PLAN;
    slot = pg::guarded([&] {
        SPIPlanPtr prepared = SPI_prepare_cursor(text.c_str(), count, types, options);
        if (prepared == nullptr) elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
        SPI_keepplan(prepared);
        if (is_by_key(wanted)) prefer_indexes(prepared);
        return prepared;
    });
    return slot;
}

namespace {

std::shared_ptr<corpus> known_corpus(const std::string& name) {
    corpus_map& known = known_corpora();
    auto found = known.find(name);
    if (found != known.end()) {
        if (!found->second->is_stale) return found->second;
        known.erase(found);
    }

    // In the map before it is read: a change that comes while reading then marks it.
    auto entry = std::make_shared<corpus>();
    entry->name = name;
    known.emplace(name, entry);
    try {
        registry_relation = pg::guarded([] { return get_relname_relid("corpora", get_namespace_oid("tenancy", false)); });
        read_registration(*entry);
    } catch (...) {
        known.erase(name);
        throw;
    }
    return entry;
}

} // namespace

namespace {

CachedPlanSource* source_of(SPIPlanPtr plan) {
    return static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)));
}

/// Whether all that a plan does is an index scan that has the keys, an array, among its conditions.
bool scans_by_array(PlannedStmt* planned, statement wanted) {
    int parameter = wanted == statement::titles ? 1 : 2;
    if (!IsA(planned->planTree, IndexScan)) return false;
    ListCell* cell;
    foreach (cell, reinterpret_cast<IndexScan*>(planned->planTree)->indexqual) {
        if (!IsA(lfirst(cell), ScalarArrayOpExpr)) continue;
        auto* keys = static_cast<Param*>(lsecond(lfirst_node(ScalarArrayOpExpr, cell)->args));
        if (IsA(keys, Param) && keys->paramid == parameter) return true;
    }
    return false;
}

bool scans_by_place(PlannedStmt* planned, statement) { return IsA(planned->planTree, TidScan); }

statement behind(statement wanted, std::size_t by) {
    return static_cast<statement>(static_cast<std::size_t>(wanted) + by);
}

} // namespace

bool corpus::is_good(SPIPlanPtr plan, made& slot, bool (*judge)(PlannedStmt*, statement), statement wanted) {
    // Statistics that change, and indexes that come and go, make another plan.
    CachedPlanSource* source = source_of(plan);
    if (slot.judged != source->generation || source->gplan == nullptr || !source->gplan->is_valid) {
        pg::guarded([&] {
            CachedPlan* current = SPI_plan_get_cached_plan(plan);
            slot.is_good = current != nullptr && judge(linitial_node(PlannedStmt, current->stmt_list), wanted);
            if (current) ReleaseCachedPlan(current, CurrentResourceOwner);
        });
        slot.judged = source->generation;
    }
    return slot.is_good;
}

SPIPlanPtr corpus::plan_by_keys(statement wanted, filters given) {
    SPIPlanPtr by_array = plan(wanted, given);
    return is_good(by_array, of(wanted, given), scans_by_array, wanted) ? by_array : plan(behind(wanted, 1), given);
}

SPIPlanPtr corpus::plan_by_places(statement wanted, filters given) {
    if (!(wanted == statement::titles ? tables.documents_have_places : tables.chunks_have_places)) return nullptr;
    SPIPlanPtr by_place = plan(behind(wanted, 2), given);
    return is_good(by_place, of(behind(wanted, 2), given), scans_by_place, wanted) ? by_place : nullptr;
}

std::shared_ptr<corpus> open_corpus(const std::string& name) {
    for (;;) {
        uint64 messages = SharedInvalidMessageCounter;
        std::shared_ptr<corpus> entry = known_corpus(name);
        // The types of its columns stay what they are while it is used. Whoever waited here sees what changed meanwhile.
        pg::guarded([&] {
            CHECK_FOR_INTERRUPTS();
            LockRelationOid(entry->chunks, AccessShareLock);
            LockRelationOid(entry->documents, AccessShareLock);
        });
        // Without a message nobody has changed anything: a server that is built to forget its caches all the time
        // (debug_discard_caches) would have us begin again for ever.
        if (!entry->is_stale || messages == SharedInvalidMessageCounter) return entry;
    }
}

void register_corpus_invalidation() {
    CacheRegisterRelcacheCallback(relation_changed, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, schema_changed, 0);
    CacheRegisterSyscacheCallback(TYPEOID, type_changed, 0);
}

} // namespace tenancy::search

TENANCY_FUNCTION(tenancy_corpora_changed) {
    tenancy::pg::require_statement_trigger(fcinfo, "tenancy.corpora_changed()");
    CacheInvalidateRelcache(reinterpret_cast<TriggerData*>(fcinfo->context)->tg_relation);
    return PointerGetDatum(nullptr);
}
