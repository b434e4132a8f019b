#include "search/settings.hpp"

#include "pg/prelude.hpp"

namespace tenancy::search {

namespace {

double guc_bm25_k1 = bm25_parameters{}.k1;
double guc_bm25_b = bm25_parameters{}.b;
bool guc_use_stores = true;

} // namespace

bm25_parameters ranking_parameters() noexcept { return {guc_bm25_k1, guc_bm25_b}; }

bool uses_stores() noexcept { return guc_use_stores; }

void define_settings() {
    DefineCustomRealVariable("tenancy.bm25_k1", "How soon more of the same word stops raising a chunk in keyword search.",
                             "0 counts a word once, however often it stands.", &guc_bm25_k1, guc_bm25_k1, 0, 100,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomRealVariable("tenancy.bm25_b", "How much a long chunk is held against it in keyword search.",
                             "0 is not at all, 1 in full.", &guc_bm25_b, guc_bm25_b, 0, 1, PGC_USERSET, 0, nullptr, nullptr,
                             nullptr);
    DefineCustomBoolVariable("tenancy.use_stores", "Searches read the stores of corpora where they are built.",
                             "Off, they read the tables themselves; the results are the same.", &guc_use_stores, true,
                             PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

} // namespace tenancy::search
