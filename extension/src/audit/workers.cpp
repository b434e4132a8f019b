#include "audit/board.hpp"
#include "audit/denials.hpp"
#include "pg/guard.hpp"
#include "pg/worker_session.hpp"

// Two workers. The launcher has no database; it sleeps until there is something to do, and then starts a writer in the
// database that has it. The writer writes refusals, seals, and ends when nothing has come for a second, so that it is in
// nobody's way when a database is dropped. Whatever goes wrong ends one process, with a line in the server's log.

extern "C" {
PGDLLEXPORT void tenancy_launcher_main(Datum argument);
PGDLLEXPORT void tenancy_writer_main(Datum argument);
}

namespace tenancy::audit {

namespace {

int guc_seal_interval = 10;

constexpr std::size_t batch_size = 128;
constexpr int idle_rounds = 5;
constexpr int most_rounds = 50;
constexpr long idle_round_ms = 200;

void forget_launcher(int, Datum) { set_launcher(nullptr); }

/// Sleep until the latch is set or the time is over; end the process when the server or an administrator wants that.
void sleep_ms(long ms) {
    int flags = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (ms >= 0 ? WL_TIMEOUT : 0);
    WaitLatch(MyLatch, flags, ms, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    // Not 0: a launcher that somebody terminates is to be started again.
    if (ShutdownRequestPending) proc_exit(1);
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

void fill(BackgroundWorker& worker, const char* name, const char* function) {
    std::memset(&worker, 0, sizeof worker);
    strlcpy(worker.bgw_name, name, sizeof worker.bgw_name);
    strlcpy(worker.bgw_type, name, sizeof worker.bgw_type);
    strlcpy(worker.bgw_library_name, "tenancy", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, function, sizeof worker.bgw_function_name);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
}

/// Run a writer in a database until it ends.
/// @returns false when none could be started
bool run_writer(const errand& what) {
    BackgroundWorker worker;
    fill(worker, "tenancy audit writer", "tenancy_writer_main");
    worker.bgw_flags |= BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_main_arg = ObjectIdGetDatum(what.database);
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_extra[0] = what.has_unsealed ? 1 : 0;

    BackgroundWorkerHandle* handle = nullptr;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle)) return false;
    pid_t pid;
    for (;;) {
        BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);
        if (status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED) break;
        sleep_ms(1000);
    }
    pfree(handle);
    return true;
}

void log_refusals(const refusals& of) {
    ereport(LOG, (errmsg("tenancy refused %s: %s (%s), " UINT64_FORMAT " times", of.is_rest ? "somebody" : of.what.actor,
                         of.is_rest ? "more than is kept one by one" : of.what.object, of.what.sqlstate, of.times)));
}

/// What could not be written, because the database is gone or has no such extension, is not lost without a word.
void log_what_is_left(Oid database) {
    refusals left[16];
    while (std::size_t count = take_unwritten(database, left, 16))
        for (std::size_t i = 0; i < count; ++i) log_refusals(left[i]);
}

void begin() {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    PushActiveSnapshot(GetTransactionSnapshot());
}

void commit() {
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
}

bool has_extension() {
    StartTransactionCommand();
    bool found = OidIsValid(get_extension_oid("tenancy", true));
    CommitTransactionCommand();
    return found;
}

const char* actor_of(const refusals& of) {
    if (!of.is_rest) return of.what.actor;
    // Of a whole database when there are more roles than can be told apart.
    if (!OidIsValid(of.what.role)) return "several roles";
    const char* role = GetUserNameFromId(of.what.role, true);
    return psprintf("role:%s", role ? role : "");
}

void write_one(const refusals& of) {
    Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT8OID};
    uuid tenant = of.what.tenant;
    Datum values[] = {
        TimestampTzGetDatum(of.first),
        TimestampTzGetDatum(of.last),
        UUIDPGetDatum(reinterpret_cast<pg_uuid_t*>(&tenant)),
        CStringGetTextDatum(of.what.sqlstate),
        CStringGetTextDatum(actor_of(of)),
        CStringGetTextDatum(of.is_rest ? "" : of.what.object),
        Int64GetDatum(static_cast<int64>(of.times)),
    };
    const char nulls[] = {' ', ' ', of.what.has_tenant ? ' ' : 'n', of.what.sqlstate[0] ? ' ' : 'n', ' ', of.is_rest ? 'n' : ' ', ' ', '\0'};
    int result = SPI_execute_with_args("SELECT tenancy.record_denial($1, $2, $3, $4, $5, $6, $7)", 7, types, values, nulls, false, 0);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute_with_args returned %d", result);
}

void write_batch(const refusals* batch, std::size_t count) {
    begin();
    for (std::size_t i = 0; i < count; ++i) write_one(batch[i]);
    commit();
}

void seal() {
    begin();
    int result = SPI_execute("SELECT s.waiting FROM tenancy.seal_audit() s", false, 0);
    if (result != SPI_OK_SELECT || SPI_processed != 1) elog(ERROR, "SPI_execute returned %d", result);
    bool is_null;
    bool is_waiting = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null)) > 0;
    commit();
    // Events of transactions that others overlap are not final yet: next time.
    if (is_waiting) mark_unsealed(MyDatabaseId);
}

void try_to_seal() {
    try {
        pg::guarded([] { seal(); });
    } catch (const pg::server_error& e) {
        AbortCurrentTransaction();
        ereport(LOG, (errmsg("tenancy cannot seal the audit log: %s", e.data()->message)));
    }
}

/// @returns whether there was something to write
bool write_refusals() {
    static refusals batch[batch_size];
    std::size_t count = take(MyDatabaseId, batch, batch_size);
    if (count == 0) return false;
    try {
        pg::guarded([&] { write_batch(batch, count); });
    } catch (const pg::server_error& e) {
        AbortCurrentTransaction();
        ereport(LOG, (errmsg("tenancy cannot write refusals into the audit log: %s", e.data()->message)));
        for (std::size_t i = 0; i < count; ++i) log_refusals(batch[i]);
    }
    return true;
}

void run_launcher() {
    TimestampTz sealed_at = 0;
    for (;;) {
        if (std::uint64_t lost = take_lost())
            ereport(LOG, (errmsg("tenancy refused " UINT64_FORMAT " more times than it could keep for the audit log", lost)));

        TimestampTz now = GetCurrentTimestamp();
        long interval_ms = guc_seal_interval * 1000L;
        long until_sealing = interval_ms - std::min(interval_ms, TimestampDifferenceMilliseconds(sealed_at, now));
        bool sealing_is_due = guc_seal_interval > 0 && until_sealing == 0;
        errand what = next_errand(sealing_is_due);
        if (!OidIsValid(what.database)) {
            if (sealing_is_due) sealed_at = now;
            long until_due = ms_until_due();
            long until_next = guc_seal_interval > 0 && has_unsealed() ? std::max(until_sealing, 100L) : -1;
            if (until_due >= 0) until_next = until_next < 0 ? until_due : std::min(until_due, until_next);
            // A clock that is set back must not keep what is due for long.
            sleep_ms(until_next < 0 ? until_next : std::clamp(until_next, 10L, 60000L));
            continue;
        }
        std::uint64_t taken_before = count_taken();
        if (!run_writer(what)) {
            // No free slot for a worker: what comes meanwhile is merged and counted.
            if (what.has_unsealed) mark_unsealed(what.database);
            sleep_ms(1000);
        } else if (what.has_denials && count_taken() == taken_before) {
            log_what_is_left(what.database);
        }
    }
}

} // namespace

void register_workers() {
    DefineCustomIntVariable("tenancy.audit_seal_interval",
                            "Seconds between two runs that seal new events of the audit log; 0 leaves it to tenancy.seal_audit().",
                            "It needs the library in shared_preload_libraries.", &guc_seal_interval, 10, 0, 86400, PGC_SIGHUP,
                            GUC_UNIT_S, nullptr, nullptr, nullptr);
    if (!process_shared_preload_libraries_in_progress) return;
    request_board();
    BackgroundWorker launcher;
    fill(launcher, "tenancy launcher", "tenancy_launcher_main");
    launcher.bgw_restart_time = 5;
    RegisterBackgroundWorker(&launcher);
}

} // namespace tenancy::audit

void tenancy_launcher_main(Datum) {
    using namespace tenancy::audit;
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    BackgroundWorkerUnblockSignals();
    if (!has_board()) proc_exit(0);
    before_shmem_exit(forget_launcher, 0);
    set_launcher(MyLatch);
    run_launcher();
}

void tenancy_writer_main(Datum argument) {
    using namespace tenancy::audit;
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
    pgstat_report_appname("tenancy audit writer");
    tenancy::pg::pin_worker_session();
    if (!has_extension()) proc_exit(0);

    bool wants_sealing = MyBgworkerEntry->bgw_extra[0] == 1;
    if (wants_sealing) try_to_seal();
    int idle = 0;
    for (int round = 0; round < most_rounds && idle < idle_rounds; ++round) {
        CHECK_FOR_INTERRUPTS();
        idle = write_refusals() ? 0 : idle + 1;
        // Refusals tend to come in rows; of another database's the launcher must not wait long.
        if (is_due_elsewhere(MyDatabaseId) || (wants_sealing && idle > 0)) break;
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, idle_round_ms, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
    proc_exit(0);
}
