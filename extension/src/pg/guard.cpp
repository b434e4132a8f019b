#include "pg/guard.hpp"

namespace tenancy::pg::detail {

namespace {

/// What a boundary reports once the catch block is behind it. Trivial, so that ereport's longjmp skips nothing.
struct failure {
    ErrorData* raised = nullptr;
    int code = ERRCODE_INTERNAL_ERROR;
    const char* message = nullptr;
    const char* detail = nullptr;
    const char* hint = nullptr;
};

/// Copy into the current memory context, or null when it is out of memory: inside a catch block nothing may raise.
const char* copy(const char* text) noexcept {
    if (*text == '\0') return nullptr;
    std::size_t size = std::strlen(text) + 1;
    auto* bytes = static_cast<char*>(palloc_extended(size, MCXT_ALLOC_NO_OOM));
    return bytes ? static_cast<const char*>(std::memcpy(bytes, text, size)) : nullptr;
}

int encode(const std::string& sqlstate) noexcept {
    if (sqlstate.size() != 5) return ERRCODE_INTERNAL_ERROR;
    return MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]);
}

[[noreturn]] void report(const failure& failed) {
    if (failed.raised) ReThrowError(failed.raised);
    ereport(ERROR, (errcode(failed.code), errmsg_internal("%s", failed.message ? failed.message : "out of memory"),
                    failed.detail ? errdetail_internal("%s", failed.detail) : 0,
                    failed.hint ? errhint("%s", failed.hint) : 0));
    pg_unreachable();
}

} // namespace

// noinline: the frame that holds the jump buffer must not be merged into one with C++ objects in it.
__attribute__((noinline)) static ErrorData* raise_free(void (*call)(void*), void* argument,
                                                       std::exception_ptr& thrown) {
    MemoryContext context = CurrentMemoryContext;
    ErrorData* volatile raised = nullptr;

    PG_TRY();
    {
        // A C++ exception must not cross PG_TRY either: it would leave PG_exception_stack pointing into a dead frame.
        try {
            call(argument);
        } catch (...) {
            thrown = std::current_exception();
        }
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        raised = CopyErrorData();
        FlushErrorState();
    }
    PG_END_TRY();
    return raised;
}

void run_guarded(void (*call)(void*), void* argument) {
    std::exception_ptr thrown;
    ErrorData* raised = raise_free(call, argument, thrown);
    if (raised) throw server_error{raised};
    if (thrown) std::rethrow_exception(thrown);
}

Datum run_at_boundary(Datum (*body)(FunctionCallInfo), FunctionCallInfo fcinfo) {
    failure failed;
    try {
        return body(fcinfo);
    } catch (const server_error& e) {
        failed.raised = e.data();
    } catch (const error& e) {
        failed.code = encode(e.sqlstate());
        failed.message = copy(e.message().c_str());
        failed.detail = copy(e.detail().c_str());
        failed.hint = copy(e.hint().c_str());
    } catch (const std::bad_alloc&) {
        failed.code = ERRCODE_OUT_OF_MEMORY;
        failed.message = "out of memory";
    } catch (const std::exception& e) {
        failed.message = copy(e.what());
    } catch (...) {
        failed.message = "unknown C++ exception";
    }
    report(failed);
}

} // namespace tenancy::pg::detail
