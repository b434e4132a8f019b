#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

/// A libFuzzer target: `text` is what the fuzzer made up. Whatever it is, nothing may crash, leak or go past the end.
#define FUZZ_TARGET(name)                                                                                              \
    static void fuzz_##name(std::string_view text);                                                                    \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {                                \
        fuzz_##name({reinterpret_cast<const char*>(data), size});                                                      \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static void fuzz_##name(std::string_view text)

/// What always holds; the fuzzer keeps the input that breaks it.
inline void require(bool holds) {
    if (!holds) std::abort();
}
