// Makes the rows of a benchmark of retrieval: for each tenant vectors, as text for COPY with about 900 bytes of words
// beside them, and as plain floats for what runs in memory; and queries.
//
//     make_data FOLDER DIMENSIONS QUERIES SIZE...            vectors in clusters, from a fixed seed
//     make_data FOLDER words.json QUERIES SIZE...            word vectors: a JSON object with "vectors": {word: [...]}

#include "data.hpp"

#include <cstring>
#include <iterator>

namespace {

/// Some fifty vectors around each centre, as texts on one subject are; queries are near a row of the tenant.
class clusters {
public:
    explicit clusters(std::size_t dims) : m_dims{dims} {}

    table rows(std::size_t count) {
        m_centres = gaussians(count / 50 + 1);
        table of = gaussians(count);
        for (std::size_t i = 0; i < count; ++i) {
            const float* centre = m_centres.row(m_random() % m_centres.rows());
            for (std::size_t j = 0; j < m_dims; ++j)
                of.values[i * m_dims + j] = centre[j] + 0.8f * of.values[i * m_dims + j];
        }
        return of;
    }

    table queries(const table& of, std::size_t count) {
        table asked = gaussians(count);
        for (std::size_t i = 0; i < count; ++i) {
            const float* near = of.row(m_random() % of.rows());
            for (std::size_t j = 0; j < m_dims; ++j)
                asked.values[i * m_dims + j] = near[j] + 0.5f * asked.values[i * m_dims + j];
        }
        return asked;
    }

private:
    table gaussians(std::size_t count) {
        table of{m_dims, std::vector<float>(count * m_dims)};
        for (float& value : of.values)
            value = m_normal(m_random);
        return of;
    }

    std::size_t m_dims;
    std::mt19937_64 m_random{20240501};
    std::normal_distribution<float> m_normal;
    table m_centres;
};

/// Dealt out in an order that is shuffled once; queries are words that no tenant has.
class words {
public:
    explicit words(const std::string& path) {
        if (path.empty()) return;
        std::ifstream file{path, std::ios::binary};
        std::string text{std::istreambuf_iterator<char>{file}, {}};
        std::size_t at = text.find("\"vectors\":{");
        if (at == std::string::npos) fail(path + " has no \"vectors\"");
        const char* next = text.c_str() + at;
        constexpr std::size_t dims = 100;
        m_all.dims = dims;
        // A word may hold a bracket in quotes; numbers follow only a colon.
        while ((next = std::strstr(next, "\":[")) != nullptr) {
            next += 3;
            std::size_t count = 0;
            for (char* end; count < dims; next = end + 1, ++count) {
                float value = std::strtof(next, &end);
                if (end == next) break;
                m_all.values.push_back(value);
                if (*end != ',') {
                    ++count;
                    break;
                }
            }
            if (count < dims) m_all.values.resize(m_all.values.size() - count);
        }
        m_order.resize(m_all.rows());
        for (std::size_t i = 0; i < m_order.size(); ++i)
            m_order[i] = i;
        std::mt19937_64 random{20240501};
        std::shuffle(m_order.begin(), m_order.end(), random);
    }

    std::size_t dims() const { return m_all.dims; }

    table next(std::size_t count) {
        if (m_used + count > m_order.size()) fail("there are not so many words");
        table of{m_all.dims, {}};
        for (; count > 0; --count) {
            const float* row = m_all.row(m_order[m_used++]);
            of.values.insert(of.values.end(), row, row + m_all.dims);
        }
        return of;
    }

private:
    table m_all;
    std::vector<std::size_t> m_order;
    std::size_t m_used = 0;
};

void print_vector(const float* values, std::size_t dims) {
    std::putchar('[');
    for (std::size_t i = 0; i < dims; ++i)
        std::printf(i ? ",%.6g" : "%.6g", static_cast<double>(values[i]));
    std::fputs("]\n", stdout);
}

/// Words of Zipf's law, which a text search configuration reads as such.
std::string some_text(std::mt19937_64& random) {
    std::string text;
    while (text.size() < 900) {
        double u = static_cast<double>(random() >> 11) * 0x1p-53;
        unsigned rank = static_cast<unsigned>(std::exp(u * std::log(20000.0)));
        static const char* syllables[] = {"ka", "lo", "mi", "ter", "sun", "vel", "dra", "po", "nex", "ri"};
        for (unsigned n = rank; ; n /= 10) {
            text += syllables[n % 10];
            if (n < 10) break;
        }
        text += ' ';
    }
    return text;
}

/// Floats that have been through text, so that all see the same.
void round_to_text(table& of) {
    char buffer[32];
    for (float& value : of.values) {
        std::snprintf(buffer, sizeof buffer, "%.6g", static_cast<double>(value));
        value = std::strtof(buffer, nullptr);
    }
}

} // namespace

int main(int count, char** given) {
    if (count < 5) fail("usage: make_data FOLDER DIMENSIONS|WORDS.json QUERIES SIZE...");
    std::string folder = given[1], source = given[2];
    std::size_t asked = std::strtoul(given[3], nullptr, 10);
    bool are_words = source.find_first_not_of("0123456789") != std::string::npos;
    words dealt{are_words ? source : std::string{}};
    clusters made{are_words ? 0 : std::strtoul(source.c_str(), nullptr, 10)};
    std::mt19937_64 random{7};
    for (int i = 4; i < count; ++i) {
        std::string size = given[i];
        table rows = are_words ? dealt.next(std::strtoul(given[i], nullptr, 10)) : made.rows(std::strtoul(given[i], nullptr, 10));
        table queries = are_words ? dealt.next(asked) : made.queries(rows, asked);
        round_to_text(rows);
        round_to_text(queries);
        write_table(folder + "/rows." + size, rows);
        write_table(folder + "/queries." + size, queries);
        if (!std::freopen((folder + "/rows." + size + ".copy").c_str(), "w", stdout)) fail("cannot write to " + folder);
        for (std::size_t row = 0; row < rows.rows(); ++row) {
            std::printf("%zu\t%s\t", row, some_text(random).c_str());
            print_vector(rows.row(row), rows.dims);
        }
        if (!std::freopen((folder + "/queries." + size + ".copy").c_str(), "w", stdout)) fail("cannot write to " + folder);
        for (std::size_t row = 0; row < queries.rows(); ++row) {
            std::printf("%s\t%zu\t", size.c_str(), row);
            print_vector(queries.row(row), queries.dims);
        }
        std::fflush(stdout);
    }
}
