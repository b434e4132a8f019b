#pragma once

// The library is built with hidden visibility; what users link against, and every exception they catch, is
// marked.
#if defined(__GNUC__)
#define TENANCY_EXPORT __attribute__((visibility("default")))
#else
#define TENANCY_EXPORT
#endif
