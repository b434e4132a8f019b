#pragma once

#include "pg/prelude.hpp"
#include "pure/error.hpp"

#include <optional>

namespace tenancy::pg {

/// An ereport(ERROR) that was caught on its way up and must continue it.
///
/// Whoever catches one may tidy up, and then lets it go on: swallowing it would leave the transaction undecided. The
/// error data lives in the memory context that was current when the guard was entered.
class server_error : public std::exception {
public:
    explicit server_error(ErrorData* data) noexcept : m_data{data} {}

    const char* what() const noexcept override { return m_data->message ? m_data->message : "unknown error"; }
    ErrorData* data() const noexcept { return m_data; }

private:
    ErrorData* m_data;
};

namespace detail {

/// Run `call(argument)`; throw server_error where it raises an error of PostgreSQL, and let C++ exceptions through.
void run_guarded(void (*call)(void*), void* argument);

/// Run the body of a SQL-callable function; what it throws becomes an ereport after the catch block is left.
Datum run_at_boundary(Datum (*body)(FunctionCallInfo), FunctionCallInfo fcinfo);

} // namespace detail

/// Call `f`, which may raise errors of PostgreSQL, while C++ objects with destructors are alive outside of it.
///
/// An error becomes a thrown server_error, so those destructors run. Inside `f` itself no object with a destructor may be alive
/// when PostgreSQL raises.
///
/// @returns what `f` returns
/// @throws  server_error
template <typename F>
auto guarded(F&& f) -> std::invoke_result_t<F&> {
    using result = std::invoke_result_t<F&>;
    if constexpr (std::is_void_v<result>) {
        detail::run_guarded([](void* argument) { (*static_cast<std::remove_reference_t<F>*>(argument))(); }, &f);
    } else {
        struct call {
            std::remove_reference_t<F>& f;
            std::optional<result> value;
        } call{f, std::nullopt};
        detail::run_guarded(
            [](void* argument) {
                auto* self = static_cast<struct call*>(argument);
                self->value.emplace(self->f());
            },
            &call);
        return std::move(*call.value);
    }
}

} // namespace tenancy::pg

/// Declare a SQL-callable function and define its body inside the boundary: C++ exceptions never leave it.
///
///     TENANCY_FUNCTION(tenancy_has_context) { PG_RETURN_BOOL(...); }
#define TENANCY_FUNCTION(name)                                                                                         \
    static Datum name##_body(FunctionCallInfo fcinfo);                                                                 \
    extern "C" {                                                                                                       \
    PGDLLEXPORT PG_FUNCTION_INFO_V1(name);                                                                             \
    PGDLLEXPORT Datum name(FunctionCallInfo fcinfo) {                                                                  \
        return ::tenancy::pg::detail::run_at_boundary(name##_body, fcinfo);                                            \
    }                                                                                                                  \
    }                                                                                                                  \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
