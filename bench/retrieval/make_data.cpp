// Makes the rows of a benchmark of retrieval: for each tenant vectors, for COPY with about 900 bytes of words beside them, and
// as plain floats for what runs in memory; and queries.
//
//     make_data FOLDER DIMENSIONS QUERIES TENANTS CHUNKS ORDER SIZE...    vectors in clusters, from a fixed seed
//     make_data FOLDER words.json QUERIES TENANTS CHUNKS ORDER SIZE...    word vectors: {"vectors": {word: [...]}}
//
// A tenant of each SIZE, and TENANTS more of CHUNKS each. Documents have 20 chunks. They come as those of many tenants come
// (ORDER is interleaved: shuffled from a fixed seed), or all of one tenant after the other (contiguous).

#include "data.hpp"

#include <cstdint>
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

/// The binary form of COPY, which neither side has to print or parse.
class copy_file {
public:
    explicit copy_file(const std::string& path) : m_path{path}, m_file{path, std::ios::binary} {
        m_bytes.assign("PGCOPY\n\377\r\n\0", 11);
        number<std::uint32_t>(0);
        number<std::uint32_t>(0);
    }

    void row(std::uint16_t columns) {
        if (m_bytes.size() > (1u << 20)) write();
        number(columns);
    }
    void integer(std::size_t value) {
        number<std::uint32_t>(4);
        number(static_cast<std::uint32_t>(value));
    }
    void text(const std::string& value) {
        number(static_cast<std::uint32_t>(value.size()));
        m_bytes += value;
    }
    /// As pgvector's vector_recv() reads it.
    void vector(const float* values, std::size_t dims) {
        number(static_cast<std::uint32_t>(4 + 4 * dims));
        number(static_cast<std::uint16_t>(dims));
        number<std::uint16_t>(0);
        for (std::size_t i = 0; i < dims; ++i) {
            std::uint32_t bits;
            std::memcpy(&bits, values + i, sizeof bits);
            number(bits);
        }
    }
    void close() {
        number<std::uint16_t>(0xffff);
        write();
        m_file.close();
        if (!m_file) fail("cannot write " + m_path);
    }

private:
    template <typename Number>
    void number(Number value) {
        for (std::size_t i = sizeof value; i-- > 0;)
            m_bytes += static_cast<char>(value >> 8 * i & 0xff);
    }
    void write() {
        m_file.write(m_bytes.data(), static_cast<std::streamsize>(m_bytes.size()));
        m_bytes.clear();
    }

    std::string m_path, m_bytes;
    std::ofstream m_file;
};

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

/// Some of a tenant's rows, which are stored together.
struct document {
    std::size_t tenant, first, count;
};

struct tenant {
    std::string name;
    table rows;
};

std::size_t number_of(const char* text) { return std::strtoul(text, nullptr, 10); }

} // namespace

int main(int count, char** given) {
    if (count < 8) fail("usage: make_data FOLDER DIMENSIONS|WORDS.json QUERIES TENANTS CHUNKS interleaved|contiguous SIZE...");
    std::string folder = given[1], source = given[2], order = given[6];
    std::size_t asked = number_of(given[3]);
    bool are_words = source.find_first_not_of("0123456789") != std::string::npos;
    words dealt{are_words ? source : std::string{}};
    clusters made{are_words ? 0 : number_of(given[2])};
    auto make = [&](std::size_t rows) { return are_words ? dealt.next(rows) : made.rows(rows); };

    std::vector<tenant> tenants;
    copy_file queries{folder + "/queries.copy"};
    for (int i = 7; i < count; ++i) {
        std::string size = given[i];
        tenants.push_back({size, make(number_of(given[i]))});
        const table& rows = tenants.back().rows;
        table of = are_words ? dealt.next(asked) : made.queries(rows, asked);
        write_table(folder + "/rows." + size, rows);
        write_table(folder + "/queries." + size, of);
        for (std::size_t row = 0; row < of.rows(); ++row) {
            queries.row(3);
            queries.integer(number_of(given[i]));
            queries.integer(row);
            queries.vector(of.row(row), of.dims);
        }
    }
    queries.close();
    for (std::size_t i = 0; i < number_of(given[4]); ++i)
        tenants.push_back({"other-" + std::to_string(i), make(number_of(given[5]))});

    std::vector<document> documents;
    constexpr std::size_t in_document = 20;
    for (std::size_t i = 0; i < tenants.size(); ++i)
        for (std::size_t first = 0; first < tenants[i].rows.rows(); first += in_document)
            documents.push_back({i, first, std::min(in_document, tenants[i].rows.rows() - first)});
    std::mt19937_64 random{7};
    if (order == "interleaved") std::shuffle(documents.begin(), documents.end(), random);

    copy_file rows{folder + "/rows.copy"};
    for (std::size_t i = 0; i < documents.size(); ++i) {
        const tenant& whose = tenants[documents[i].tenant];
        for (std::size_t row = documents[i].first; row < documents[i].first + documents[i].count; ++row) {
            rows.row(5);
            rows.integer(i);
            rows.text(whose.name);
            rows.integer(row);
            rows.text(some_text(random));
            rows.vector(whose.rows.row(row), whose.rows.dims);
        }
    }
    rows.close();
}
