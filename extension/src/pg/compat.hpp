#pragma once

// Every difference between PostgreSQL 15 and 18 that our code meets. Included by pg/prelude.hpp.

#if PG_VERSION_NUM < 150000
#error "tenancy needs PostgreSQL 15 or newer: SET privileges on parameters do not exist before it"
#endif

// Until 16 PGDLLEXPORT says nothing to gcc, and we compile with hidden visibility.
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

// Where a relation's files are, as relations have it: named after what it is from 16 on.
#if PG_VERSION_NUM >= 160000
#define tenancy_locator rd_locator
#else
#define tenancy_locator rd_node
#endif

// A function that walks a tree, as the walkers take it: without its arguments' types before 16.
#if PG_VERSION_NUM >= 160000
#define TENANCY_WALKER(function) function
#else
#define TENANCY_WALKER(function) reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(function))
#endif

// What a permission hook is handed beside the range table, from 16 on.
#if PG_VERSION_NUM >= 160000
#define TENANCY_PERMISSION_INFOS List *permission_infos,
#define TENANCY_PASS_PERMISSION_INFOS permission_infos,
#else
#define TENANCY_PERMISSION_INFOS
#define TENANCY_PASS_PERMISSION_INFOS
#endif

namespace tenancy::pg {

/// The backend-local number of the current transaction; a new one for each.
inline LocalTransactionId local_transaction_id() noexcept {
#if PG_VERSION_NUM >= 170000
    return MyProc->vxid.lxid;
#else
    return MyProc->lxid;
#endif
}

inline bool may_execute(Oid function, Oid role = GetUserId()) {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
    return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/// Whether a role owns a relation, or is a member of the role that does.
inline bool owns_relation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, relation, role);
#else
    return pg_class_ownercheck(relation, role);
#endif
}

/// Run an executor's query to its end.
inline void run_to_end(QueryDesc* query) {
#if PG_VERSION_NUM >= 180000
    ExecutorRun(query, ForwardScanDirection, 0);
#else
    ExecutorRun(query, ForwardScanDirection, 0, true);
#endif
}

/// What the server knows of one of its own settings: its value's source, and the role that set it.
inline const config_generic* setting_named(const char* name) {
#if PG_VERSION_NUM >= 160000
    return find_option(name, false, false, ERROR);
#else
    config_generic** all = get_guc_variables();
    for (int i = 0; i < GetNumConfigOptions(); ++i)
        if (strcmp(all[i]->name, name) == 0) return all[i];
    elog(ERROR, "unrecognized configuration parameter \"%s\"", name);
#endif
}

/// Memory for a GUC check hook's `extra`; the server frees it. Null when there is none: a check hook never raises.
inline void* guc_allocate(std::size_t size) noexcept {
#if PG_VERSION_NUM >= 160000
    return guc_malloc(LOG, size);
#else
    return std::malloc(size);
#endif
}

} // namespace tenancy::pg
