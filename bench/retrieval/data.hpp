#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

/// Vectors one after the other.
struct table {
    std::size_t dims = 0;
    std::vector<float> values;

    std::size_t rows() const { return dims ? values.size() / dims : 0; }
    const float* row(std::size_t number) const { return values.data() + number * dims; }
};

[[noreturn]] inline void fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

inline table read_table(const std::string& path, std::size_t dims) {
    std::ifstream file{path, std::ios::binary | std::ios::ate};
    if (!file) fail("cannot read " + path);
    table of{dims, std::vector<float>(static_cast<std::size_t>(file.tellg()) / sizeof(float))};
    file.seekg(0);
    file.read(reinterpret_cast<char*>(of.values.data()), static_cast<std::streamsize>(of.values.size() * sizeof(float)));
    return of;
}

inline void write_table(const std::string& path, const table& of) {
    std::ofstream file{path, std::ios::binary};
    file.write(reinterpret_cast<const char*>(of.values.data()),
               static_cast<std::streamsize>(of.values.size() * sizeof(float)));
    if (!file) fail("cannot write " + path);
}
