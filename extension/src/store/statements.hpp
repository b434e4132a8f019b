#pragma once

#include "pg/prelude.hpp"

namespace tenancy::store {

// While a statement changes a chunks table, its rows are there before the triggers at its end have put them into the
// stores. Whoever searches in between (a trigger, a function in RETURNING) must read the table itself.

/// A statement on a table of a corpus begins: called by the BEFORE trigger.
void statement_begins(const std::string& corpus, const char* kind);

/// It has ended, and the store knows of it.
void statement_ends(const std::string& corpus, const char* kind);

/// Whether a statement of this transaction is between the two.
bool is_statement_open(const std::string& corpus, const char* kind);

/// Forget statements that an error ended; called once from _PG_init.
void register_statement_callbacks();

} // namespace tenancy::store
