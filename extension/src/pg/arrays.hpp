#pragma once

#include "pg/prelude.hpp"

extern "C" {
#include "utils/array.h"
}

namespace tenancy::pg {

/// An array of elements of one fixed length that lie one after the other, as construct_array() makes it, but without a datum for
/// each. Calls PostgreSQL, under a guard of the caller.
///
/// @param length of an element, which its alignment divides
inline Datum array_of(Oid type, const void* elements, std::size_t count, std::size_t length) {
    if (count == 0) return PointerGetDatum(construct_empty_array(type));
    std::size_t size = ARR_OVERHEAD_NONULLS(1) + count * length;
    auto* array = static_cast<ArrayType*>(palloc0(size));
    SET_VARSIZE(array, size);
    array->ndim = 1;
    array->elemtype = type;
    ARR_DIMS(array)[0] = static_cast<int>(count);
    ARR_LBOUND(array)[0] = 1;
    std::memcpy(ARR_DATA_PTR(array), elements, count * length);
    return PointerGetDatum(array);
}

} // namespace tenancy::pg
