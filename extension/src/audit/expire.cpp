// The only way in which rows leave the audit log short of a superuser: the statements below, and none that anybody else
// could slip in between. A flag in memory says that they run; tenancy.append_only() asks for it.

#include "pg/guard.hpp"

namespace {

bool is_expiring = false;

void delete_upto(Datum tenant, Datum upto, const char* statement) {
    Oid types[] = {UUIDOID, INT8OID};
    Datum values[] = {tenant, upto};
    int result = SPI_execute_with_args(statement, 2, types, values, nullptr, false, 0);
    if (result != SPI_OK_DELETE && result != SPI_OK_INSERT) elog(ERROR, "SPI_execute_with_args returned %d", result);
}

std::int64_t expire(Datum tenant, Datum upto) {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    delete_upto(tenant, upto,
                "DELETE FROM tenancy.audit_log l USING tenancy.audit_seals s "
                "WHERE s.tenant_id OPERATOR(pg_catalog.=) $1 AND s.number OPERATOR(pg_catalog.<=) $2 "
                "AND l.tenant_id OPERATOR(pg_catalog.=) $1 AND l.id OPERATOR(pg_catalog.=) ANY (s.events)");
    auto deleted = static_cast<std::int64_t>(SPI_processed);
    delete_upto(tenant, upto,
                "INSERT INTO tenancy.audit_anchors (tenant_id, number, hash, sealed_at) "
                "SELECT s.tenant_id, s.number, s.hash, s.sealed_at FROM tenancy.audit_seals s "
                "WHERE s.tenant_id OPERATOR(pg_catalog.=) $1 AND s.number OPERATOR(pg_catalog.=) $2");
    delete_upto(tenant, upto,
                "DELETE FROM tenancy.audit_seals s "
                "WHERE s.tenant_id OPERATOR(pg_catalog.=) $1 AND s.number OPERATOR(pg_catalog.<=) $2");
    SPI_finish();
    return deleted;
}

} // namespace

TENANCY_FUNCTION(tenancy_is_expiring) { PG_RETURN_BOOL(is_expiring); }

TENANCY_FUNCTION(tenancy_delete_expired) {
    Datum tenant = PG_GETARG_DATUM(0);
    Datum upto = PG_GETARG_DATUM(1);
    is_expiring = true;
    std::int64_t deleted;
    try {
        deleted = tenancy::pg::guarded([&] { return expire(tenant, upto); });
    } catch (...) {
        is_expiring = false;
        throw;
    }
    is_expiring = false;
    PG_RETURN_INT64(deleted);
}
