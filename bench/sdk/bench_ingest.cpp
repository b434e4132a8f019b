// How fast documents and chunks get into a corpus: tenancy::ingest against row by row, and against COPY into
// a temporary table. TENANCY_TEST_URL="$(scripts/cluster url NAME)" build/cmake/bench/sdk/bench_ingest
// [CHUNKS [DIMENSIONS]]

#include <cstdio>
#include <functional>
#include <random>

#include "common.hpp"
#include "literals.hpp"

namespace {

constexpr int chunks_per_document = 10;
constexpr int rounds = 3;
constexpr auto line_delay = std::chrono::microseconds{500};

std::vector<tenancy::new_document> make_documents(int chunks, int dimensions) {
    std::mt19937 engine{42};
    std::normal_distribution<float> number;
    std::uniform_int_distribution<int> letter{'a', 'z'};
    std::vector<std::string> vocabulary(5000);
    for (auto& word : vocabulary)
        for (int i = 0; i < 7; ++i)
            word += static_cast<char>(letter(engine));
    std::uniform_int_distribution<std::size_t> word{0, vocabulary.size() - 1};
    std::vector<tenancy::new_document> documents;
    for (int i = 0; i < chunks; ++i) {
        if (i % chunks_per_document == 0) {
            documents.emplace_back();
            documents.back().title = "document " + std::to_string(i);
            documents.back().source = "/bench/" + std::to_string(i);
        }
        tenancy::new_chunk chunk;
        for (int w = 0; w < 100; ++w)
            chunk.content += vocabulary[word(engine)] + " ";
        for (int d = 0; d < dimensions; ++d)
            chunk.embedding.push_back(number(engine));
        documents.back().chunks.push_back(std::move(chunk));
    }
    return documents;
}

pqxx::params document_row(const tenancy::new_document& document, const std::string& id) {
    pqxx::params parameters;
    parameters.append(id);
    parameters.append(document.title);
    parameters.append(document.source);
    parameters.append(document.metadata);
    return parameters;
}

pqxx::params chunk_row(const tenancy::new_chunk& chunk, const std::string& document, int index) {
    pqxx::params parameters;
    parameters.append(document);
    parameters.append(index);
    parameters.append(chunk.content);
    parameters.append(tenancy::detail::vector_text(chunk.embedding));
    parameters.append(chunk.metadata);
    return parameters;
}

constexpr const char* document_sql =
    "INSERT INTO documents (id, title, source, metadata) VALUES ($1, $2, $3, $4)";
constexpr const char* chunk_sql =
    "INSERT INTO chunks (document_id, chunk_index, content, embedding, metadata) VALUES ($1, $2, $3, $4, $5)";

void row_by_row(tenancy::transaction& tx, const std::vector<tenancy::new_document>& documents) {
    for (const auto& document : documents) {
        const std::string id = tenancy::document_id::generate().to_string();
        tx.exec(document_sql, document_row(document, id));
        int index = 0;
        for (const auto& chunk : document.chunks)
            tx.exec(chunk_sql, chunk_row(chunk, id, index++));
    }
}

// COPY is refused on the table itself, so it goes through one of the session's own.
void staged_copy(tenancy::transaction& tx, const std::vector<tenancy::new_document>& documents) {
    tx.exec("CREATE TEMP TABLE staged_documents (id uuid, title text, source text, metadata jsonb) ON COMMIT "
            "DROP");
    tx.exec(
        "CREATE TEMP TABLE staged_chunks (document_id uuid, chunk_index int, content text, embedding vector, "
        "metadata jsonb) ON COMMIT DROP");
    std::vector<std::string> ids;
    {
        auto rows = pqxx::stream_to::raw_table(tx, "staged_documents", "id, title, source, metadata");
        for (const auto& document : documents) {
            ids.push_back(tenancy::document_id::generate().to_string());
            rows.write_values(ids.back(), document.title, document.source, document.metadata);
        }
        rows.complete();
    }
    {
        auto rows = pqxx::stream_to::raw_table(tx, "staged_chunks",
                                               "document_id, chunk_index, content, embedding, metadata");
        for (std::size_t d = 0; d < documents.size(); ++d) {
            int index = 0;
            for (const auto& chunk : documents[d].chunks)
                rows.write_values(ids[d], index++, chunk.content,
                                  tenancy::detail::vector_text(chunk.embedding), chunk.metadata);
        }
        rows.complete();
    }
    tx.exec("INSERT INTO documents (id, title, source, metadata) SELECT * FROM staged_documents");
    tx.exec("INSERT INTO chunks (document_id, chunk_index, content, embedding, metadata) SELECT * FROM "
            "staged_chunks");
}

} // namespace

int main(int argc, char** argv) try {
    const int chunks = argc > 1 ? std::atoi(argv[1]) : 5000;
    const int dimensions = argc > 2 ? std::atoi(argv[2]) : 384;
    if (chunks < 1 || dimensions < 1 || dimensions > 16000) {
        std::cerr << "usage: bench_ingest [CHUNKS [DIMENSIONS]]\n";
        return 2;
    }
    const bench::scratch_database db{bench::url_or_exit()};
    const auto run = [&](const std::string& sql) {
        return bench::scratch_database::execute(db.superuser(), sql);
    };
    run("SELECT tenancy.create_corpus(dimensions => " + std::to_string(dimensions) + ")");
    run("SELECT tenancy.grant_app('tenancy_bench_app')");
    const tenancy::tenant_id acme{run("SELECT tenancy.create_tenant('acme')")};
    const auto documents = make_documents(chunks, dimensions);

    const auto measure = [&](const std::string& conninfo) {
        tenancy::connection c{conninfo};
        struct way {
            const char* name;
            std::function<void(tenancy::transaction&)> store;
            std::vector<double> times, work;
        };
        std::vector<way> ways{
            {"row by row, one INSERT each", [&](auto& tx) { row_by_row(tx, documents); }, {}, {}},
            {"COPY into a temporary table", [&](auto& tx) { staged_copy(tx, documents); }, {}, {}},
            {"tenancy::ingest", [&](auto& tx) { tenancy::ingest(tx, documents); }, {}, {}},
        };
        const int backend = c.native().backendpid();
        for (int round = 0; round < rounds; ++round) {
            for (auto& w : ways) {
                run("TRUNCATE chunks, documents");
                run("CHECKPOINT");
                const double work_before = bench::processor_time(backend);
                const auto started = std::chrono::steady_clock::now();
                tenancy::transaction tx{c, acme};
                w.store(tx);
                tx.commit();
                w.times.push_back(bench::seconds(started));
                w.work.push_back(bench::processor_time(backend) - work_before);
                if (run("SELECT count(*) FROM chunks") != std::to_string(chunks))
                    throw std::runtime_error{std::string{w.name} + " lost rows"};
            }
        }
        const double first = bench::median(ways.front().times);
        std::printf("%-30s %10s %10s %16s %16s\n", "", "time", "chunks/s", "times as fast", "processor time");
        for (const auto& w : ways)
            std::printf("%-30s %8.3f s %10.0f %16.2f %14.3f s\n", w.name, bench::median(w.times),
                        chunks / bench::median(w.times), first / bench::median(w.times),
                        bench::median(w.work));
    };
    {
        pqxx::connection c{db.app()};
        std::printf("%s\n", bench::machine(c).c_str());
    }
    std::printf(
        "%d chunks of 100 words and %d dimensions in %zu documents, one transaction each time, %d times in "
        "turns; medians\n\n",
        chunks, dimensions, documents.size(), rounds);
    measure(db.app());
    std::printf("\nover a line whose round trip takes %lld us:\n",
                static_cast<long long>(line_delay.count()));
    tenancy_test::proxy line{tenancy_test::server_socket(db.superuser()), line_delay};
    measure(db.app_through(line.host()));
    return 0;
} catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
}
