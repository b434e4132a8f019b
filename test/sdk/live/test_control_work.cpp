#include <thread>

#include "support/control_plane.hpp"

namespace {

using namespace tenancy_test;
using namespace tenancy;

// Agents and their conversations, usage and its limits, and the audit log.
class work : public control_plane {};

TEST_F(work, agents) {
    const auto ann = person("ann", db().acme(), "admin"), ben = person("ben", db().acme(), "viewer"),
               dan = person("dan", db().globex(), "admin");
    const auto id = as({db().acme(), ann}, [&](const control& c) {
        new_agent what;
        what.name = "Librarian";
        what.system_prompt = "You find books.";
        what.model_provider = "openai";
        what.model_name = "gpt";
        what.temperature = 0.25;
        what.enabled_tools = {"search", "a \"quoted\", tool"};
        what.tool_config = R"({"search": {"count": 3}})";
        return agents{c}.create(db().acme(), what);
    });
    as({db().acme(), ben}, [&](const control& c) {
        const auto found = agents{c}.get(id);
        EXPECT_EQ(found.tenant, db().acme());
        EXPECT_EQ(found.name, "Librarian");
        EXPECT_EQ(found.temperature, 0.25);
        EXPECT_EQ(found.enabled_tools, (std::vector<std::string>{"search", "a \"quoted\", tool"}));
        EXPECT_EQ(found.tool_config, R"({"search": {"count": 3}})");
        EXPECT_TRUE(found.is_active);
        EXPECT_FALSE(found.is_default);
        EXPECT_EQ(agents{c}.list().size(), 1u);
        EXPECT_EQ(agents{c}.graph_namespace(), "workspace_" + db().acme().to_string());
    });
    EXPECT_THROW(as({db().acme(), ben}, [&](const control& c) { agents{c}.set_default(id); }), role_denied);
    try {
        as({db().globex(), dan}, [&](const control& c) { return agents{c}.get(id); });
        FAIL() << "an agent of another tenant was shown";
    } catch (const pqxx::sql_error& e) {
        EXPECT_EQ(std::string{e.sqlstate()}, "42704");
    }
    as({db().acme(), ann}, [&](const control& c) {
        const agents calls{c};
        EXPECT_EQ(calls.resolve().source, "system");
        agent_changes changes;
        changes.name = "Chief librarian";
        changes.settings = R"({"a": [1, 2]})";
        changes.clear = {"temperature"};
        const auto changed = calls.update(id, changes);
        EXPECT_EQ(changed.name, "Chief librarian");
        EXPECT_EQ(changed.settings, R"({"a": [1, 2]})");
        EXPECT_FALSE(changed.temperature);
        EXPECT_EQ(changed.system_prompt, "You find books.");
        calls.set_default(id);
        const auto resolved = calls.resolve();
        EXPECT_EQ(resolved.source, "tenant");
        EXPECT_EQ(resolved.agent.id, id);
        EXPECT_EQ(calls.resolve(id).source, "explicit");
        changes = {};
        changes.settings = "{";
        EXPECT_THROW(calls.update(id, changes), std::invalid_argument);
    });
    as({db().acme(), ann}, [&](const control& c) { agents{c}.remove(id); });
    EXPECT_THROW(as({db().acme(), ann}, [&](const control& c) { return agents{c}.get(id); }),
                 pqxx::sql_error);
}

TEST_F(work, conversations_and_runs) {
    const auto ann = person("ann", db().acme(), "admin"), ben = person("ben", db().acme(), "viewer"),
               cyd = person("cyd", db().acme(), "viewer");
    const auto id = as({db().acme(), ann}, [&](const control& c) {
        const auto made = agents{c}.create(db().acme(), {"Librarian"});
        agents{c}.set_default(made);
        return made;
    });
    const auto session = as({db().acme(), ben}, [&](const control& c) {
        const conversations calls{c};
        const auto made = calls.begin(std::nullopt, "Books", R"({"from": "web"})");
        const auto first = calls.add(made, {"user", "Which book?", std::nullopt, 4});
        calls.add(made, {"assistant", "This one.", R"([{"name": "search"}])"});
        const auto all = calls.messages(made);
        EXPECT_EQ(all.size(), 2u);
        EXPECT_EQ(all.at(0).role, "user");
        EXPECT_EQ(all.at(0).content, "Which book?");
        EXPECT_EQ(all.at(0).tokens, 4);
        EXPECT_FALSE(all.at(0).tool_calls);
        EXPECT_EQ(all.at(1).tool_calls, R"([{"name": "search"}])");
        EXPECT_EQ(calls.messages(made, first).size(), 1u);
        const auto mine = calls.list();
        EXPECT_EQ(mine.size(), 1u);
        EXPECT_EQ(mine.at(0).agent, id);
        EXPECT_EQ(mine.at(0).user, ben);
        EXPECT_EQ(mine.at(0).title, "Books");
        EXPECT_EQ(agents{c}.resolve(std::nullopt, made).source, "session");
        const auto run = agent_runs{c}.start(std::nullopt, made, R"({"question": 1})");
        run_outcome how;
        how.output = R"({"answer": 2})";
        how.prompt_tokens = 10;
        how.completion_tokens = 20;
        agent_runs{c}.finish(run, how);
        return made;
    });
    EXPECT_THROW(as({db().acme(), cyd}, [&](const control& c) { return conversations{c}.messages(session); }),
                 pqxx::sql_error);
    EXPECT_THROW(as({db().acme(), ben}, [&](const control& c) { return agent_runs{c}.list(); }), role_denied);
    as({db().acme(), ann}, [&](const control& c) {
        const auto runs = agent_runs{c}.list(id);
        ASSERT_EQ(runs.size(), 1u);
        EXPECT_EQ(runs[0].actor, "user:" + ben.to_string());
        EXPECT_EQ(runs[0].status, "succeeded");
        EXPECT_EQ(runs[0].session, session);
        EXPECT_EQ(runs[0].output, R"({"answer": 2})");
        EXPECT_EQ(runs[0].completion_tokens, 20);
        ASSERT_TRUE(runs[0].finished_at);
        EXPECT_GE(*runs[0].finished_at, runs[0].started_at);
        conversations{c}.remove(session);
        EXPECT_TRUE(conversations{c}.list().empty());
    });
}

TEST_F(work, usage_and_limits) {
    const auto ann = person("ann", db().acme(), "editor"), ben = person("ben", db().acme(), "viewer");
    const auto organization =
        as_operator([&](const control& c) { return tenants{c}.get(db().acme())->organization; });
    as_operator([&](const control& c) {
        plans{c}.define_metric("pages", "flow", "tenant", "pages printed");
        plans{c}.set("tiny", "for tests");
        plans{c}.set_limit("tiny", "pages", 3);
        organizations{c}.change_plan(organization, "tiny");
        usage{c}.set_limit("pages", 5, db().acme());
    });
    as({db().acme(), ann}, [](const control& c) {
        usage{c}.record("pages", 4);
        EXPECT_EQ(usage{c}.remaining("pages"), 1);
        EXPECT_FALSE(usage{c}.remaining("nobody-limits-it"));
    });
    try {
        as({db().acme(), ann}, [](const control& c) { usage{c}.record("pages", 2); });
        FAIL() << "the limit was passed";
    } catch (const quota_exceeded& e) {
        EXPECT_FALSE(e.detail().empty());
    }
    EXPECT_THROW(as({db().acme(), ben}, [](const control& c) { usage{c}.record("pages"); }), role_denied);
    as({db().acme(), ben}, [](const control& c) {
        bool seen = false;
        for (const auto& each : usage{c}.limits()) {
            if (each.metric != "pages")
                continue;
            seen = true;
            EXPECT_EQ(each.kind, "flow");
            EXPECT_EQ(each.scope, "tenant");
            EXPECT_EQ(each.max_amount, 5);
            EXPECT_EQ(each.used, 4);
            EXPECT_EQ(each.remaining, 1);
            ASSERT_TRUE(each.resets_at);
            EXPECT_GT(*each.resets_at, std::chrono::system_clock::now());
        }
        EXPECT_TRUE(seen);
    });
    as_operator([&](const control& c) {
        usage_query query;
        query.organization = organization;
        std::int64_t pages = 0;
        for (const auto& line : usage{c}.report(query)) {
            EXPECT_EQ(line.month.size(), 7u);
            if (line.metric == "pages" && line.tenant == db().acme()) {
                pages += line.amount;
                EXPECT_EQ(line.tenant_slug, "acme");
            }
        }
        EXPECT_EQ(pages, 4);
        EXPECT_TRUE(usage{c}.drop_limit("pages", db().acme()));
        EXPECT_FALSE(usage{c}.drop_limit("pages", db().acme()));
        usage{c}.set_limit("pages", std::nullopt, organization);
        EXPECT_FALSE(usage{c}.remaining("pages", db().acme()));
        EXPECT_TRUE(usage{c}.drop_limit("pages", organization));
        bool tiny = false;
        for (const auto& each : plans{c}.list())
            tiny = tiny || (each.plan == "tiny" && each.metric == "pages" && each.max_amount == 3);
        EXPECT_TRUE(tiny);
        organizations{c}.change_plan(organization, "enterprise");
        plans{c}.drop("tiny");
    });
}

TEST_F(work, the_audit_log) {
    const auto ann = person("ann", db().acme(), "admin"), ben = person("ben", db().acme(), "editor");
    as({db().acme(), ann}, [&](const control& c) { members{c}.change_role(db().acme(), ben, "viewer"); });
    EXPECT_THROW(as({db().acme(), ben}, [](const control& c) { return audit_log{c}.read(); }), role_denied);
    as({db().acme(), ann}, [&](const control& c) {
        audit_query query;
        query.actor = "user:" + ann.to_string();
        const auto events = audit_log{c}.read(query);
        ASSERT_EQ(events.size(), 1u);
        EXPECT_NE(events[0].after.value_or("").find("viewer"), std::string::npos);
        EXPECT_NE(events[0].before.value_or("").find("editor"), std::string::npos);
        query.before = events[0].id;
        EXPECT_TRUE(audit_log{c}.read(query).empty());
        query = {};
        query.until = events[0].at - std::chrono::hours{1};
        EXPECT_TRUE(audit_log{c}.read(query).empty());
        query = {};
        const auto all = audit_log{c}.read(query).size();
        std::size_t exported = 0;
        EXPECT_EQ(audit_log{c}.export_events(
                      std::nullopt, [&](const std::string& event) { exported += event.front() == '{'; }),
                  static_cast<std::int64_t>(all));
        EXPECT_EQ(exported, all);
    });
    // An event is final when no older transaction runs; another database's may do for a moment.
    for (int i = 0; i < 100; ++i) {
        as_operator([](const control& c) { EXPECT_GE(audit_log{c}.seal(), 0); });
        if (as_operator([&](const control& c) { return audit_log{c}.verify(db().acme()).unsealed; }) == 0)
            break;
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    as_operator([&](const control& c) {
        const audit_log calls{c};
        const auto found = calls.verify(db().acme());
        EXPECT_TRUE(found.intact) << found.problem.value_or("");
        ASSERT_TRUE(found.last);
        EXPECT_EQ(found.last->hash.size(), 64u);
        EXPECT_TRUE(calls.verify(db().acme(), found.last).intact);
        auto other = *found.last;
        other.hash[0] = other.hash[0] == '0' ? '1' : '0';
        const auto forged = calls.verify(db().acme(), other);
        EXPECT_FALSE(forged.intact);
        EXPECT_TRUE(forged.problem);
        EXPECT_FALSE(calls.read().empty()); // the installation's own
    });
}

TEST_F(work, the_audit_log_of_a_table) {
    tenancy::connection c{db().superuser()};
    {
        pqxx::work tx{c.native()};
        audit_log{{c, tx}}.record_table("public.documents", {"metadata"});
        tx.commit();
    }
    as(db().acme(), [](const control& calls) {
        calls.exec("INSERT INTO public.documents (title) VALUES ('one')", pqxx::params{});
    });
    pqxx::work tx{c.native()};
    const control calls{c, tx};
    audit_query query;
    query.tenant = db().acme();
    query.at_most = 1;
    const auto events = audit_log{calls}.read(query);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_NE(events[0].after.value_or("").find("one"), std::string::npos);
    EXPECT_EQ(events[0].after.value_or("").find("metadata"), std::string::npos);
    audit_log{calls}.forget_table("public.documents");
}

} // namespace
