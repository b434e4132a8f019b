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
        auto* elements = static_cast<Datum*>(palloc(count * sizeof(Datum)));
        for (std::size_t i = 0; i < count; ++i)
            elements[i] = UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(keys[i].bytes));
        ArrayType* array = construct_array(elements, static_cast<int>(count), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
        pfree(elements);
        return PointerGetDatum(array);
    });
}

} // namespace tenancy::search
