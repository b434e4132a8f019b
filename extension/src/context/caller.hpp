#pragma once

#include "pg/prelude.hpp"

namespace tenancy::context {

/// The role that asks for something of ours: whose rights count, and who is named as the actor.
///
/// What users call are invoker functions (control/entry.cpp). Each notes who the current role is before it goes on to its
/// implementation, a definer function. Inside of that the caller is the role that was noted; in every other code, also code of
/// somebody's that runs meanwhile (a trigger, an index expression), it is the current role. The role that the session has
/// outside of all functions is never asked: in ANALYZE, REINDEX or a cascade it is not the one whose code runs.
Oid caller();

/// Call `f(argument)`, which acts with the rights of `as`, for whoever is the caller now. Errors of PostgreSQL pass through.
void run_for_caller(Oid as, void (*f)(void*), void* argument);

template <typename F>
void for_caller(Oid as, F&& f) {
    run_for_caller(as, [](void* argument) { (*static_cast<std::remove_reference_t<F>*>(argument))(); }, &f);
}

} // namespace tenancy::context
