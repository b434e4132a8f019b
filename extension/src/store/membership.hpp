#pragma once

#include "pg/prelude.hpp"

extern "C" {
#include "catalog/pg_inherits.h"
}

namespace tenancy::store {

/// Whether a table is the root of a corpus's chunks or a partition or child of it. A trigger of a store writes only for
/// these: a trigger that somebody makes on another table must not reach a store. Calls PostgreSQL.
inline bool is_of_tree(Oid relation, Oid root) {
    return relation == root || typeInheritsFrom(get_rel_type_id(relation), get_rel_type_id(root));
}

} // namespace tenancy::store
