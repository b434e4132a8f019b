#include "audit/denials.hpp"

#include "audit/board.hpp"
#include "context/caller.hpp"
#include "context/settings.hpp"

namespace tenancy::audit {

namespace {

/// Whether this transaction added events. Reset at its end.
bool has_events = false;

void write_uuid(char* target, std::size_t size, const char* prefix, const uuid& value) {
    const std::uint8_t* b = value.bytes;
    snprintf(target, size, "%s%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", prefix, b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/// Who is refused: as tenancy.actor() says it.
void write_actor(char* target, std::size_t size) {
    const context::identity& who = context::current_settings().who;
    if (who.user.is_set) {
        write_uuid(target, size, "user:", who.user.value);
    } else if (who.api_key.is_set) {
        write_uuid(target, size, "key:", who.api_key.value);
    } else {
        const char* role = GetUserNameFromId(context::caller(), true);
        snprintf(target, size, "role:%s", role ? role : "");
    }
}

void copy_text(char* target, std::size_t size, const char* source) {
    std::size_t length = std::strlen(source);
    if (length >= size) length = static_cast<std::size_t>(pg_mbcliplen(source, static_cast<int>(length), static_cast<int>(size - 1)));
    std::memcpy(target, source, length);
    target[length] = '\0';
}

void at_end_of_transaction(XactEvent event, void*) {
    switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
        if (has_events && has_board()) mark_unsealed(MyDatabaseId);
        has_events = false;
        break;
    case XACT_EVENT_ABORT:
        has_events = false;
        break;
    default:
        break;
    }
}

/// Of this session, where it has to say itself what it was refused.
log_allowance allowance;

void say_unsaid(std::uint64_t unsaid) {
    if (unsaid > 0)
        ereport(LOG_SERVER_ONLY, (errmsg("tenancy refused " UINT64_FORMAT " more times in this session than it says one by one", unsaid),
                                  errhidestmt(true), errhidecontext(true)));
}

void say_last(int, Datum) { say_unsaid(allowance.take_all_unsaid()); }

void say(const refusal& refused) {
    static bool is_registered = false;
    if (!is_registered) before_shmem_exit(say_last, 0);
    is_registered = true;
    TimestampTz now = GetCurrentTimestamp();
    say_unsaid(allowance.take_unsaid(now));
    if (!allowance.take(now)) return;
    char log_of[48] = "the installation";
    if (refused.has_tenant) write_uuid(log_of, sizeof log_of, "tenant ", refused.tenant);
    ereport(LOG_SERVER_ONLY, (errmsg("tenancy refused %s: %s (%s)", refused.actor, refused.object, refused.sqlstate),
                              errdetail_log("It concerns %s.", log_of), errhidestmt(true), errhidecontext(true)));
}

} // namespace

void note_denial(const char* sqlstate, const uuid* tenant, const char* object) {
    refusal refused{};
    refused.database = MyDatabaseId;
    // Whoever the server let in: what a session may change about itself gives it no share of somebody else's.
    refused.role = GetSessionUserId();
    refused.session = static_cast<std::uint32_t>(MyProc->lockGroupLeader ? MyProc->lockGroupLeader->pid : MyProcPid);
    refused.has_tenant = tenant != nullptr;
    if (tenant) refused.tenant = *tenant;
    strlcpy(refused.sqlstate, sqlstate, sizeof refused.sqlstate);
    write_actor(refused.actor, sizeof refused.actor);
    copy_text(refused.object, sizeof refused.object, object);
    if (has_board() && !RecoveryInProgress())
        put(refused);
    else
        say(refused);
}

void note_events() {
    static bool is_registered = false;
    if (!has_board()) return;
    if (!is_registered) RegisterXactCallback(at_end_of_transaction, nullptr);
    is_registered = true;
    has_events = true;
}

} // namespace tenancy::audit

extern "C" {

PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_note_denial);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_note_events);
PGDLLEXPORT PG_FUNCTION_INFO_V1(tenancy_denials_go_to);

PGDLLEXPORT Datum tenancy_note_denial(PG_FUNCTION_ARGS) {
    tenancy::uuid tenant;
    bool has_tenant = !PG_ARGISNULL(1);
    if (has_tenant) std::memcpy(tenant.bytes, PG_GETARG_UUID_P(1)->data, sizeof tenant.bytes);
    if (PG_ARGISNULL(0)) PG_RETURN_VOID();
    char* sqlstate = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char* object = PG_ARGISNULL(2) ? pstrdup("") : text_to_cstring(PG_GETARG_TEXT_PP(2));
    tenancy::audit::note_denial(sqlstate, has_tenant ? &tenant : nullptr, object);
    PG_RETURN_VOID();
}

PGDLLEXPORT Datum tenancy_note_events(PG_FUNCTION_ARGS) {
    tenancy::audit::note_events();
    PG_RETURN_VOID();
}

PGDLLEXPORT Datum tenancy_denials_go_to(PG_FUNCTION_ARGS) {
    bool to_table = tenancy::audit::has_board() && !RecoveryInProgress();
    PG_RETURN_TEXT_P(cstring_to_text(to_table ? "audit log" : "server log"));
}
}
