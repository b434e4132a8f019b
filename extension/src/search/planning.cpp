// The planner's switches are off for our own statements alone, while they are planned. What runs inside of a search (policies
// and functions of the application) is planned as anywhere: PL/pgSQL keeps a plan for the session.

#include "search/planning.hpp"

#include "pg/guard.hpp"

#include <unordered_set>

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/planner.h"
#include "utils/plancache.h"
}

namespace tenancy::search {

namespace {

struct switches {
    bool seqscan, hashjoin, mergejoin, material, bitmapscan;
};

constexpr switches by_index{false, false, false, false, false};

planner_hook_type next_planner = nullptr;

/// While a statement of ours is planned; what the switches are for everybody else then.
bool is_planning_ours = false;
switches outside;

/// Our statements by where their text lies, which no caller can imitate. Never destroyed.
std::unordered_set<const char*>& preferring() {
    static auto& texts = *new std::unordered_set<const char*>;
    return texts;
}

const char* text_of(SPIPlanPtr plan) {
    return static_cast<CachedPlanSource*>(linitial(SPI_plan_get_plan_sources(plan)))->query_string;
}

switches current() noexcept {
    return {enable_seqscan, enable_hashjoin, enable_mergejoin, enable_material, enable_bitmapscan};
}

void set(const switches& to) noexcept {
    enable_seqscan = to.seqscan;
    enable_hashjoin = to.hashjoin;
    enable_mergejoin = to.mergejoin;
    enable_material = to.material;
    enable_bitmapscan = to.bitmapscan;
}

void begin_ours() noexcept {
    outside = current();
    set(by_index);
    is_planning_ours = true;
}

void end_ours() noexcept {
    set(outside);
    is_planning_ours = false;
}

PlannedStmt* plan(Query* query, const char* text, int options, ParamListInfo parameters) {
    auto* next = next_planner ? next_planner : standard_planner;
    bool is_ours = preferring().count(text) > 0;
    if (is_ours == is_planning_ours) return next(query, text, options, parameters);

    // Functions whose result the planner wants to know run while it plans, and have statements of their own planned.
    PlannedStmt* made = nullptr;
    is_ours ? begin_ours() : end_ours();
    PG_TRY();
    {
        made = next(query, text, options, parameters);
    }
    PG_FINALLY();
    {
        is_ours ? end_ours() : begin_ours();
    }
    PG_END_TRY();
    return made;
}

} // namespace

void prefer_indexes(SPIPlanPtr plan) { preferring().insert(text_of(plan)); }

void forget_preference(SPIPlanPtr plan) { preferring().erase(text_of(plan)); }

void watch_planning() {
    next_planner = planner_hook;
    planner_hook = plan;
}

} // namespace tenancy::search
