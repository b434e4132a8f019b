#include "pg/json.hpp"

namespace tenancy::pg {

// No error of jsonb's input function about its input leaves more behind than memory, so it can be dropped without a
// subtransaction. Any other error goes on.
bool to_jsonb(char* text, Datum& into) {
    MemoryContext around = CurrentMemoryContext;
    volatile bool fits = true;
    PG_TRY();
    {
        into = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(around);
        int category = ERRCODE_TO_CATEGORY(geterrcode());
        if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED) PG_RE_THROW();
        FlushErrorState();
        fits = false;
    }
    PG_END_TRY();
    return fits;
}

} // namespace tenancy::pg
