#include "credentials/credentials.hpp"

#include "context/errors.hpp"
#include "credentials/pure/api_key.hpp"

namespace tenancy::credentials {

namespace {

char* guc_key_prefix;
int guc_wrong_try_delay = 1000;

bool check_key_prefix(char** value, void**, GucSource) {
    if (is_prefix(*value)) return true;
    GUC_check_errdetail("A prefix has 1 to %zu characters of a-z and 0-9 and begins with a letter.", longest_prefix);
    return false;
}

} // namespace

void raise_not_valid() {
    ereport(ERROR, (errcode(context::errcode_of(sqlstate::credential_not_valid)), errmsg("credential is not valid"),
                    errhint("Check that it is complete, that it has not expired and was not revoked, and that its "
                            "tenant is active.")));
    pg_unreachable();
}

std::int64_t unix_seconds() {
    constexpr std::int64_t epoch = static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
    return GetCurrentTimestamp() / USECS_PER_SEC + epoch;
}

const char* key_prefix() noexcept { return guc_key_prefix; }

int longest_delay() noexcept { return guc_wrong_try_delay; }

void define_settings() {
    DefineCustomStringVariable("tenancy.key_prefix", "What the text of new API keys begins with.",
                               "Choose your product's name, so that a leaked key tells where it belongs.",
                               &guc_key_prefix, "tenancy", PGC_SUSET, 0, check_key_prefix, nullptr, nullptr);
    DefineCustomIntVariable("tenancy.wrong_try_delay",
                            "The longest time that a session waits before it answers one wrong API key too many.",
                            "0 answers at once.", &guc_wrong_try_delay, 1000, 0, 60000, PGC_SUSET, GUC_UNIT_MS, nullptr,
                            nullptr, nullptr);
}

} // namespace tenancy::credentials
