#pragma once

#include <memory>

#include "tenancy/detail/export.hpp"
#include "tenancy/ids.hpp"
#include "tenancy/pool.hpp"
#include "tenancy/transaction.hpp"

namespace tenancy {

/// A connection that keeps its tenant from transaction to transaction.
/**
 * For code that talks to the database in many small steps for one tenant and cannot wrap each in a
 * tenancy::transaction. The tenant is set for the database session and taken off when this object is
 * destroyed; if that fails, the connection is closed, never handed on.
 *
 * @warning Prefer tenancy::transaction. A session-level tenant is only as safe as the way the connection is
 * shared: it must not be used through a pooler in transaction mode (PgBouncer's `pool_mode = transaction`),
 * where the next client would inherit the server connection, tenant and all. The server ends such a context
 * by itself when the tenant is suspended or the member removed, by the next transaction.
 */
class TENANCY_EXPORT session {
public:
    /// Sets the tenant for the session of the leased connection.
    /**
     * @param l a connection without transaction and tenant; the session owns it from here on
     * @param who the tenant, by id or slug, or a user in a tenant
     * @throws tenant_unavailable if there is no such active tenant, or the user is no member
     * @throws pqxx::insufficient_privilege if the database role may not name a tenant
     */
    session(lease l, const caller& who);
    /// Takes the tenant off the connection and gives the connection back.
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    /// The tenant, as the server resolved it.
    [[nodiscard]] const tenant_id& tenant() const noexcept { return *tenant_; }

    /// The connection; a plain `pqxx::work` on its native() has the tenant as well.
    [[nodiscard]] connection& operator*() const noexcept { return *lease_; }
    [[nodiscard]] connection* operator->() const noexcept { return &*lease_; }

    /// Begins a transaction of this tenant: a bare BEGIN, for the session has the tenant already.
    /**
     * @param options isolation level, read only or not
     * @return a transaction; it must end before this object does
     * @throws pqxx::broken_connection if the connection is lost
     */
    [[nodiscard]] transaction begin(transaction_options options = {});

private:
    lease lease_;
    std::optional<tenant_id> tenant_;
};

} // namespace tenancy
