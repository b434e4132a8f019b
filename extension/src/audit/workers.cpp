#include "audit/board.hpp"
#include "audit/denials.hpp"
#include "pg/guard.hpp"

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

void log_denial(const denial& refused) {
    ereport(LOG, (errmsg("tenancy refused %s: %s (%s)", refused.actor, refused.object, refused.sqlstate)));
}

/// Whoever could not be written, because the database is gone or has no such extension, is not lost without a word.
void log_what_is_left(Oid database) {
    denial left[16];
    while (std::size_t count = take(database, left, 16))
        for (std::size_t i = 0; i < count; ++i) log_denial(left[i]);
}

bool same(const denial& a, const denial& b) {
    return a.has_tenant == b.has_tenant && (!a.has_tenant || a.tenant == b.tenant) &&
           std::strcmp(a.sqlstate, b.sqlstate) == 0 && std::strcmp(a.actor, b.actor) == 0 &&
           std::strcmp(a.object, b.object) == 0;
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
    begin();
    bool found = SPI_execute("SELECT FROM pg_catalog.pg_extension WHERE extname = 'tenancy'", true, 1) == SPI_OK_SELECT &&
                 SPI_processed > 0;
    commit();
    return found;
}

void write_one(const denial& refused, int times) {
    Oid types[] = {TIMESTAMPTZOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID};
    denial copy = refused;
    Datum values[] = {
        TimestampTzGetDatum(copy.at),
        UUIDPGetDatum(reinterpret_cast<pg_uuid_t*>(&copy.tenant)),
        CStringGetTextDatum(copy.sqlstate),
        CStringGetTextDatum(copy.actor),
        CStringGetTextDatum(copy.object),
        Int32GetDatum(times),
    };
    const char nulls[] = {' ', copy.has_tenant ? ' ' : 'n', ' ', ' ', ' ', ' ', '\0'};
    int result = SPI_execute_with_args("SELECT tenancy.record_denial($1, $2, $3, $4, $5, $6)", 6, types, values, nulls, false, 0);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute_with_args returned %d", result);
}

/// One event for each kind of refusal in the batch, with how often it came.
void write_batch(denial* batch, std::size_t count) {
    begin();
    for (std::size_t i = 0; i < count; ++i) {
        if (!OidIsValid(batch[i].database)) continue;
        int times = 1;
        for (std::size_t j = i + 1; j < count; ++j) {
            if (!OidIsValid(batch[j].database) || !same(batch[i], batch[j])) continue;
            batch[j].database = InvalidOid;
            ++times;
        }
        write_one(batch[i], times);
    }
    commit();
}

void seal() {
    begin();
    int result = SPI_execute("SELECT s.waiting > 0 FROM tenancy.seal_audit() s", false, 0);
    if (result != SPI_OK_SELECT || SPI_processed != 1) elog(ERROR, "SPI_execute returned %d", result);
    bool is_null;
    bool is_waiting = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
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
bool write_denials(denial* batch) {
    std::size_t count = take(MyDatabaseId, batch, batch_size);
    if (count == 0) return false;
    static denial copies[batch_size];
    std::copy(batch, batch + count, copies);
    try {
        pg::guarded([&] { write_batch(batch, count); });
    } catch (const pg::server_error& e) {
        AbortCurrentTransaction();
        ereport(LOG, (errmsg("tenancy cannot write refusals into the audit log: %s", e.data()->message)));
        for (std::size_t i = 0; i < count; ++i) log_denial(copies[i]);
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
            sleep_ms(guc_seal_interval > 0 && has_unsealed() ? std::max(until_sealing, 100L) : -1);
            continue;
        }
        std::uint64_t taken_before = count_taken();
        if (!run_writer(what)) {
            // No free slot for a worker: what does not fit into the ring meanwhile is counted.
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
    if (!has_extension()) proc_exit(0);

    static denial batch[batch_size];
    bool wants_sealing = MyBgworkerEntry->bgw_extra[0] == 1;
    if (wants_sealing) try_to_seal();
    for (int idle = 0; idle < idle_rounds;) {
        CHECK_FOR_INTERRUPTS();
        if (write_denials(batch)) {
            idle = 0;
            continue;
        }
        if (wants_sealing && idle == 0 && !has_denials()) break;
        // Refusals tend to come in rows; of another database's the launcher must not wait long.
        ++idle;
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, idle_round_ms, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
    }
    proc_exit(0);
}
