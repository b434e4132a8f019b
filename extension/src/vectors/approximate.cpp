#include "vectors/approximate.hpp"

namespace tenancy::vectors {

namespace {

int guc_approximate_above = 32768;

} // namespace

std::int64_t approximate_above() noexcept {
    return guc_approximate_above < 0 ? -1 : static_cast<std::int64_t>(guc_approximate_above) * 1024;
}

void define_settings() {
    DefineCustomIntVariable("tenancy.approximate_above",
                            "The size of a tenant's vector codes above which a search reads a part of them.",
                            "Searches are then exact by expectation only (see explain_match). -1 keeps all searches exact.",
                            &guc_approximate_above, 32768, -1, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr,
                            nullptr);
}

} // namespace tenancy::vectors
