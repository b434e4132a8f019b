#include "search/spi.hpp"

#include "pg/arrays.hpp"

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
    return pg::guarded([&] { return pg::array_of(UUIDOID, keys, count, sizeof(uuid)); });
}

} // namespace tenancy::search
