#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include "support/control_plane.hpp"

namespace {

using namespace tenancy_test;
using json = nlohmann::json;

struct outcome {
    int code;
    /// Standard output.
    std::string out;
};

// The commands of the control plane, run as an operator would.
class control_tools : public control_plane {
protected:
    static outcome ctl(const std::string& conninfo, const std::vector<std::string>& arguments) {
        std::string line = std::string{"'"} + TENANCYCTL + "' --db " + quoted(conninfo);
        for (const auto& argument : arguments)
            line += " " + quoted(argument);
        line += " 2>/dev/null";
        FILE* pipe = popen(line.c_str(), "r");
        if (!pipe)
            throw std::runtime_error{"cannot run " + line};
        std::string out;
        char buffer[4096];
        for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
            out.append(buffer, n);
        const int status = pclose(pipe);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out};
    }
    outcome run(const std::vector<std::string>& arguments) { return ctl(operator_conninfo(), arguments); }
    json run_json(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "--json");
        const auto result = run(arguments);
        EXPECT_EQ(result.code, 0) << arguments[1] << " " << arguments[2];
        return json::parse(result.out, nullptr, false);
    }
    // A command whose table has these texts in it.
    void expect_table(const std::vector<std::string>& arguments, const std::vector<std::string>& texts) {
        const auto result = run(arguments);
        EXPECT_EQ(result.code, 0) << arguments[0] << " " << arguments[1];
        for (const auto& text : texts)
            EXPECT_NE(result.out.find(text), std::string::npos) << text << " is not in\n" << result.out;
    }

private:
    static std::string quoted(const std::string& text) {
        std::string result = "'";
        for (const char c : text)
            result += c == '\'' ? std::string{"'\\''"} : std::string{c};
        return result + "'";
    }
};

TEST_F(control_tools, organizations_and_tenants) {
    EXPECT_EQ(run({"org", "create", "library", "--name", "The Library"}).code, 0);
    EXPECT_EQ(run({"org", "plan", "library", "pro"}).code, 0);
    EXPECT_EQ(run({"org", "update", "library", "--settings", R"({"a": 1})"}).code, 0);
    const auto shown = run_json({"organization", "show", "library"});
    EXPECT_EQ(shown["plan"], "pro");
    EXPECT_EQ(shown["settings"]["a"], 1);
    EXPECT_EQ(run_json({"org", "list"}).size(), 2u);
    expect_table({"org", "list"}, {"slug", "library", "The Library"});
    EXPECT_EQ(run({"org", "show", "nobody"}).code, 1);

    EXPECT_EQ(run({"tenant", "create", "initech", "--organization", "library"}).code, 0);
    EXPECT_EQ(run({"tenant", "update", "initech", "--name", "Initech"}).code, 0);
    EXPECT_EQ(run({"tenant", "suspend", "initech"}).code, 0);
    EXPECT_EQ(run_json({"tenant", "show", "initech"})["status"], "suspended");
    EXPECT_EQ(run({"tenant", "resume", "initech"}).code, 0);
    db().run(
        "INSERT INTO public.documents (tenant_id, title) SELECT id, 'one' FROM tenancy.tenants WHERE slug = "
        "'initech'");
    const auto exported = run({"tenant", "export", "initech"});
    EXPECT_EQ(exported.code, 0);
    std::istringstream lines{exported.out};
    int documents = 0;
    for (std::string line; std::getline(lines, line);)
        documents += json::parse(line)["relation"] == "public.documents";
    EXPECT_EQ(documents, 1);
    EXPECT_EQ(run({"tenant", "purge", "initech"}).code, 1) << "it is not deleted yet";
    EXPECT_EQ(run({"tenant", "delete", "initech"}).code, 0);
    EXPECT_EQ(run({"tenant", "restore", "initech"}).code, 0);
    EXPECT_EQ(run({"tenant", "delete", "initech"}).code, 0);
    EXPECT_EQ(run({"tenant", "purge", "initech"}).code, 0);
    EXPECT_EQ(run({"tenant", "show", "initech"}).code, 12);
}

TEST_F(control_tools, users_and_members) {
    const auto made = run_json({"user", "register", "ann@example.com", "--name", "Ann", "--issuer",
                                "https://id.example.com", "--subject", "1"});
    EXPECT_EQ(run_json({"user", "show", "ANN@example.com"})["id"], made["user"]);
    EXPECT_EQ(run({"user", "register", "ann@example.com"}).code, 1);
    EXPECT_EQ(run({"user", "show", "nobody@example.com"}).code, 1);
    EXPECT_EQ(run({"user", "update", "ann@example.com", "--name", "Anna"}).code, 0);
    EXPECT_EQ(run({"user", "link", "ann@example.com", "--issuer", "x", "--subject", "y"}).code, 0);
    EXPECT_EQ(run({"user", "unlink", "--issuer", "x", "--subject", "y"}).code, 0);
    EXPECT_EQ(run({"user", "link", "ann@example.com", "--issuer", "x"}).code, 2);
    EXPECT_EQ(run({"member", "add", "acme", "ann@example.com", "viewer"}).code, 0);
    EXPECT_EQ(run({"member", "role", "acme", "ann@example.com", "editor"}).code, 0);
    EXPECT_EQ(run_json({"user", "tenants", "ann@example.com"}).size(), 2u);
    const auto members = run_json({"member", "list", "acme"});
    ASSERT_EQ(members.size(), 1u);
    EXPECT_EQ(members[0]["role"], "editor");
    EXPECT_EQ(members[0]["name"], "Anna");
    expect_table({"member", "list", "acme"}, {"email", "ann@example.com", "editor"});
    expect_table({"member", "roles", "acme"}, {"admin", "built in", "data.write"});
    expect_table({"user", "list"}, {"ann@example.com", "active"});
    EXPECT_EQ(run({"member", "add", "nobody", "ann@example.com", "viewer"}).code, 12);
    const auto token = run({"member", "invite", "acme", "ben@example.com", "viewer"});
    EXPECT_EQ(token.code, 0);
    EXPECT_EQ(std::count(token.out.begin(), token.out.end(), '.'), 2);
    EXPECT_EQ(run({"member", "remove", "acme", "ann@example.com"}).code, 0);
    EXPECT_TRUE(run_json({"member", "list", "acme"}).empty());
    EXPECT_EQ(run({"user", "deactivate", "ann@example.com"}).code, 0);
    EXPECT_EQ(run_json({"user", "show", "ann@example.com"})["status"], "deactivated");
    EXPECT_EQ(run({"user", "reactivate", "ann@example.com"}).code, 0);
    EXPECT_NE(ctl(db().app(), {"user", "list"}).code, 0) << "an application may not";
}

TEST_F(control_tools, keys) {
    const auto text = run({"-q", "key", "create", "acme", "nightly", "--role", "viewer", "--scope",
                           "data.read", "--expires-in-days", "30", "--requests-per-minute", "600"});
    ASSERT_EQ(text.code, 0);
    std::string key = text.out;
    ASSERT_FALSE(key.empty());
    key.pop_back();
    tenancy::connection c{db().app()};
    EXPECT_EQ((tenancy::transaction{c, tenancy::api_key_credential{key}}).tenant(), db().acme());
    const auto all = run_json({"key", "list", "acme"});
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0]["scopes"][0], "data.read");
    EXPECT_EQ(all[0]["requests_per_minute"], 600);
    EXPECT_FALSE(all[0].dump().find(key) != std::string::npos);
    expect_table({"key", "list", "acme"}, {"short id", "nightly", "viewer"});
    const auto renewed = run_json({"key", "rotate", all[0]["id"], "--overlap-minutes", "0"});
    EXPECT_THROW((tenancy::transaction{c, tenancy::api_key_credential{key}}), tenancy::invalid_credential);
    const std::string new_key = renewed["api_key"];
    EXPECT_NO_THROW((tenancy::transaction{c, tenancy::api_key_credential{new_key}}));
    EXPECT_EQ(run({"key", "revoke", renewed["id"]}).code, 0);
    EXPECT_THROW((tenancy::transaction{c, tenancy::api_key_credential{new_key}}),
                 tenancy::invalid_credential);
    EXPECT_EQ(run({"key", "revoke", "not-an-id"}).code, 2);
}

TEST_F(control_tools, agents) {
    const auto made = run_json({"agent", "create", "acme", "Librarian", "--model", "gpt", "--temperature",
                                "0.5", "--tool", "search", "--tool", "fetch"});
    const std::string id = made["id"];
    EXPECT_EQ(run({"agent", "create", "acme", "Librarian"}).code, 1);
    EXPECT_EQ(run({"agent", "create", "acme", "Other", "--temperature", "3"}).code, 2);
    EXPECT_EQ(run({"agent", "default", id}).code, 0);
    const auto shown = run_json({"agent", "update", id, "--clear", "temperature", "--active", "false"});
    EXPECT_TRUE(shown["temperature"].is_null());
    EXPECT_EQ(shown["is_active"], false);
    EXPECT_EQ(shown["is_default"], true);
    EXPECT_EQ(shown["enabled_tools"].size(), 2u);
    expect_table({"agent", "list", "acme"}, {"Librarian", "search,fetch"});
    expect_table({"agent", "show", id}, {"model name", "gpt"});
    EXPECT_EQ(run({"agent", "delete", id}).code, 0);
    EXPECT_TRUE(run_json({"agent", "list", "acme"}).empty());
    EXPECT_EQ(run({"agent", "show", id}).code, 1);
}

TEST_F(control_tools, usage_and_audit) {
    EXPECT_EQ(run({"usage", "set-limit", "pages", "3", "--tenant", "acme"}).code, 0);
    EXPECT_EQ(run({"usage", "record", "acme", "pages", "2"}).code, 0);
    EXPECT_EQ(run({"usage", "record", "acme", "pages", "2"}).code, 15) << "TN005";
    EXPECT_EQ(run({"usage", "set-limit", "pages", "many", "--tenant", "acme"}).code, 2);
    EXPECT_EQ(run({"usage", "set-limit", "pages", "3"}).code, 2) << "whose?";
    bool seen = false;
    for (const auto& each : run_json({"usage", "limits", "acme"}))
        seen = seen || (each["metric"] == "pages" && each["used"] == 2 && each["remaining"] == 1);
    EXPECT_TRUE(seen);
    expect_table({"usage", "limits", "acme"}, {"metric", "pages"});
    expect_table({"usage", "report", "--tenant", "acme"}, {"month", "acme", "pages"});
    expect_table({"usage", "plans"}, {"free", "enterprise", "documents"});
    EXPECT_EQ(run_json({"usage", "drop-limit", "pages", "--tenant", "acme"})["dropped"], true);

    EXPECT_EQ(run({"org", "create", "library"}).code, 0);
    // An event is final when no older transaction runs; another database's may do for a moment.
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(run({"audit", "seal"}).code, 0);
        if (run_json({"audit", "verify"})["unsealed"] == 0)
            break;
    }
    expect_table({"audit", "log"}, {"at", "actor", "role:" + operator_role()});
    EXPECT_EQ(run_json({"audit", "log", "-k", "1"}).size(), 1u);
    EXPECT_TRUE(run_json({"audit", "log", "--until", "2000-01-01"}).empty());
    EXPECT_EQ(run({"audit", "log", "--since", "nonsense"}).code, 1);
    const auto exported = run({"audit", "export"});
    EXPECT_TRUE(json::parse(exported.out.substr(0, exported.out.find('\n'))).is_object());
    const auto verified = run_json({"audit", "verify"});
    EXPECT_EQ(verified["intact"], true);
    std::string last = verified["last"];
    EXPECT_EQ(run({"audit", "verify", "--known", last}).code, 0);
    last.back() = last.back() == '0' ? '1' : '0';
    EXPECT_EQ(run({"audit", "verify", "--known", last}).code, 1);
    EXPECT_EQ(run({"audit", "verify", "--known", "nonsense"}).code, 2);
}

} // namespace
