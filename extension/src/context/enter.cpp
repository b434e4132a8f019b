#include "context/enter.hpp"

#include "audit/denials.hpp"
#include "context/verdict.hpp"

namespace tenancy::context {

namespace {

ProcessUtility_hook_type next_process_utility = nullptr;

/// The transaction that last declared a holdable cursor without a tenant.
LocalTransactionId holdable_declared_in = InvalidLocalTransactionId;

bool same(const optional_uuid& a, const optional_uuid& b) {
    return a.is_set == b.is_set && (!a.is_set || a.value == b.value);
}

/// The transaction in which this library was loaded late: what came before in it was not watched.
LocalTransactionId loaded_in = InvalidLocalTransactionId;

/// Whom the transaction belongs to: who was entered in it, else whom the session brought along. RESET ALL empties the
/// session's context and not what was read in it.
const identity& owner_of_transaction() {
    const identity& sealed = sealed_identity();
    if (sealed.tenant.is_set) return sealed;
    const identity* brought = brought_identity();
    return brought ? *brought : current_settings().who;
}

/// A role that may write the setting itself, and a superuser, are not bound by the seal.
bool may_switch() {
    return superuser() || pg_parameter_aclcheck(parameter_tenant_id, GetUserId(), ACL_SET) == ACLCHECK_OK;
}

void check_seal(const identity& entering) {
    const identity& owner = owner_of_transaction();
    if (!owner.tenant.is_set || may_switch()) return;
    // From a tenant to a user or key in it is a step down and allowed; the other way, and to another one, is not.
    bool was_nobody = !owner.user.is_set && !owner.api_key.is_set;
    bool is_same_one = same(owner.user, entering.user) && same(owner.api_key, entering.api_key);
    if (!same(owner.tenant, entering.tenant) || !(was_nobody || is_same_one)) raise_sealed();
}

/// In a DO block or a procedure the context lasts until its COMMIT or its end, which is of use.
void check_can_last(bool is_local) {
    if (!is_local || IsTransactionBlock() || IsSubTransaction() || SPI_inside_nonatomic_context()) return;
    ereport(ERROR, (errcode(ERRCODE_NO_ACTIVE_SQL_TRANSACTION),
                    errmsg("a local tenant context needs a transaction block"),
                    errdetail("It would end with this statement."),
                    errhint("Begin a transaction and set the tenant in it.")));
}

/// Whether a role may keep a context for its session is the EXECUTE privilege on a function that answers just that.
void check_may_keep(bool is_local) {
    if (is_local) return;
    List* name = list_make2(makeString(pstrdup("tenancy")), makeString(pstrdup("may_keep_context")));
    if (pg::may_execute(LookupFuncName(name, 0, nullptr, false))) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("role %s may not keep a tenant context for its session", GetUserNameFromId(GetUserId(), false)),
                    errdetail("Behind a pooler the next client would inherit it."),
                    errhint("Begin a transaction and set the tenant in it, without is_local => false.")));
}

/// Whether a holdable cursor of this transaction is open; it may have been closed or rolled back.
bool holdable_is_open() {
    if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    int result = SPI_execute("SELECT FROM pg_catalog.pg_cursors"
                             " WHERE is_holdable AND creation_time OPERATOR(pg_catalog.>=) pg_catalog.now()",
                             true, 1);
    if (result != SPI_OK_SELECT) elog(ERROR, "SPI_execute returned %d", result);
    bool found = SPI_processed > 0;
    SPI_finish();
    return found;
}

/// Asked only of a transaction that declared one, or that loaded this library too late to have seen it.
bool holdable_is_declared() {
    LocalTransactionId here = pg::local_transaction_id();
    return (holdable_declared_in == here || loaded_in == here) && holdable_is_open();
}

void process_utility(PlannedStmt* statement, const char* query, bool read_only_tree, ProcessUtilityContext context,
                     ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* destination,
                     QueryCompletion* completion) {
    if (IsA(statement->utilityStmt, DeclareCursorStmt) &&
        (reinterpret_cast<DeclareCursorStmt*>(statement->utilityStmt)->options & CURSOR_OPT_HOLD)) {
        if (current_settings().who.tenant.is_set)
            ereport(ERROR, (errcode(errcode_of(sqlstate::context_sealed)),
                            errmsg("a holdable cursor cannot be declared while a tenant is set"),
                            errdetail("Its rows would outlive the transaction, and so the tenant's context."),
                            errhint("Declare the cursor without WITH HOLD and fetch from it in this transaction.")));
        holdable_declared_in = pg::local_transaction_id();
    }
    auto* next = next_process_utility ? next_process_utility : standard_ProcessUtility;
    next(statement, query, read_only_tree, context, parameters, environment, destination, completion);
}

char* uuid_text(const uuid& value) {
    uuid copy = value;
    return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(reinterpret_cast<pg_uuid_t*>(&copy))));
}

/// In the log of the tenant where it was found, which tells its administrators who tried to come in.
void note_denied_entry(const entrant& who, const standing& found, const char* code) {
    StringInfoData object;
    initStringInfo(&object);
    appendStringInfo(&object, "enter tenant:%s", who.tenant.is_slug ? who.tenant.slug : uuid_text(who.tenant.id));
    if (who.user.is_set) appendStringInfo(&object, " as user:%s", uuid_text(who.user.value));
    if (who.api_key.is_set) appendStringInfo(&object, " as key:%s", uuid_text(who.api_key.value));
    bool is_known = !(found.tenant_id == uuid{});
    audit::note_denial(code, is_known ? &found.tenant_id : nullptr, object.data);
}

} // namespace

uuid enter(const entrant& who, bool is_local, void (*refuse)()) {
    check_can_last(is_local);
    check_may_keep(is_local);

    std::uint64_t before = changes_seen();
    standing found = look_up(who.tenant, who.user, who.api_key, "");
    identity entering{{true, found.tenant_id}, who.user, who.api_key};
    // Who belongs to somebody learns nothing else: the seal is looked at first, and for unknown tenants too.
    check_seal(entering);
    if (!found.may_enter) {
        note_denied_entry(who, found, refuse == raise_not_available ? sqlstate::tenant_not_available : sqlstate::credential_not_valid);
        refuse();
    }
    if (holdable_is_declared())
        ereport(ERROR, (errcode(errcode_of(sqlstate::context_sealed)),
                        errmsg("a tenant cannot be entered after a holdable cursor was declared"),
                        errdetail("The cursor would carry the tenant's rows out of this transaction."),
                        errhint("Enter the tenant in a transaction of its own.")));

    assign(entering, found.role, who.scopes, is_local);
    seal(entering);
    settle_as(found, before);
    return found.tenant_id;
}

void leave() {
    const identity owner = owner_of_transaction();
    assign(identity{}, "", "", false);
    if (owner.tenant.is_set) seal(owner);
}

void watch_holdable_cursors() {
    if (IsTransactionState()) loaded_in = pg::local_transaction_id();
    next_process_utility = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
}

} // namespace tenancy::context
