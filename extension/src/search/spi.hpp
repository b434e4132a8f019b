#pragma once

#include "pg/prelude.hpp"

#include "pg/guard.hpp"
#include "pure/uuid.hpp"

#include <vector>

extern "C" {
#include "nodes/params.h"
#include "tcop/dest.h"
}

/// Reading by SPI without resources of C++ that a longjmp could skip.
///
/// Nothing here closes what is open when an exception passes: it is on its way to an error that ends the transaction or
/// subtransaction, which does, and SPI_finish would free the error's data under it.
namespace tenancy::search {

void connect_spi();
void finish_spi();

/// Values for a prepared statement; null until set.
struct parameters {
    Datum values[4] = {};
    char nulls[4] = {'n', 'n', 'n', 'n'};

    void set(int position, Datum value) noexcept {
        values[position] = value;
        nulls[position] = ' ';
    }
};

/// A uuid[] of `count` keys, in the current memory context. Guarded by itself.
Datum array_of(const uuid* keys, std::size_t count);

inline uuid uuid_of(Datum value) noexcept {
    uuid result;
    std::memcpy(result.bytes, DatumGetUUIDP(value)->data, sizeof result.bytes);
    return result;
}

/// Run a plan under the snapshot of the query around, and hand its rows over in batches, so that memory does not grow
/// with their number.
///
/// `visit(tuple, descriptor)` runs under a guard, in a memory context that is emptied after each batch.
template <typename Visit>
void for_each_row(SPIPlanPtr plan, const parameters& given, Visit visit) {
    constexpr long batch = 256;

    Portal portal = nullptr;
    MemoryContext scratch = nullptr;
    pg::guarded([&] {
        portal = SPI_cursor_open(nullptr, plan, const_cast<Datum*>(given.values), given.nulls, true);
        scratch = AllocSetContextCreate(CurrentMemoryContext, "tenancy search batch", ALLOCSET_DEFAULT_SIZES);
    });
    bool is_more = true;
    while (is_more) {
        is_more = pg::guarded([&] {
            SPI_cursor_fetch(portal, true, batch);
            MemoryContext around = MemoryContextSwitchTo(scratch);
            uint64 rows = SPI_processed;
            for (uint64 i = 0; i < rows; ++i)
                visit(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
            MemoryContextSwitchTo(around);
            MemoryContextReset(scratch);
            SPI_freetuptable(SPI_tuptable);
            return rows == batch;
        });
    }
    pg::guarded([&] {
        SPI_cursor_close(portal);
        MemoryContextDelete(scratch);
    });
}

/// Run a plan that finds rows by their keys, under the snapshot of the query around: for results that fit in memory.
///
/// `visit(tuple, descriptor)` runs under a guard.
template <typename Visit>
void for_each_row_by_key(SPIPlanPtr plan, const parameters& given, Visit visit) {
    pg::guarded([&] {
        int code = SPI_execute_plan(plan, const_cast<Datum*>(given.values), given.nulls, true, 0);
        if (code != SPI_OK_SELECT) elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(code));
        for (uint64 i = 0; i < SPI_processed; ++i)
            visit(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
        SPI_freetuptable(SPI_tuptable);
    });
}

namespace detail {

template <typename Visit>
struct slot_receiver {
    DestReceiver as_server; ///< first, as the server knows it by this alone
    Visit* visit;
};

} // namespace detail

/// The same for a plan whose rows need no copy: `visit(slot)` gets them from the executor, in its memory and among its
/// frames, so it raises errors of PostgreSQL only and throws nothing.
///
/// @param count of the plan's parameters
template <typename Visit>
void for_each_slot_by_key(SPIPlanPtr plan, const parameters& given, int count, Visit visit) {
    detail::slot_receiver<Visit> receiver{};
    receiver.visit = &visit;
    receiver.as_server.receiveSlot = [](TupleTableSlot* slot, DestReceiver* self) {
        (*reinterpret_cast<detail::slot_receiver<Visit>*>(self)->visit)(slot);
        return true;
    };
    receiver.as_server.rStartup = [](DestReceiver*, int, TupleDesc) {};
    receiver.as_server.rShutdown = [](DestReceiver*) {};
    receiver.as_server.rDestroy = [](DestReceiver*) {};
    receiver.as_server.mydest = DestTuplestore;
    pg::guarded([&] {
        SPIExecuteOptions options{};
        options.params = makeParamList(count);
        for (int i = 0; i < count; ++i) {
            ParamExternData& one = options.params->params[i];
            one.value = given.values[i];
            one.isnull = given.nulls[i] == 'n';
            one.pflags = PARAM_FLAG_CONST;
            one.ptype = SPI_getargtypeid(plan, i);
        }
        options.read_only = true;
        options.dest = &receiver.as_server;
        int code = SPI_execute_plan_extended(plan, &options);
        if (code != SPI_OK_SELECT) elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(code));
        pfree(options.params);
    });
}

} // namespace tenancy::search
