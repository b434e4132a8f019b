#include "context/caller.hpp"

namespace tenancy::context {

namespace {

/// One call of an entry function that has not returned yet. Lives on the stack of run_for_caller().
struct frame {
    Oid caller;
    Oid acts_as;
    const frame* outer;
};

const frame* innermost = nullptr;

} // namespace

Oid caller() {
    Oid current = GetUserId();
    // Only our own code runs as the role that we act as. Whatever runs as another speaks for itself.
    return innermost != nullptr && current == innermost->acts_as ? innermost->caller : current;
}

void run_for_caller(Oid as, void (*f)(void*), void* argument) {
    const frame noted{caller(), as, innermost};
    innermost = &noted;
    PG_TRY();
    { f(argument); }
    PG_FINALLY();
    { innermost = noted.outer; }
    PG_END_TRY();
}

} // namespace tenancy::context
