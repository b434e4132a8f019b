#pragma once

#include "pg/prelude.hpp"

/// The rows of documents tables, as the count of documents sees them.
namespace tenancy::metering {

/// The number of a table's tenant column when its rows are counted now, else InvalidAttrNumber; whatever the
/// transaction's snapshot shows.
AttrNumber counted_column(Oid relation);

/// The text of a tenant column's value; raises for a type that is not one of a tenant column. In the current memory context.
const char* tenant_key_text(Datum value, Oid type);

/// Give rows back to the count before a table that holds them is dropped; called once from _PG_init.
void watch_drops();

} // namespace tenancy::metering
