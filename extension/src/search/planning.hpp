#pragma once

#include "pg/prelude.hpp"

extern "C" {
#include "executor/spi.h"
}

namespace tenancy::search {

/// Have a kept plan find rows by their keys whenever it is planned: now, for a run, or again after something changed. Such a
/// plan is made once and kept, and what it was made for may have been an empty table. Calls PostgreSQL.
void prefer_indexes(SPIPlanPtr plan);

/// Before the plan is freed.
void forget_preference(SPIPlanPtr plan);

/// Look at what the planner is given; called once from _PG_init.
void watch_planning();

} // namespace tenancy::search
