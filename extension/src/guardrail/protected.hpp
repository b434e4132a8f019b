#pragma once

#include "pg/prelude.hpp"

extern "C" {
#include "utils/rls.h"
}

/// What DDL, LOCK and EXPLAIN ask about a table before they may go on.
namespace tenancy::guardrail {

/// Whether the rows of a table belong to tenants, by a column or by a path. False in a database without the extension.
bool is_protected(Oid relation);

/// Whether policies stand between a role and a table's rows now.
inline bool policies_hold(Oid relation, Oid role) { return check_enable_rls(relation, role, true) == RLS_ENABLED; }

/// Whether a role may name the tenant itself: by set_tenant(), enter() or the setting. Trust `credential` may not.
bool names_tenants(Oid role);

/// Install the hooks of this room, and define its settings; called once from _PG_init.
void watch_foreign_keys();
void watch_estimates();
void watch_materialized_views();
void watch_locks();

/// ALTER TABLE begins, or has ended.
void expect_detaching(Node* statement);
void expect_nothing();

} // namespace tenancy::guardrail
