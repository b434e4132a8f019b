#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "support/database.hpp"

namespace {

using namespace tenancy_test;
using json = nlohmann::json;

struct outcome {
    int code;
    /// Standard output, and with it what went to standard error.
    std::string out;
};

// `tenancyctl migrate`, run as an administrator would, on an application's tables in a schema of their own.
class migrate_tool : public live {
protected:
    void SetUp() override {
        live::SetUp();
        if (IsSkipped())
            return;
        db().run("CREATE SCHEMA app");
        db().run("CREATE TABLE app.users (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text "
                 "UNIQUE)");
        db().run("CREATE TABLE app.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
                 "user_id integer NOT NULL REFERENCES app.users, body text, UNIQUE (user_id, body))");
        db().run(
            "INSERT INTO app.users (email) SELECT 'user' || g || '@x.example' FROM generate_series(1, 50) g");
        db().run("INSERT INTO app.notes (user_id, body) SELECT g % 50 + 1, 'note ' || g FROM "
                 "generate_series(1, 20000) g");
    }

    static std::string quoted(const std::string& text) {
        std::string result = "'";
        for (const char c : text)
            result += c == '\'' ? std::string{"'\\''"} : std::string{c};
        return result + "'";
    }
    [[nodiscard]] std::string line(std::vector<std::string> arguments) const {
        std::string text = quoted(TENANCYCTL) + " --db " + quoted(db().superuser());
        for (const auto& argument : arguments)
            text += " " + quoted(argument);
        return text + " 2>&1";
    }
    [[nodiscard]] outcome run(std::vector<std::string> arguments) const {
        FILE* pipe = popen(line(std::move(arguments)).c_str(), "r");
        if (!pipe)
            throw std::runtime_error{"cannot run tenancyctl"};
        std::string out;
        char buffer[4096];
        for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
            out.append(buffer, n);
        const int status = pclose(pipe);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out};
    }
    [[nodiscard]] std::string state() const {
        return json::parse(run({"--json", "migrate", "status"}).out)["state"];
    }
};

TEST_F(migrate_tool, help_explains_the_strategies) {
    const auto help = run({"migrate", "--help"});
    EXPECT_EQ(help.code, 0);
    for (const char* word : {"personal", "system", "column", "Exit codes", "undo", "trial"})
        EXPECT_NE(help.out.find(word), std::string::npos) << word;
    EXPECT_EQ(run({"migrate", "run", "--help"}).code, 0);
}

TEST_F(migrate_tool, wrong_usage) {
    EXPECT_EQ(run({"migrate"}).code, 2);
    EXPECT_EQ(run({"migrate", "plan", "--strategy", "best"}).code, 2);
    EXPECT_EQ(run({"migrate", "run", "--to", "moon"}).code, 2);
    EXPECT_EQ(run({"migrate", "plan", "--table", "notes"}).code, 2);
    EXPECT_EQ(run({"migrate", "plan", "--table", "notes={"}).code, 2);
    EXPECT_EQ(run({"migrate", "status"}).code, 1);
    EXPECT_EQ(run({"migrate", "undo"}).code, 1);
    EXPECT_EQ(run({"migrate", "plan", "--schema", "app", "--table", "none=leave"}).code, 19);
}

TEST_F(migrate_tool, plans) {
    const auto plan = run({"migrate", "plan", "--schema", "app"});
    EXPECT_EQ(plan.code, 0) << plan.out;
    for (const char* word : {"strategy personal", "app.notes", "follows app.users by user_id"})
        EXPECT_NE(plan.out.find(word), std::string::npos) << plan.out;
    const auto rows =
        json::parse(run({"--json", "migrate", "plan", "--schema", "app", "--strategy", "system"}).out);
    EXPECT_EQ(rows[0]["code"], "system");
    db().run("ALTER TABLE app.notes ADD COLUMN tenant_id date");
    EXPECT_EQ(run({"-q", "migrate", "plan", "--schema", "app"}).code, 1) << "a plan with errors";
    EXPECT_EQ(run({"migrate", "run", "--schema", "app"}).code, 19) << "it does not start";
}

TEST_F(migrate_tool, runs_to_the_end_and_back) {
    const auto trial = run({"migrate", "run", "--schema", "app", "--pause", "0"});
    EXPECT_EQ(trial.code, 0) << trial.out;
    EXPECT_NE(trial.out.find("backfill app.notes, 20000 rows"), std::string::npos) << trial.out;
    EXPECT_EQ(state(), "trial");
    db().run("GRANT SELECT ON app.notes TO " + database::app_role());
    EXPECT_EQ(run({"-q", "migrate", "run", "--hold", database::app_role()}).code, 0);
    EXPECT_EQ(state(), "rollout");
    EXPECT_EQ(run({"-q", "migrate", "run", "--to", "enforced"}).code, 0);
    EXPECT_EQ(state(), "enforced");
    EXPECT_EQ(db().run("SELECT count(*) FROM tenancy.protected_tables WHERE relation IN "
                       "('app.users'::regclass, 'app.notes')"),
              "2");
    EXPECT_EQ(db().run("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
    const auto undone = run({"migrate", "undo"});
    EXPECT_EQ(undone.code, 0) << undone.out;
    EXPECT_EQ(state(), "undone");
    EXPECT_EQ(db().run("SELECT count(*) FROM app.notes"), "20000");
}

TEST_F(migrate_tool, pauses_and_resumes) {
    EXPECT_EQ(run({"-q", "migrate", "run", "--schema", "app", "--to", "prepared"}).code, 0);
    EXPECT_EQ(run({"migrate", "pause"}).code, 0);
    const auto paused = run({"migrate", "run"});
    EXPECT_EQ(paused.code, 1);
    EXPECT_NE(paused.out.find("is paused"), std::string::npos) << paused.out;
    EXPECT_NE(run({"migrate", "status"}).out.find("paused"), std::string::npos);
    EXPECT_EQ(run({"migrate", "resume"}).code, 0);
    EXPECT_EQ(run({"-q", "migrate", "run"}).code, 0);
    EXPECT_EQ(state(), "trial");
}

TEST_F(migrate_tool, one_at_a_time) {
    tenancy::connection other{db().superuser()};
    {
        pqxx::nontransaction tx{other.native()};
        ASSERT_TRUE(tx.exec("SELECT tenancy.hold_migrations()")[0][0].as<bool>());
    }
    const auto refused = run({"migrate", "run", "--schema", "app"});
    EXPECT_EQ(refused.code, 1);
    EXPECT_NE(refused.out.find("another session is migrating"), std::string::npos) << refused.out;
    std::thread releases{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{700});
        other.close();
    }};
    EXPECT_EQ(run({"-q", "migrate", "run", "--schema", "app", "--wait"}).code, 0);
    releases.join();
}

TEST_F(migrate_tool, goes_on_after_a_kill) {
    for (int attempt = 0; attempt < 6; ++attempt) {
        const pid_t child = fork();
        if (child == 0) {
            if (!std::freopen("/dev/null", "w", stdout) || !std::freopen("/dev/null", "w", stderr))
                _exit(126);
            execl(TENANCYCTL, "tenancyctl", "--db", db().superuser().c_str(), "migrate", "run", "--wait",
                  "--schema", "app", "--to", "enforced", static_cast<char*>(nullptr));
            _exit(127);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{120 + 60 * attempt});
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
    const auto done = run({"-q", "migrate", "run", "--wait", "--schema", "app", "--to", "enforced"});
    EXPECT_EQ(done.code, 0) << done.out;
    const auto again = run({"-q", "migrate", "run", "--schema", "app", "--to", "enforced"});
    EXPECT_EQ(again.code, 0) << "it was over, and nobody may know that: " << again.out;
    EXPECT_EQ(db().run("SELECT count(*) FROM app.notes n JOIN app.users u ON u.id = n.user_id WHERE "
                       "n.tenant_id = u.tenant_id"),
              "20000");
    EXPECT_EQ(db().run("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
    EXPECT_EQ(run({"-q", "migrate", "undo"}).code, 0);
}

} // namespace
