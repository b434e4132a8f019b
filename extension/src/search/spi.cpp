#include "search/spi.hpp"

namespace tenancy::search {

void connect_spi() {
    pg::guarded([] {
        int code = SPI_connect();
        if (code != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(code));
    });
}

void finish_spi() {
    pg::guarded([] {
        int code = SPI_finish();
        if (code != SPI_OK_FINISH) elog(ERROR, "SPI_finish failed: %s", SPI_result_code_string(code));
    });
}

Datum array_of(const uuid* keys, std::size_t count) {
    return pg::guarded([&] {
        if (count == 0) return PointerGetDatum(construct_empty_array(UUIDOID));
        // As construct_array() makes it, without a datum for each element.
        std::size_t size = ARR_OVERHEAD_NONULLS(1) + count * sizeof(uuid);
        auto* array = static_cast<ArrayType*>(palloc0(size));
        SET_VARSIZE(array, size);
        array->ndim = 1;
        array->elemtype = UUIDOID;
        ARR_DIMS(array)[0] = static_cast<int>(count);
        ARR_LBOUND(array)[0] = 1;
        std::memcpy(ARR_DATA_PTR(array), keys, count * sizeof(uuid));
        return PointerGetDatum(array);
    });
}

} // namespace tenancy::search
