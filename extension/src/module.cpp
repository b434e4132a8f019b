#include "audit/denials.hpp"
#include "context/enter.hpp"
#include "context/settings.hpp"
#include "context/verdict.hpp"
#include "credentials/credentials.hpp"
#include "credentials/tries.hpp"
#include "guardrail/protected.hpp"
#include "metering/applied.hpp"
#include "metering/rate.hpp"
#include "metering/rows.hpp"
#include "migrate/trial.hpp"
#include "pg/guard.hpp"
#include "pg/prelude.hpp"
#include "pure/interrupts.hpp"
#include "search/corpus.hpp"
#include "search/planning.hpp"
#include "search/settings.hpp"
#include "store/state.hpp"
#include "store/statements.hpp"
#include "vectors/approximate.hpp"

namespace {

/// What loops of pure code call: they hold C++ objects, so what PostgreSQL raises must become an exception.
void check_for_interrupts() {
    if (unlikely(INTERRUPTS_PENDING_CONDITION())) tenancy::pg::guarded([] { CHECK_FOR_INTERRUPTS(); });
}

} // namespace

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void) {
    tenancy::set_interrupt_check(check_for_interrupts);
    tenancy::context::define_settings();
    tenancy::context::register_invalidation();
    tenancy::context::watch_holdable_cursors();
    tenancy::guardrail::watch_foreign_keys();
    tenancy::guardrail::watch_estimates();
    tenancy::guardrail::watch_materialized_views();
    tenancy::guardrail::watch_locks();
    tenancy::search::register_corpus_invalidation();
    tenancy::search::define_settings();
    tenancy::search::watch_planning();
    tenancy::store::register_store_invalidation();
    tenancy::store::register_statement_callbacks();
    tenancy::credentials::define_settings();
    tenancy::credentials::request_shared_tries();
    tenancy::audit::register_workers();
    tenancy::metering::request_rates();
    tenancy::metering::watch_drops();
    tenancy::metering::watch_applied();
    tenancy::migrate::request_tallies();
    tenancy::vectors::define_settings();
    MarkGUCPrefixReserved("tenancy");
}
}
