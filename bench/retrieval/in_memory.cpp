// What one process without a database takes for the same searches: a loop over one-byte codes, the engine's own scan, and where
// they are installed hnswlib and faiss with the least effort that reaches the recall. One line each: name, p50 in
// microseconds, recall.
//
//     in_memory FOLDER DIMENSIONS SIZE RECALL [scans]    with scans: no graphs, which take long to build

#include "data.hpp"
#include "engine.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>

#if __has_include(<hnswlib/hnswlib.h>)
#include <hnswlib/hnswlib.h>
#define WITH_HNSWLIB 1
#endif
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef WITH_FAISS
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#endif

namespace {

constexpr std::size_t wanted = 10;

using answer = std::vector<std::size_t>;
using searcher = std::function<answer(const float*)>;

double microseconds() {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

table normalised(table of) {
    for (std::size_t i = 0; i < of.rows(); ++i) {
        float* row = of.values.data() + i * of.dims;
        double squares = 0;
        for (std::size_t j = 0; j < of.dims; ++j)
            squares += static_cast<double>(row[j]) * row[j];
        for (std::size_t j = 0; j < of.dims; ++j)
            row[j] = static_cast<float>(row[j] / std::sqrt(squares > 0 ? squares : 1));
    }
    return of;
}

template <typename Score>
answer best(std::size_t rows, Score score) {
    std::vector<std::pair<float, std::size_t>> heap;
    for (std::size_t i = 0; i < rows; ++i) {
        float value = score(i);
        if (heap.size() < wanted) {
            heap.push_back({value, i});
            std::push_heap(heap.begin(), heap.end(), std::greater<>{});
        } else if (value > heap.front().first) {
            std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
            heap.back() = {value, i};
            std::push_heap(heap.begin(), heap.end(), std::greater<>{});
        }
    }
    answer found;
    for (const auto& each : heap)
        found.push_back(each.second);
    return found;
}

/// One byte a number and a scale for each vector, and nothing else: no bound, no visibility, no row.
struct codes {
    std::size_t dims;
    std::vector<std::uint8_t> bytes;
    std::vector<float> scales;

    explicit codes(const table& of) : dims{of.dims}, bytes(of.values.size()), scales(of.rows()) {
        for (std::size_t i = 0; i < of.rows(); ++i) {
            float most = 0;
            for (std::size_t j = 0; j < dims; ++j)
                most = std::max(most, std::fabs(of.row(i)[j]));
            scales[i] = most / 127;
            for (std::size_t j = 0; j < dims; ++j)
                bytes[i * dims + j] = static_cast<std::uint8_t>(128 + std::lrint(of.row(i)[j] / scales[i]));
        }
    }

    answer search(const float* asked) const {
        float most = 0;
        for (std::size_t j = 0; j < dims; ++j)
            most = std::max(most, std::fabs(asked[j]));
        std::vector<std::int8_t> numbers(dims);
        std::int32_t bias = 0;
        for (std::size_t j = 0; j < dims; ++j) {
            numbers[j] = static_cast<std::int8_t>(std::lrint(asked[j] / most * 127));
            bias += 128 * numbers[j];
        }
        return best(scales.size(), [&](std::size_t i) {
            const std::uint8_t* row = bytes.data() + i * dims;
            std::int32_t sum = -bias;
            for (std::size_t j = 0; j < dims; ++j)
                sum += row[j] * numbers[j];
            return static_cast<float>(sum) * scales[i];
        });
    }
};

struct measured {
    double p50, recall;
};

measured measure(const table& queries, const std::vector<answer>& truth, const searcher& search) {
    std::vector<double> took;
    std::size_t hits = 0, all = 0;
    // The first round warms up; then as many as a tenth of a second takes.
    double spent = 0;
    for (int round = 0; round < 2 || spent < 1e5; ++round) {
        if (round <= 1) took.clear();
        hits = all = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            double began = microseconds();
            answer found = search(queries.row(i));
            took.push_back(microseconds() - began);
            spent += took.back();
            std::set<std::size_t> right(truth[i].begin(), truth[i].end());
            for (std::size_t each : found)
                hits += right.count(each);
            all += right.size();
        }
    }
    std::nth_element(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2), took.end());
    return {took[took.size() / 2], static_cast<double>(hits) / static_cast<double>(all)};
}

void tell(const char* name, const measured& of) { std::printf("%s|%.2f|%.4f\n", name, of.p50, of.recall); }

} // namespace

int main(int count, char** given) {
    if (count != 5 && count != 6) fail("usage: in_memory FOLDER DIMENSIONS SIZE RECALL [scans]");
    std::string folder = given[1], size = given[3];
    std::size_t dims = std::strtoul(given[2], nullptr, 10);
    double enough = std::strtod(given[4], nullptr);
    table rows = normalised(read_table(folder + "/rows." + size, dims));
    table queries = normalised(read_table(folder + "/queries." + size, dims));

    std::vector<answer> truth;
    for (std::size_t i = 0; i < queries.rows(); ++i)
        truth.push_back(best(rows.rows(), [&](std::size_t row) {
            float sum = 0;
            for (std::size_t j = 0; j < dims; ++j)
                sum += rows.row(row)[j] * queries.row(i)[j];
            return sum;
        }));

    codes packed{rows};
    engine ours{rows};
    auto loop = [&](const float* asked) { return packed.search(asked); };
    auto scan = [&](const float* asked) { return ours.search(asked, wanted); };
    measured first = measure(queries, truth, loop), second = measure(queries, truth, scan);
    measured third = measure(queries, truth, loop), fourth = measure(queries, truth, scan);
    tell("int8 loop", {(first.p50 + third.p50) / 2, first.recall});
    tell("our scan in memory", {(second.p50 + fourth.p50) / 2, second.recall});
    if (rows.rows() < 1000 || count == 6) return 0;
#ifdef WITH_HNSWLIB
    {
        hnswlib::InnerProductSpace space{dims};
        hnswlib::HierarchicalNSW<float> graph{&space, rows.rows(), 16, 64};
        // Built by all processors, searched by one.
#pragma omp parallel for schedule(dynamic, 64)
        for (std::size_t i = 0; i < rows.rows(); ++i)
            graph.addPoint(rows.row(i), i);
        for (std::size_t ef : {10, 20, 40, 80, 160, 320, 640, 1280}) {
            graph.setEf(ef);
            measured now = measure(queries, truth, [&](const float* asked) {
                answer found;
                for (auto queue = graph.searchKnn(asked, wanted); !queue.empty(); queue.pop())
                    found.push_back(queue.top().second);
                return found;
            });
            if (now.recall < enough && ef < 1280) continue;
            tell("hnswlib", now);
            break;
        }
    }
#endif
#ifdef WITH_FAISS
    {
        faiss::IndexHNSWFlat graph{static_cast<int>(dims), 16, faiss::METRIC_INNER_PRODUCT};
        graph.hnsw.efConstruction = 64;
        graph.add(static_cast<faiss::Index::idx_t>(rows.rows()), rows.values.data());
#ifdef _OPENMP
        omp_set_num_threads(1);
#endif
        faiss::IndexFlatIP flat{static_cast<faiss::Index::idx_t>(dims)};
        flat.add(static_cast<faiss::Index::idx_t>(rows.rows()), rows.values.data());
        auto with = [&](const faiss::Index& index) {
            return [&](const float* asked) {
                float near[wanted];
                faiss::Index::idx_t found[wanted];
                index.search(1, asked, wanted, near, found);
                return answer(found, found + wanted);
            };
        };
        for (int ef : {10, 20, 40, 80, 160, 320, 640, 1280}) {
            graph.hnsw.efSearch = ef;
            measured now = measure(queries, truth, with(graph));
            if (now.recall < enough && ef < 1280) continue;
            tell("faiss HNSW", now);
            break;
        }
        tell("faiss flat", measure(queries, truth, with(flat)));
    }
#endif
}
