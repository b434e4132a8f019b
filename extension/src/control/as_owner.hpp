#pragma once

#include "pg/prelude.hpp"

/// Being the owner of a table for a statement of ours on it. What hangs on the table (triggers, casts of its types) is its
/// owner's code, so it must run with the owner's rights and not with those of the extension's owner.
namespace tenancy::control {

struct identity_before {
    Oid user;
    int security_context;
    int nest_level;
};

/// Be the table's owner, as VACUUM and foreign keys are: unable to change what outlives the statement, and not held by
/// the policies of tables that are theirs. An error puts back who we were by itself.
identity_before become_owner(Oid relation);

/// Refuse the rows of a statement that are not of these types: they are read as such without asking again. Calls PostgreSQL.
void require_columns(Portal from, const Oid* types, int count);

void become_again(const identity_before& before);

} // namespace tenancy::control
