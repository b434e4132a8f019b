#include "vectors/sketches.hpp"

namespace tenancy::vectors {

namespace {

int guc_sketch_above = 40960;

} // namespace

std::int64_t sketch_above() noexcept {
    return guc_sketch_above < 0 ? -1 : static_cast<std::int64_t>(guc_sketch_above) * 1024;
}

void define_settings() {
    DefineCustomIntVariable("tenancy.sketch_above",
                            "The size of a tenant's vector codes above which a search looks at sketches of them first.",
                            "Searches are then exact by expectation only (see explain_match). -1 keeps all searches exact.",
                            &guc_sketch_above, 40960, -1, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr,
                            nullptr);
}

} // namespace tenancy::vectors
