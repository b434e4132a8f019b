#include "context/settings.hpp"

#include "context/verdict.hpp"

namespace tenancy::context {

namespace {

settings now{};
identity sealed{};

// The settings' storage as guc.c wants it; the parsed form above is what our code reads.
char* guc_tenant_id;
char* guc_user_id;
char* guc_role;
char* guc_api_key_id;
char* guc_scopes;
char* guc_sealed;
int guc_missing_tenant = static_cast<int>(missing_tenant::error);

constexpr config_enum_entry missing_tenant_choices[] = {
    {"error", static_cast<int>(missing_tenant::error), false},
    {"empty", static_cast<int>(missing_tenant::empty), false},
    {nullptr, 0, false},
};

void changed() noexcept {
    ++now.stamp;
    forget_verdict();
}

/// Hand a parsed value to the assign hook. Check hooks never raise and never read the catalogue.
template <typename T>
bool hand_over(const T& parsed, void** extra) noexcept {
    auto* copy = static_cast<T*>(pg::guc_allocate(sizeof(T)));
    if (copy == nullptr) return false;
    *copy = parsed;
    *extra = copy;
    return true;
}

bool parse_optional(std::string_view text, optional_uuid& parsed) noexcept {
    parsed = {};
    if (text.empty()) return true;
    parsed.is_set = parse_canonical(text, parsed.value);
    return parsed.is_set;
}

bool check_uuid(char** value, void** extra, GucSource) {
    optional_uuid parsed;
    if (!parse_optional(*value, parsed)) {
        GUC_check_errdetail("It must be a UUID in canonical form: 36 characters, lower case, with hyphens.");
        return false;
    }
    return hand_over(parsed, extra);
}

template <optional_uuid identity::*Member>
void assign_uuid(const char*, void* extra) {
    now.who.*Member = *static_cast<optional_uuid*>(extra);
    changed();
}

bool is_role_name(std::string_view name) noexcept {
    if (name.size() >= NAMEDATALEN) return false;
    for (char c : name)
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) return false;
    return true;
}

bool check_role(char** value, void**, GucSource) {
    if (is_role_name(*value)) return true;
    GUC_check_errdetail("A role's name has at most %d characters of a-z, 0-9, hyphen and underscore.",
                        NAMEDATALEN - 1);
    return false;
}

void assign_role(const char* value, void*) {
    strlcpy(now.role, value, sizeof now.role);
    changed();
}

bool check_scopes(char** value, void**, GucSource) {
    if (std::strlen(*value) <= longest_scopes) return true;
    GUC_check_errdetail("The scopes may have at most %zu bytes.", longest_scopes);
    return false;
}

void assign_scopes(const char* value, void*) {
    strlcpy(now.scopes, value, sizeof now.scopes);
    changed();
}

/// The next of the parts that slashes separate.
std::string_view next_part(std::string_view& rest) noexcept {
    std::size_t end = std::min(rest.find('/'), rest.size());
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

/// The sealed identity is written as `tenant/user/api key`; parts may be empty.
bool check_sealed(char** value, void** extra, GucSource) {
    std::string_view rest{*value};
    identity parsed{};
    for (optional_uuid* part : {&parsed.tenant, &parsed.user, &parsed.api_key})
        if (!parse_optional(next_part(rest), *part)) return false;
    return hand_over(parsed, extra);
}

void assign_sealed(const char*, void* extra) { sealed = *static_cast<identity*>(extra); }

const char* format(const optional_uuid& id, char (&text)[uuid::text_length + 1]) noexcept {
    if (id.is_set)
        format_canonical(id.value, text);
    else
        text[0] = '\0';
    return text;
}

void set(const char* name, const char* value, GucContext as, bool is_local) {
    set_config_option(name, value, as, PGC_S_SESSION, is_local ? GUC_ACTION_LOCAL : GUC_ACTION_SET, true, 0, false);
}

} // namespace

const settings& current_settings() noexcept { return now; }

const identity& sealed_identity() noexcept { return sealed; }

missing_tenant when_missing() noexcept { return static_cast<missing_tenant>(guc_missing_tenant); }

void assign(const identity& who, const char* role, const char* scopes, bool is_local) {
    char tenant[uuid::text_length + 1], user[uuid::text_length + 1], api_key[uuid::text_length + 1];
    const char* values[][2] = {
        {parameter_user_id, format(who.user, user)},
        {parameter_role, role},
        {parameter_api_key_id, format(who.api_key, api_key)},
        {parameter_scopes, scopes},
        {parameter_tenant_id, format(who.tenant, tenant)},
    };
    const char* present[] = {guc_user_id, guc_role, guc_api_key_id, guc_scopes, guc_tenant_id};
    for (std::size_t i = 0; i < lengthof(values); ++i) {
        // A local value that is there already needs no second assignment; a session value may lie under a local one.
        if (is_local && std::strcmp(present[i], values[i][1]) == 0) continue;
        set(values[i][0], values[i][1], PGC_SUSET, is_local);
    }
}

void seal(const identity& who) {
    char text[3 * (uuid::text_length + 1)] = "";
    for (const optional_uuid* part : {&who.tenant, &who.user, &who.api_key}) {
        char id[uuid::text_length + 1];
        if (part != &who.tenant) strlcat(text, "/", sizeof text);
        strlcat(text, format(*part, id), sizeof text);
    }
    if (std::strcmp(guc_sealed, text) != 0) set(parameter_sealed, text, PGC_INTERNAL, true);
}

void define_settings() {
    DefineCustomStringVariable(parameter_tenant_id, "The current tenant's id; empty when there is none.",
                               "Set it with tenancy.set_tenant() or tenancy.enter().", &guc_tenant_id, "", PGC_SUSET,
                               GUC_REPORT | GUC_NOT_IN_SAMPLE, check_uuid, assign_uuid<&identity::tenant>, nullptr);
    DefineCustomStringVariable(parameter_user_id, "The current user's id; empty when the application itself acts.",
                               nullptr, &guc_user_id, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, check_uuid,
                               assign_uuid<&identity::user>, nullptr);
    DefineCustomStringVariable(parameter_role, "The role that the current user has in the current tenant.", nullptr,
                               &guc_role, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, check_role, assign_role, nullptr);
    DefineCustomStringVariable(parameter_api_key_id, "The id of the API key that the context was entered with.",
                               nullptr, &guc_api_key_id, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, check_uuid,
                               assign_uuid<&identity::api_key>, nullptr);
    DefineCustomStringVariable(parameter_scopes, "The scopes of the credential that the context was entered with.",
                               nullptr, &guc_scopes, "", PGC_SUSET, GUC_NOT_IN_SAMPLE, check_scopes, assign_scopes, nullptr);
    // Internal, so that no statement can write it; RESET ALL passes internal settings by.
    DefineCustomStringVariable(parameter_sealed, "The identity that this transaction is sealed to.", nullptr,
                               &guc_sealed, "", PGC_INTERNAL,
                               GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL | GUC_DISALLOW_IN_FILE, check_sealed, assign_sealed,
                               nullptr);
    DefineCustomEnumVariable("tenancy.missing_tenant", "What a protected table does when no tenant is set.",
                             "'error' raises TN001; 'empty' shows no rows and takes no inserts.", &guc_missing_tenant,
                             static_cast<int>(missing_tenant::error), missing_tenant_choices, PGC_USERSET,
                             GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
}

} // namespace tenancy::context
