#pragma once

// The wide registers of x86, where there are any.

#if defined(__x86_64__) && defined(__GNUC__)
#define TENANCY_X86 1
// gcc 12's own headers make undefined registers in a way that it then warns of.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif
