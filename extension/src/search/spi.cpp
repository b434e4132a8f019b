#include "search/spi.hpp"

#include <cstdlib>

namespace tenancy::search {

namespace {

/// A search takes some hundred kB and gives them back, which the C library of Linux by default does to the system too, each
/// time: much of the time of a short search. It keeps twice of what was once freed as one piece (malloc_trim_threshold
/// is dynamic, see mallopt(3)), and elsewhere this does nothing.
void keep_some_memory() {
    static bool is_done = false;
    if (is_done) return;
    is_done = true;
    void* volatile piece = std::malloc(std::size_t{1} << 20);
    std::free(piece);
}

} // namespace

void connect_spi() {
    keep_some_memory();
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
