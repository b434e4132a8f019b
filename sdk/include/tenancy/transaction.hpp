#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "tenancy/connection.hpp"
#include "tenancy/detail/compat.hpp"
#include "tenancy/detail/export.hpp"
#include "tenancy/ids.hpp"

namespace tenancy {

/// The text of an API key, to enter with: the key says tenant and rights.
struct api_key_credential {
    std::string text;
};

/// The text of a signed JSON Web Token, to enter with: the token says tenant and user.
struct token_credential {
    std::string text;
};

/// Who is asking: a tenant, a user in a tenant, or whoever has an API key or a token.
class caller {
public:
    /// The tenant with this id. The server gives it no user and no role.
    caller(const tenant_id& tenant) : tenant_{tenant} {} // NOLINT: a tenant is a caller
    /// The tenant with this slug.
    caller(const tenant_slug& tenant) : tenant_{tenant} {} // NOLINT
    /// This user as a member of this tenant; the server looks the membership up and gives the caller its
    /// role.
    caller(const tenant_id& tenant, const tenancy::user_id& user) : tenant_{tenant}, user_{user} {}

    /// Whoever has this API key.
    caller(api_key_credential key) : tenant_{std::move(key)} {} // NOLINT
    /// Whom this token names.
    caller(token_credential token) : tenant_{std::move(token)} {} // NOLINT

    /// How the tenant is named.
    using naming = std::variant<tenant_id, tenant_slug, api_key_credential, token_credential>;
    /// The tenant, as it was named.
    [[nodiscard]] const naming& tenant() const noexcept { return tenant_; }
    /// The user, if there is one.
    [[nodiscard]] const std::optional<tenancy::user_id>& user() const noexcept { return user_; }

private:
    naming tenant_;
    std::optional<tenancy::user_id> user_;
};

/// How much a transaction sees of others: PostgreSQL's isolation levels, or what the server's settings say
/// (read committed as shipped).
enum class isolation { server_default, read_committed, repeatable_read, serializable };

/// Whether a transaction may write, or what the server's settings say (it may, as shipped).
enum class access { server_default, read_write, read_only };

/// What a transaction begins with.
struct transaction_options {
    isolation level = isolation::server_default;
    tenancy::access access = tenancy::access::server_default;
};

/// A transaction that has a tenant from its first statement to its end.
/**
 * There is no way to make one without saying who is asking. `BEGIN` and the tenant travel to the server in
 * one message, so it costs no more round trips than a bare transaction; the server forgets the tenant when
 * the transaction ends, however it ends, so nothing is left on the connection.
 *
 * It is a `pqxx::dbtransaction`: everything libpqxx does with a transaction works on it. @ref exec and @ref
 * commit of this class throw the types of errors.hpp for errors of the extension; libpqxx's other functions
 * throw `pqxx::sql_error` with the SQLSTATE, which `connection::translating` and `with_tenant` turn into
 * them.
 *
 * Destroying it without @ref commit rolls back.
 */
class TENANCY_EXPORT transaction final : public pqxx::dbtransaction {
public:
    /// Begins.
    /**
     * @param c an open connection without a transaction; it must outlive this object
     * @param who the tenant, by id or slug, a user in a tenant, or an API key or token
     * @param options isolation level, read only or not
     * @throws tenant_unavailable if there is no such active tenant, or the user is no member
     * @throws invalid_credential if the API key or the token is not valid
     * @throws rate_limited if the API key is used too often, or too many wrong ones were tried
     * @throws context_sealed if the connection has another tenant for its session
     * @throws pqxx::insufficient_privilege if the database role may not name a tenant
     * @throws pqxx::broken_connection if the connection is lost; nothing has been executed then
     */
    transaction(connection& c, const caller& who, transaction_options options = {});
    ~transaction() noexcept override;

    /// The tenant, as the server resolved it.
    [[nodiscard]] const tenant_id& tenant() const noexcept { return *tenant_; }

    /// The connection this transaction is on.
    [[nodiscard]] tenancy::connection& tenant_connection() noexcept { return connection_; }

    /// Executes one or more statements without parameters.
    /**
     * @param query SQL text
     * @return the last statement's result
     * @throws the types of errors.hpp; otherwise what libpqxx throws
     */
    pqxx::result exec(const std::string& query);

    /// Executes one statement with parameters.
    /**
     * @param query SQL text with `$1`, `$2`, ...
     * @param parameters their values
     * @return the result
     * @throws the types of errors.hpp; otherwise what libpqxx throws
     */
    pqxx::result exec(const std::string& query, const pqxx::params& parameters);

    /// Commits.
    /**
     * @throws pqxx::in_doubt_error if the connection was lost before the server's answer came: it may have
     * committed or not. Never repeat the work without having looked.
     * @throws pqxx::failure if an earlier statement failed: the server would answer COMMIT with a rollback
     * and call it no error
     * @throws pqxx::sql_error if the server refused, for example with a serialization failure or a deferred
     * constraint; it has rolled back then
     */
    void commit();

private:
    friend class session;
    // For a session, whose connection has the tenant already.
    transaction(connection& c, const tenant_id& tenant, transaction_options options, bool already_set);

    void do_commit(TENANCY_PQXX_LOCATION_PARAMETER) override;

    connection& connection_;
    std::optional<tenant_id> tenant_;
};

namespace detail {

/// The credential that @a who enters with and the function that takes it, or null if they name a tenant.
struct credential {
    const char* function;
    const std::string& text;
};
std::optional<credential> credential_of(const caller& who);
/// Begins a transaction and enters with a credential, in one round trip; returns the tenant's id as text.
/** The credential travels as a parameter, so that no statement in a server's log and no exception holds it. */
std::string begin_with_credential(connection& c, const std::string& begin, const credential& what);
/// The statement that makes @a who, who names a tenant, the context, for the transaction (@a local) or for the session.
std::string set_context_sql(const pqxx::connection& c, const caller& who, bool local);
/// The BEGIN statement for the options.
std::string begin_sql(transaction_options options);

} // namespace detail

} // namespace tenancy
