#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "support/database.hpp"
#include "support/http_server.hpp"

namespace fs = std::filesystem;

namespace {

using namespace tenancy_test;
using json = nlohmann::json;

struct outcome {
    int code;
    std::string out, err;
};

// The programs that are built beside the tests, run as a user would.
class tools : public live {
protected:
    void SetUp() override {
        live::SetUp();
        if (IsSkipped())
            return;
        char name[] = "/tmp/tenancy_tools.XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder_ = name;
    }
    void TearDown() override {
        if (!folder_.empty())
            fs::remove_all(folder_);
        live::TearDown();
    }

    static std::string quoted(const std::string& text) {
        std::string result = "'";
        for (const char c : text) {
            if (c == '\'')
                result += "'\\''";
            else
                result += c;
        }
        return result + "'";
    }

    static std::string slurp(const fs::path& path) {
        std::ifstream in{path};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    outcome run(const std::string& command, const std::vector<std::string>& arguments,
                const std::string& environment = "") {
        std::string line = environment + " " + quoted(command);
        for (const auto& argument : arguments)
            line += " " + quoted(argument);
        line += " >" + quoted((folder_ / "out").string()) + " 2>" + quoted((folder_ / "err").string());
        const int status = std::system(line.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, slurp(folder_ / "out"), slurp(folder_ / "err")};
    }

    outcome ctl(std::vector<std::string> arguments, const std::string& conninfo) {
        arguments.insert(arguments.begin(), {"--db", conninfo});
        return run(TENANCYCTL, arguments);
    }
    outcome as_operator(std::vector<std::string> arguments) {
        return ctl(std::move(arguments), db().superuser());
    }
    outcome as_app(std::vector<std::string> arguments) { return ctl(std::move(arguments), db().app()); }

    std::string write(const std::string& name, const std::string& data) {
        const fs::path path = folder_ / "files" / name;
        fs::create_directories(path.parent_path());
        std::ofstream{path, std::ios::binary} << data;
        return path.string();
    }
    [[nodiscard]] std::string files() const { return (folder_ / "files").string(); }

private:
    fs::path folder_;
};

TEST_F(tools, help_helps) {
    const auto all = run(TENANCYCTL, {"--help"});
    EXPECT_EQ(all.code, 0);
    for (const char* word : {"Examples:", "Exit codes:", "tenant", "ingest", "search", "status", "PGHOST"})
        EXPECT_NE(all.out.find(word), std::string::npos) << word;
    for (const char* command : {"tenant", "ingest", "search", "status", "corpus", "organization"}) {
        const auto one = run(TENANCYCTL, {command, "--help"});
        EXPECT_EQ(one.code, 0) << command;
        EXPECT_NE(one.out.find("Usage"), std::string::npos) << command;
    }
    EXPECT_NE(run(TENANCYCTL, {"--version"}).out.find(TENANCY_VERSION), std::string::npos);
}

TEST_F(tools, wrong_usage_is_told_apart_from_failure) {
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{},
                                               {"nonsense"},
                                               {"tenant"},
                                               {"tenant", "create"},
                                               {"search", "--tenant", "acme"},
                                               {"search", "x"},
                                               {"search", "--tenant", "acme", "x", "-k", "0"},
                                               {"search", "--tenant", "acme", "x", "--mode", "psychic"},
                                               {"ingest", "--tenant", "acme"},
                                               {"--nonsense", "status"}}) {
        const auto result = as_app(arguments);
        EXPECT_EQ(result.code, 2) << (arguments.empty() ? "nothing" : arguments[0]);
        EXPECT_FALSE(result.err.empty());
    }
    EXPECT_EQ(as_app({"search", "-t", "acme", "--user", "not-a-uuid", "x"}).code, 2);
    EXPECT_EQ(ctl({"status"}, "host=/nonexistent").code, 3);
    EXPECT_EQ(ctl({"status"}, "nonsense").code, 3);
}

TEST_F(tools, tenants) {
    const auto organization =
        as_operator({"--json", "organization", "create", "library", "--name", "The Library"});
    ASSERT_EQ(organization.code, 0) << organization.err;
    const auto created = as_operator({"--json", "tenant", "create", "initech", "--name", "Initech",
                                      "--organization", "library", "--external-key", "42"});
    ASSERT_EQ(created.code, 0) << created.err;
    const std::string id = json::parse(created.out)["id"];
    const auto shown = as_operator({"tenant", "show", "initech", "--json"});
    const auto tenant = json::parse(shown.out);
    EXPECT_EQ(tenant["id"], id);
    EXPECT_EQ(tenant["name"], "Initech");
    EXPECT_EQ(tenant["status"], "active");
    EXPECT_EQ(tenant["organization"]["slug"], "library");
    EXPECT_EQ(tenant["external_key"], "42");
    EXPECT_EQ(json::parse(as_operator({"--json", "tenant", "list", "--organization", "library"}).out).size(),
              1u);
    EXPECT_GE(json::parse(as_operator({"--json", "tenant", "list"}).out).size(), 3u);
    EXPECT_NE(as_operator({"tenant", "list"}).out.find("initech"), std::string::npos);
    EXPECT_NE(as_operator({"tenant", "show", id}).out.find("initech"), std::string::npos);
    EXPECT_NE(as_operator({"tenant", "create", "initech"}).code, 0) << "a slug is unique";
    EXPECT_NE(as_operator({"tenant", "show", "nobody"}).code, 0);
    EXPECT_EQ(as_app({"tenant", "list"}).code, 1) << "an application may not";
    EXPECT_EQ(as_app({"tenant", "create", "mine"}).code, 11) << "nor make one without being in a tenant that lets it";
}

TEST_F(tools, ingest_and_search) {
    write("cats.txt", "The cat sat on the mat.\n\nCats sleep most of the day.\n");
    write("sub/dogs.md", "A dog barks at the postman.\r\n");
    write("binary", std::string("\x7f"
                                "ELF\0\0\0",
                                7));
    write("blank.txt", " \n\n ");
    const auto stored = as_app({"--json", "ingest", "--tenant", "acme", files()});
    ASSERT_EQ(stored.code, 0) << stored.err;
    const auto report = json::parse(stored.out);
    EXPECT_EQ(report["documents"], 2);
    EXPECT_EQ(report["chunks"], 2);
    EXPECT_EQ(report["skipped"].size(), 2u);
    EXPECT_EQ(report["embedder"], "feature-hashing-16") << "as many dimensions as the corpus has";

    const auto again = json::parse(as_app({"--json", "ingest", "--tenant", "acme", files()}).out);
    EXPECT_EQ(again["unchanged"], 2);
    EXPECT_EQ(again["documents"], 0);
    write("sub/dogs.md", "A dog barks at the postman!\n");
    const auto changed = json::parse(as_app({"--json", "ingest", "--tenant", "acme", files()}).out);
    EXPECT_EQ(changed["replaced"], 1);
    EXPECT_EQ(changed["unchanged"], 1);
    write("sub/dogs.md", "A dog barks at the postman.\n");
    const auto cut = json::parse(as_app({"--json", "ingest", "--tenant", "acme", "--chunk-size", "500", files()}).out);
    EXPECT_EQ(cut["replaced"], 2) << "other chunks are another content";
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "2");
    EXPECT_EQ(
        json::parse(as_app({"--json", "ingest", "--append", "--tenant", "acme", files()}).out)["replaced"],
        0);
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "4");

    for (const char* mode : {"match", "hybrid", "keyword"}) {
        const auto found = as_app({"--json", "search", "-t", "acme", "-m", mode, "-k", "1", "dog barks"});
        ASSERT_EQ(found.code, 0) << found.err;
        const auto results = json::parse(found.out)["results"];
        ASSERT_EQ(results.size(), 1u) << mode;
        EXPECT_EQ(results[0]["document_title"], "dogs.md") << mode;
        EXPECT_EQ(results[0]["content"], "A dog barks at the postman.") << mode;
        EXPECT_TRUE(
            json::parse(as_app({"--json", "search", "-t", "globex", "-m", mode, "dog barks"}).out)["results"]
                .empty())
            << "the other tenant sees nothing";
    }
    const auto text = as_app({"search", "--tenant", db().acme().to_string(), "dog barks"});
    EXPECT_NE(text.out.find("dogs.md"), std::string::npos);
    EXPECT_NE(as_app({"search", "--tenant", "globex", "dog"}).out.find("no results"), std::string::npos);
}

TEST_F(tools, two_projects_keep_their_documents_and_an_id_its_own) {
    const auto one = write("one/README.md", "This is the first project.\n");
    const auto two = write("two/README.md", "This is the second project.\n");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", one}).code, 0);
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", two}).code, 0);
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "2");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", files() + "/one/../one/./README.md"}).code, 0);
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "2") << "another way to name it is the same file";
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--root", files(), files() + "/one"}).code, 0);
    EXPECT_EQ(db().run("SELECT count(*) FROM documents WHERE source = 'one/README.md'"), "1");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--id", "contract-17", one}).code, 0);
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--id", "contract-17", two}).code, 0);
    EXPECT_EQ(db().run("SELECT count(*) FROM documents WHERE source = 'contract-17'"), "1");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--id", "both", one, two}).code, 2);
}

TEST_F(tools, one_bad_file_is_reported_and_the_rest_is_stored) {
    write("good.txt", "A good file.\n");
    const auto latin = write("latin.txt", "gr\xfc\xdf Gott\n");
    write("other/far.txt", "outside\n");
    fs::create_symlink("../other/far.txt", fs::path{write("in/near.txt", "near\n")}.parent_path() / "out.txt");
    const auto stored = as_app({"--json", "ingest", "--tenant", "acme", files() + "/good.txt", latin,
                                files() + "/missing", files() + "/in"});
    EXPECT_EQ(stored.code, 1);
    const auto report = json::parse(stored.out);
    EXPECT_EQ(report["documents"], 2);
    ASSERT_EQ(report["failed"].size(), 2u);
    EXPECT_EQ(report["failed"][0]["why"], "there is no such file or folder");
    EXPECT_EQ(report["failed"][1]["why"], "it is not UTF-8: say what it is with --encoding, such as LATIN1");
    ASSERT_EQ(report["skipped"].size(), 1u);
    EXPECT_EQ(report["skipped"][0]["why"], "it is a link that leads out of the folder");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--encoding", "LATIN1", latin}).code, 0);
    EXPECT_EQ(db().run("SELECT content FROM chunks WHERE content LIKE 'gr%'"), "gr\xc3\xbc\xc3\x9f Gott");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--encoding", "nothing", latin}).code, 2);
}

TEST_F(tools, a_corpus_refuses_another_model_s_embeddings) {
    const auto file = write("a.txt", "text of a");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", file}).code, 0);
    http_server endpoint{[](const http_request&) {
        http_response answer;
        answer.body = R"({"data": [{"index": 0, "embedding": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}]})";
        return answer;
    }};
    const auto other_model = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"--db", db().app()});
        arguments.insert(arguments.end(), {"--embedder", "http", "--model", "m", "--base-url", endpoint.url()});
        return run(TENANCYCTL, arguments, "no_proxy='*'");
    };
    const auto refused = other_model({"ingest", "--tenant", "acme", write("b.txt", "text of b")});
    EXPECT_EQ(refused.code, 20);
    EXPECT_NE(refused.err.find("holds embeddings of feature-hashing-16, not of m"), std::string::npos) << refused.err;
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "1");
    EXPECT_EQ(other_model({"search", "--tenant", "acme", "text"}).code, 20) << "a question of another model finds nothing true";
    EXPECT_EQ(other_model({"search", "--tenant", "acme", "-m", "keyword", "text"}).code, 0) << "words have no model";
    EXPECT_EQ(other_model({"ingest", "--tenant", "globex", file}).code, 0) << "what one tenant has says nothing to another";
    EXPECT_EQ(db().run("SELECT tenancy.set_embedding_model('feature-hashing-16')"), "");
    EXPECT_EQ(other_model({"ingest", "--tenant", "globex", file}).code, 20) << "what the owner says goes for all";
}

TEST_F(tools, the_extension_s_refusals_have_their_exit_codes) {
    const auto file = write("a.txt", "text");
    const auto unknown = as_app({"search", "--tenant", "nobody", "x"});
    EXPECT_EQ(unknown.code, 12);
    EXPECT_NE(unknown.err.find("TN002"), std::string::npos);
    const auto machine_readable = as_app({"--json", "search", "--tenant", "nobody", "x"});
    EXPECT_EQ(json::parse(machine_readable.err)["error"]["sqlstate"], "TN002");
    EXPECT_EQ(machine_readable.out, "");
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--corpus", "nowhere", file}).code, 20);
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--dimensions", "8", file}).code, 20);
    EXPECT_EQ(as_app({"search", "--tenant", "acme", "--dimensions", "8", "x"}).code, 20);
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", files() + "/missing"}).code, 1);
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--overlap", "900", file}).code, 2);
    EXPECT_EQ(as_app({"ingest", "--tenant", "acme", "--embedder", "http", file}).code, 2) << "no model";
    http_server endpoint{[](const http_request&) {
        http_response refusal;
        refusal.status = 401;
        return refusal;
    }};
    EXPECT_EQ(run(TENANCYCTL,
                  {"--db", db().app(), "ingest", "--tenant", "acme", "--embedder", "http", "--model", "m",
                   "--base-url", endpoint.url(), file},
                  "OPENAI_API_KEY=key-1 no_proxy='*'")
                  .code,
              4);
    EXPECT_EQ(endpoint.requests().at(0).headers.at("authorization"), "Bearer key-1");
    EXPECT_EQ(db().run("SELECT count(*) FROM documents"), "0");
}

TEST_F(tools, an_owner_may_make_the_corpus_on_the_way) {
    const auto file = write("a.txt", "some text");
    EXPECT_EQ(as_operator({"-q", "ingest", "--tenant", "acme", "--create-corpus", "--corpus", "notes",
                           "--dimensions", "32", file})
                  .code,
              0);
    EXPECT_EQ(db().run("SELECT dimensions FROM tenancy.corpora WHERE name = 'notes'"), "32");
    EXPECT_EQ(as_operator({"corpus", "create", "more", "--dimensions", "8", "--metric", "l2"}).code, 0);
    EXPECT_EQ(as_operator({"corpus", "create", "more", "--dimensions", "8"}).code == 0, false);
    EXPECT_EQ(as_app({"corpus", "create", "mine", "--dimensions", "8"}).code, 1);
}

TEST_F(tools, acts_as_a_role) {
    const auto bypassing = json::parse(as_operator({"--json", "status"}).out);
    EXPECT_EQ(bypassing["server"]["bypasses_row_security"], true);
    const auto status = json::parse(as_operator({"--json", "--role", db().app_role(), "status"}).out);
    EXPECT_EQ(status["server"]["role"], db().app_role());
    EXPECT_EQ(status["server"]["bypasses_row_security"], false);
    EXPECT_NE(as_operator({"--role", "no such role", "status"}).code, 0);
}

TEST_F(tools, status_shows_what_there_is) {
    const auto status = json::parse(as_operator({"--json", "status"}).out);
    EXPECT_EQ(status["extension"]["installed"], status["extension"]["available"]);
    EXPECT_EQ(status["roles"][0]["role"], db().app_role());
    EXPECT_EQ(status["roles"][0]["trust"], "session");
    EXPECT_EQ(status["tenants"]["active"], 3);
    EXPECT_EQ(status["corpora"][0]["name"], "default");
    EXPECT_EQ(status["corpora"][0]["dimensions"], 16);
    EXPECT_EQ(status["corpora"][0]["chunk_count"], 0);
    const auto text = as_app({"status"});
    EXPECT_EQ(text.code, 0) << text.err;
    EXPECT_NE(text.out.find("tenants      not shown to this role"), std::string::npos) << text.out;
    db().run("DROP EXTENSION tenancy CASCADE");
    EXPECT_NE(as_operator({"status"}).out.find("CREATE EXTENSION tenancy"), std::string::npos);
}

TEST_F(tools, the_quickstart_of_the_readme) {
    db().run("SELECT tenancy.drop_corpus('default', true)");
    db().run("SELECT tenancy.create_corpus(dimensions => 256)");
    std::string environment;
    pqxx::connection c{db().app()};
    environment = "PGHOST=" + quoted(c.hostname() ? c.hostname() : "") +
                  " PGPORT=" + quoted(c.port() ? c.port() : "") + " PGDATABASE=" + quoted(c.dbname()) +
                  " PGUSER=" + quoted(c.username());
    const auto result = run(TENANCY_QUICKSTART, {}, environment);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "Returns: You may return goods within thirty days.\n");
    db().run("UPDATE tenancy.tenants SET status = 'suspended' WHERE slug = 'acme'");
    EXPECT_EQ(run(TENANCY_QUICKSTART, {}, environment).code, 2);
}

} // namespace
