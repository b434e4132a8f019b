#pragma once

#include <memory>
#include <string>

#include "tenancy/detail/compat.hpp"
#include "tenancy/detail/export.hpp"
#include "tenancy/errors.hpp"

struct pg_conn;

namespace tenancy {

class transaction;
class session;

class connection;

namespace detail {
struct credential;
std::string begin_with_credential(connection& c, const std::string& begin, const credential& what);
} // namespace detail

/// A connection to the database, with what the SDK needs to know about it at hand.
/**
 * It holds a `pqxx::connection` and everything libpqxx can do is there through @ref native. Beside it, it
 * knows without asking the server whether the connection is still alive, whether a transaction is open on it,
 * which tenant the session has, and the fields of the last error.
 *
 * Like a `pqxx::connection` it is for one thread at a time.
 */
class TENANCY_EXPORT connection {
public:
    /// Connects.
    /**
     * @param conninfo a libpq connection string or URI; what it leaves open comes from the environment
     * (`PGHOST`, `PGDATABASE`, ...)
     * @throws pqxx::broken_connection if the connection cannot be made; the message is libpq's
     */
    explicit connection(const std::string& conninfo);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// The libpqxx connection.
    /**
     * @warning A plain `pqxx::work` on it has no tenant: protected tables then raise TN001. Use
     * tenancy::transaction. Do not close it through this reference while a tenancy::transaction or
     * tenancy::session is on it.
     */
    [[nodiscard]] pqxx::connection& native() noexcept { return *native_; }
    [[nodiscard]] const pqxx::connection& native() const noexcept { return *native_; }

    /// Whether the connection is open, as far as is known without looking.
    [[nodiscard]] bool is_open() const noexcept;

    /// Whether the connection is open, after reading what the server may have sent, such as its good-bye.
    /** Costs a system call and no round trip. A server that vanished without a word is not noticed. */
    [[nodiscard]] bool is_alive() noexcept;

    /// Whether the connection is open, no transaction is open on it, and its session has no tenant.
    /** Costs nothing: the server reports both by itself. */
    [[nodiscard]] bool is_clean() const noexcept;

    /// Whether a transaction is open whose next statement would be refused because an earlier one failed.
    [[nodiscard]] bool in_failed_transaction() const noexcept;

    /// The tenant that the server says this session has: a uuid as text, or empty.
    /** A tenant set for a transaction shows here until the transaction ends. */
    [[nodiscard]] std::string reported_tenant() const;

    /// The fields of the last error that the server raised on this connection; all empty if there was none.
    /** This is where DETAIL and HINT of errors are found that libpqxx reports, such as
     * `pqxx::insufficient_privilege`. */
    [[nodiscard]] const diagnostics& last_error() const noexcept { return *last_error_; }

    /// Closes the connection.
    void close() noexcept;

    /// Runs a function and turns the errors of the extension into the SDK's types.
    /**
     * @param f a function that uses this connection; what it returns is returned
     * @throws one of the types of errors.hpp if @a f threw a `pqxx::sql_error` with a TN code; otherwise
     * whatever @a f threw
     */
    template <class F>
    decltype(auto) translating(F&& f) {
        try {
            return std::forward<F>(f)();
        } catch (const error&) {
            throw;
        } catch (const pqxx::sql_error& e) {
            throw_translated(e);
            throw;
        }
    }

private:
    friend std::string detail::begin_with_credential(connection& c, const std::string& begin,
                                                     const detail::credential& what);

    void throw_translated(const pqxx::sql_error& e) const;

    // On the heap: libpq calls back into it, wherever this object is.
    std::unique_ptr<diagnostics> last_error_;
    std::unique_ptr<pqxx::connection> native_;
    pg_conn* raw_ = nullptr; // owned by native_
};

} // namespace tenancy
