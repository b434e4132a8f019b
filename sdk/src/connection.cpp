#include "tenancy/connection.hpp"

#include <cstring>
#include <new>

#include <libpq-events.h>
#include <libpq-fe.h>
#include <poll.h>

namespace tenancy {

namespace {

void assign_field(std::string& target, const PGresult* result, int field) {
    const char* value = PQresultErrorField(result, field);
    target = value ? value : "";
}

// libpqxx keeps an error's SQLSTATE and its text, not DETAIL and HINT; libpq hands every result to us here
// before libpqxx sees it.
int on_libpq_event(PGEventId id, void* event, void* pass_through) {
    if (id != PGEVT_RESULTCREATE)
        return 1;
    const PGresult* result = static_cast<PGEventResultCreate*>(event)->result;
    if (PQresultStatus(result) != PGRES_FATAL_ERROR)
        return 1;
    auto* info = static_cast<diagnostics*>(pass_through);
    try {
        assign_field(info->sqlstate, result, PG_DIAG_SQLSTATE);
        assign_field(info->message, result, PG_DIAG_MESSAGE_PRIMARY);
        assign_field(info->detail, result, PG_DIAG_MESSAGE_DETAIL);
        assign_field(info->hint, result, PG_DIAG_MESSAGE_HINT);
    } catch (const std::bad_alloc&) {
        info->sqlstate.clear();
    }
    return 1;
}

} // namespace

connection::connection(const std::string& conninfo) : last_error_{std::make_unique<diagnostics>()} {
    if (conninfo.find('\0') != std::string::npos)
        throw std::invalid_argument{"a connection string must not hold a zero byte"};
    std::unique_ptr<PGconn, decltype(&PQfinish)> raw{PQconnectdb(conninfo.c_str()), &PQfinish};
    if (!raw)
        throw std::bad_alloc{};
    if (PQstatus(raw.get()) != CONNECTION_OK)
        throw pqxx::broken_connection{PQerrorMessage(raw.get())};
    if (!PQregisterEventProc(raw.get(), on_libpq_event, "tenancy", last_error_.get()))
        throw std::bad_alloc{};
    native_ = std::make_unique<pqxx::connection>(pqxx::connection::seize_raw_connection(raw.get()));
    raw_ = raw.release();
}

connection::~connection() = default;

bool connection::is_open() const noexcept {
    return raw_ != nullptr && native_->is_open();
}

bool connection::is_alive() noexcept {
    // The first read may bring only the server's last message, and the next one the end of the stream.
    for (int reads = 0; is_open(); ++reads) {
        pollfd descriptor{PQsocket(raw_), POLLIN, 0};
        if (descriptor.fd < 0)
            return false;
        if (poll(&descriptor, 1, 0) <= 0)
            return true;
        if (reads == 16)
            return true; // a busy stream of notifications: somebody is there
        if (!PQconsumeInput(raw_))
            return false;
        (void)PQisBusy(raw_); // works off notices and parameter reports
    }
    return false;
}

bool connection::is_clean() const noexcept {
    if (!is_open() || PQtransactionStatus(raw_) != PQTRANS_IDLE)
        return false;
    const char* tenant = PQparameterStatus(raw_, "tenancy.tenant_id");
    return tenant == nullptr || *tenant == '\0';
}

bool connection::in_failed_transaction() const noexcept {
    return is_open() && PQtransactionStatus(raw_) == PQTRANS_INERROR;
}

std::string connection::reported_tenant() const {
    const char* tenant = is_open() ? PQparameterStatus(raw_, "tenancy.tenant_id") : nullptr;
    return tenant ? tenant : "";
}

void connection::close() noexcept {
    raw_ = nullptr;
    try {
        native_->close();
    } catch (const std::exception&) {
        // It is gone either way.
    }
}

void connection::throw_translated(const pqxx::sql_error& e) const {
    const std::string state{e.sqlstate()};
    if (last_error_->sqlstate == state) {
        throw_if_tenancy_error(e.what(), std::string{e.query()}, *last_error_);
    } else {
        diagnostics info;
        info.sqlstate = state;
        info.message = e.what();
        throw_if_tenancy_error(e.what(), std::string{e.query()}, info);
    }
}

} // namespace tenancy
