#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <thread>

#include "tenancyctl/control.hpp"
#include "tenancyctl/progress.hpp"

namespace tenancyctl {

namespace {

constexpr const char* footer =
    R"(A migration makes the tables of a running application multi-tenant. The application need not know: from the first
step on its new rows get their tenants by triggers, rows that are there are filled in batches, and nothing waits for
long: every exclusive lock is given up after a moment and tried again. Kill it at any point and run it again.

Strategies, which say whose the rows are:
  system    all rows belong to the default tenant
  personal  each user gets a tenant, named after the e-mail; rows follow the column that refers to their user, or
            the rows that they refer to
  column    an existing column (organization, workspace; uuid, bigint, integer or text) is the tenant; tenants are
            made for its values, and tables without it follow those that have it
  auto      column if a column looks like it, else personal if a table of users does, else system

For a single table, with --table NAME=CHOICE, where a choice is the name of an action or a JSON object:
  column       gets the tenant column and is protected        column_only  gets it and stays open
  path         is protected through the row it refers to      share        is readable by all, written by none
  leave        stays as it is
  {"column": "author_id", "parent": "people"}  follows that table by that column
  {"strategy": "system"}                       belongs to the default tenant
  {"expression": "..."}                        an SQL expression over the columns of the row
  {"global_keys": ["users_email_key"]}         unique keys that stay unique in the whole database
  {"fallback": "refuse"}                       rows without an owner are an error, not the default tenant's

States: prepared (columns are filled, keys are built), trial (policies only count what they would have hidden),
rollout (they hold the roles named with --hold), enforced. `undo` goes back from each to the schema as it was.

Examples:
  tenancyctl --db dbname=app migrate plan
  tenancyctl --db dbname=app migrate run --strategy personal --users accounts --table audit=leave
  tenancyctl --db dbname=app migrate status
  tenancyctl --db dbname=app migrate run --to enforced
  tenancyctl --db dbname=app migrate undo

Exit codes: 0 done, the goal is reached; 1 failed, paused, or the plan has errors; 2 wrong usage; 3 no connection;
19 the migration cannot start (TN009). Run it as a superuser.)";

struct plan_arguments {
    std::string strategy = "auto", users, column, tenant_column;
    std::vector<std::string> schemas, tables;
    bool no_examine = false;
};

struct run_arguments {
    plan_arguments plan;
    std::string to = "trial";
    std::vector<std::string> hold;
    bool no_foreign_key = false, force = false, wait = false;
    std::optional<int> batch_ms, lock_ms;
    std::optional<double> pause;
};

void add_plan_options(CLI::App* c, plan_arguments& a) {
    c->add_option("--strategy", a.strategy, "whose the rows are")
        ->check(CLI::IsMember({"auto", "system", "personal", "column"}))
        ->capture_default_str();
    c->add_option("--users", a.users, "the table of users, for personal (default: what looks like it)");
    c->add_option("--column", a.column, "the column that says the organization, for column");
    c->add_option("--tenant-column", a.tenant_column, "name of the column to add (default: tenant_id)");
    c->add_option("--schema", a.schemas, "only tables of this schema; may be repeated (default: all)");
    c->add_option("--table", a.tables, "NAME=CHOICE for one table, see below; may be repeated");
    c->footer(footer);
}

// The choices for single tables as the extension wants them.
json choices(const std::vector<std::string>& tables) {
    json all = json::object();
    for (const auto& entry : tables) {
        const auto at = entry.find('=');
        if (at == std::string::npos || at == 0)
            throw std::invalid_argument{"--table wants NAME=CHOICE, not " + one_line(entry, 80)};
        const std::string choice = entry.substr(at + 1);
        if (!choice.empty() && choice.front() == '{') {
            auto object = json::parse(choice, nullptr, false);
            if (object.is_discarded())
                throw std::invalid_argument{"--table: this is no JSON: " + one_line(choice, 80)};
            all[entry.substr(0, at)] = std::move(object);
        } else {
            all[entry.substr(0, at)] = choice;
        }
    }
    return all;
}

std::string quoted_or_null(pqxx::transaction_base& tx, const std::string& text) {
    return text.empty() ? "NULL" : tx.quote(text);
}

// The arguments that planning and starting have in common.
std::string plan_call(pqxx::transaction_base& tx, const plan_arguments& a) {
    std::string schemas = "NULL";
    if (!a.schemas.empty()) {
        schemas = "ARRAY[";
        for (const auto& schema : a.schemas)
            schemas += (schemas.back() == '[' ? "" : ", ") + tx.quote(schema);
        schemas += "]::name[]";
    }
    return "strategy => " + tx.quote(a.strategy) + ", tables => " + tx.quote(choices(a.tables).dump()) +
           ", users => " + quoted_or_null(tx, a.users) + ", source_column => " +
           quoted_or_null(tx, a.column) + ", tenant_column => " + quoted_or_null(tx, a.tenant_column) +
           ", schemas => " + schemas;
}

json rows_json(const pqxx::result& rows) {
    json list = json::array();
    for (const auto& row : rows) {
        json object = json::object();
        for (const auto& field : row) {
            const std::string name{field.name()};
            object[name] = field.is_null() ? json() : json(field.c_str());
        }
        list.push_back(std::move(object));
    }
    return list;
}

std::string text_of(const json& value) {
    return value.is_null() ? std::string{"-"} : value.get<std::string>();
}

void print_finding(const json& f) {
    std::cout << text_of(f["severity"]) << "  " << one_line(text_of(f["object"]), 200) << ": "
              << one_line(text_of(f["detail"]), 400) << "\n";
    if (!f["fix"].is_null())
        std::cout << "         " << one_line(text_of(f["fix"]), 600) << "\n";
}

void plan(const context& ctx, const plan_arguments& a) {
    tenancy::connection c{ctx.conninfo};
    const json rows = c.translating([&] {
        pqxx::work tx{c.native()};
        return rows_json(tx.exec(
            "SELECT kind, severity, code, relation, object, detail, fix FROM tenancy.plan_migration(" +
            plan_call(tx, a) + ", examine => " + (a.no_examine ? "false" : "true") + ")"));
    });
    std::size_t errors = 0;
    for (const auto& row : rows)
        errors += row["severity"] == "error" ? 1 : 0;
    if (ctx.json) {
        std::cout << rows.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    } else {
        json tables = json::array();
        for (const auto& row : rows) {
            if (row["kind"] == "strategy" && !ctx.quiet)
                std::cout << "strategy " << text_of(row["code"]) << ": " << text_of(row["detail"]) << "\n\n";
            if (row["kind"] == "table")
                tables.push_back(
                    {{"relation", row["relation"]}, {"action", row["code"]}, {"because", row["detail"]}});
        }
        print_list(ctx, tables, {{"relation", "table"}, {"action", "action"}, {"because", "because"}});
        std::cout << "\n";
        for (const auto& row : rows)
            if (row["kind"] == "finding" && (!ctx.quiet || row["severity"] == "error"))
                print_finding(row);
    }
    if (errors > 0)
        throw std::runtime_error{"the plan has " + std::to_string(errors) +
                                 (errors == 1 ? " error" : " errors")};
}

// What one call of advance_migration() said.
struct outcome {
    std::string what, kind, relation, statement, message;
    int step = 0;
    double wait = 0;
    long long blocks_done = 0, blocks = 0, rows_done = 0;
};

outcome advance(pqxx::connection& c, const std::string& goal) {
    pqxx::nontransaction tx{c};
    const auto row = tx.exec("SELECT * FROM tenancy.advance_migration(" + tx.quote(goal) + ")")[0];
    outcome o;
    o.what = row["outcome"].c_str();
    o.kind = row["kind"].as<std::string>("");
    o.relation = row["relation"].as<std::string>("");
    o.statement = row["statement"].as<std::string>("");
    o.message = row["message"].as<std::string>("");
    o.step = row["step"].as<int>(0);
    o.wait = row["wait"].as<double>(0);
    o.blocks_done = row["blocks_done"].as<long long>(0);
    o.blocks = row["blocks"].as<long long>(0);
    o.rows_done = row["rows_done"].as<long long>(0);
    return o;
}

void sleep_seconds(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>{seconds});
}

// Runs what cannot be in a transaction. After a deadlock with the application the next step finds what it
// left, takes that away and tries again.
void run_outside(pqxx::connection& c, const std::string& statement) {
    try {
        pqxx::nontransaction tx{c};
        tx.exec(statement);
    } catch (const pqxx::deadlock_detected&) {
        sleep_seconds(0.5);
    }
}

// Rows a second of the step at hand.
class rate {
public:
    std::string of(const outcome& o) {
        const auto now = std::chrono::steady_clock::now();
        if (o.step != step_) {
            step_ = o.step;
            began_ = now;
            first_ = o.rows_done;
            return "";
        }
        const double seconds = std::chrono::duration<double>(now - began_).count();
        if (seconds < 0.2)
            return "";
        return std::to_string(static_cast<long long>(static_cast<double>(o.rows_done - first_) / seconds)) +
               " rows/s";
    }

private:
    int step_ = -1;
    std::chrono::steady_clock::time_point began_{};
    long long first_ = 0;
};

// The bar counts blocks while a table is filled, and steps otherwise.
class board {
public:
    explicit board(const context& ctx) : ctx_{ctx} {}
    void show(const outcome& o) {
        const bool filling = o.kind == "backfill" && o.blocks > 0;
        const std::string what = o.kind + " " + o.relation;
        if (!bar_ || what != what_) {
            bar_.reset();
            bar_.emplace(filling ? static_cast<std::size_t>(o.blocks) : 1, !ctx_.quiet && !ctx_.json);
            what_ = what;
        }
        const std::string speed = rate_.of(o);
        bar_->show(filling ? static_cast<std::size_t>(o.blocks_done) : (o.what == "done" ? 1 : 0),
                   what + (speed.empty() ? "" : ", " + speed) +
                       (o.what == "locked" ? ", waiting for others" : ""));
        if (o.what == "done" && !ctx_.quiet && !ctx_.json) {
            bar_.reset();
            std::cout << what << (o.rows_done > 0 ? ", " + std::to_string(o.rows_done) + " rows" : "")
                      << (speed.empty() ? "" : ", " + speed) << std::endl;
        }
    }
    void clear() { bar_.reset(); }

private:
    const context& ctx_;
    std::optional<progress> bar_;
    std::string what_;
    rate rate_;
};

json status_of(pqxx::connection& c) {
    pqxx::nontransaction tx{c};
    return json::parse(tx.exec("SELECT to_json(s) FROM tenancy.migration_status() s")[0][0].c_str());
}

void hold(tenancy::connection& c, bool wait) {
    for (;;) {
        {
            pqxx::nontransaction tx{c.native()};
            if (tx.exec("SELECT tenancy.hold_migrations()")[0][0].as<bool>())
                return;
        }
        if (!wait)
            throw std::runtime_error{"another session is migrating this database; --wait waits for it"};
        sleep_seconds(0.5);
    }
}

// Long statements are what this is about, and the session is its own.
void prepare(tenancy::connection& c) {
    pqxx::nontransaction tx{c.native()};
    tx.exec("SET statement_timeout = 0");
    tx.exec("SET idle_in_transaction_session_timeout = 0");
}

// Whoever was killed between the last step and being told of it runs it again.
bool is_over(pqxx::connection& c, const plan_arguments& plan) {
    pqxx::nontransaction tx{c};
    if (!tx.exec("SELECT coalesce((SELECT m.state = 'enforced' FROM tenancy.migrations m ORDER BY m.id DESC "
                 "LIMIT 1), false)")[0][0]
             .as<bool>())
        return false;
    return !tx.exec("SELECT EXISTS (SELECT FROM tenancy.plan_migration(" + plan_call(tx, plan) +
                    ", examine => false) p WHERE p.kind = 'table' AND p.code IN ('column', 'column_only', "
                    "'path', 'share'))")[0][0]
                .as<bool>();
}

void run(const context& ctx, const run_arguments& a) {
    tenancy::connection c{ctx.conninfo};
    c.translating([&] {
        prepare(c);
        hold(c, a.wait);
        if (is_over(c.native(), a.plan)) {
            print_done(ctx, status_of(c.native()),
                       "the migration is over, and there is no other table to be migrated");
            return;
        }
        {
            pqxx::work tx{c.native()};
            const auto open = tx.exec(
                "SELECT EXISTS (SELECT FROM tenancy.migrations WHERE state NOT IN ('enforced', 'undone'))");
            if (!open[0][0].as<bool>())
                tx.exec("SELECT tenancy.start_migration(" + plan_call(tx, a.plan) + ", foreign_key => " +
                        (a.no_foreign_key ? "false" : "true") + ", force => " + (a.force ? "true" : "false") +
                        ")");
            const auto number = [](const auto& value) {
                return value ? std::to_string(*value) : std::string{"NULL"};
            };
            if (a.batch_ms || a.lock_ms || a.pause)
                tx.exec("SELECT tenancy.tune_migration(" + number(a.batch_ms) + ", " + number(a.pause) +
                        ", " + number(a.lock_ms) + ")");
            if (!a.hold.empty()) {
                std::string roles;
                for (const auto& role : a.hold)
                    roles += (roles.empty() ? "" : ", ") + tx.quote(tx.quote_name(role)) + "::regrole";
                tx.exec("SELECT tenancy.hold_roles(ARRAY[" + roles + "])");
            }
            tx.commit();
        }
        const std::string goal = a.hold.empty() ? a.to : "rollout";
        board shown{ctx};
        for (;;) {
            const auto o = advance(c.native(), goal);
            if (o.what == "reached" || o.what == "paused" || o.what == "failed") {
                shown.clear();
                if (o.what == "reached") {
                    print_done(ctx, status_of(c.native()), o.message);
                    return;
                }
                throw std::runtime_error{
                    o.what == "paused"
                        ? o.message + "; `tenancyctl migrate resume` and run it again"
                        : "step " + std::to_string(o.step) + " failed: " + o.message + "\n  " +
                              one_line(o.statement, 400) +
                              "\n  hint: what was done stays; repair the cause and run it again, or undo it"};
            }
            shown.show(o);
            if (o.what == "outside")
                run_outside(c.native(), o.statement);
            else if (o.wait > 0)
                sleep_seconds(o.wait);
        }
    });
}

void undo(const context& ctx, const bool& wait) {
    tenancy::connection c{ctx.conninfo};
    c.translating([&] {
        prepare(c);
        hold(c, wait);
        for (;;) {
            std::string what, relation, message;
            double pause = 0;
            {
                pqxx::nontransaction tx{c.native()};
                const auto row = tx.exec("SELECT * FROM tenancy.advance_undo()")[0];
                what = row["outcome"].c_str();
                relation = row["relation"].as<std::string>("");
                message = row["message"].as<std::string>("");
                pause = row["wait"].as<double>(0);
            }
            if (what == "reached") {
                print_done(ctx, status_of(c.native()), message);
                return;
            }
            if (what == "failed")
                throw std::runtime_error{"undoing the migration of " + relation + " failed: " + message};
            if (what == "done" && !ctx.quiet && !ctx.json)
                std::cout << relation << " is as it was" << std::endl;
            if (pause > 0)
                sleep_seconds(pause);
        }
    });
}

void status(const context& ctx) {
    tenancy::connection c{ctx.conninfo};
    const json found = c.translating([&] { return status_of(c.native()); });
    if (ctx.json) {
        std::cout << found.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
        return;
    }
    const auto steps = found["steps"].get<std::size_t>();
    const auto done = found["steps_done"].get<std::size_t>();
    std::cout << "migration " << found["migration_id"] << " is " << found["state"].get<std::string>()
              << (found["paused"] == true ? ", paused" : "") << "\n"
              << progress_line(done, steps, "steps", 79) << "\n";
    if (!found["step"].is_null()) {
        std::cout << "next: " << found["kind"].get<std::string>() << " "
                  << (found["relation"].is_null() ? "" : found["relation"].get<std::string>()) << "\n";
        if (!found["blocks"].is_null() && found["blocks"].get<std::size_t>() > 0)
            std::cout << progress_line(found["blocks_done"].get<std::size_t>(),
                                       found["blocks"].get<std::size_t>(), "blocks", 79)
                      << "\n";
        if (!found["error"].is_null())
            std::cout << "last error: " << one_line(found["error"].get<std::string>(), 400) << "\n";
    }
    if (!found["rows_per_second"].is_null())
        std::cout << found["rows_done"] << " rows filled, "
                  << static_cast<long long>(found["rows_per_second"].get<double>())
                  << " rows/s while at work\n";
}

void call(const context& ctx, const char* function, const char* sentence) {
    tenancy::connection c{ctx.conninfo};
    c.translating([&] {
        pqxx::work tx{c.native()};
        tx.exec(std::string{"SELECT "} + function);
        tx.commit();
    });
    print_done(ctx, {{"done", sentence}}, sentence);
}

} // namespace

void add_migrate_commands(CLI::App& app, const context& ctx, action& chosen) {
    auto* group =
        add_group(app, "migrate", "make the tables of a running application multi-tenant, and back");
    group->footer(footer);
    add_command<plan_arguments>(
        group, "plan", "show what would become of each table, and what stands in the way; changes nothing",
        chosen,
        [](CLI::App* c, plan_arguments& a) {
            add_plan_options(c, a);
            c->add_flag("--no-examine", a.no_examine, "do not look at the rows of the tables");
        },
        [&ctx](const plan_arguments& a) { plan(ctx, a); });
    add_command<run_arguments>(
        group, "run", "start a migration, or go on with the one that is under way", chosen,
        [](CLI::App* c, run_arguments& a) {
            add_plan_options(c, a.plan);
            c->add_option("--to", a.to, "how far")
                ->check(CLI::IsMember({"prepared", "trial", "rollout", "enforced"}))
                ->capture_default_str();
            c->add_option("--hold", a.hold,
                          "hold this role to its tenant before all others; may be repeated; goes to rollout");
            c->add_option("--batch-ms", a.batch_ms, "how long a batch of a backfill takes (default: 40)");
            c->add_option("--pause", a.pause,
                          "the pause after it, as a multiple of the time it took (default: 1)");
            c->add_option("--lock-ms", a.lock_ms,
                          "how long it waits for an exclusive lock before it gives way (default: 200)");
            c->add_flag("--no-foreign-key", a.no_foreign_key, "no foreign keys to the tenants");
            c->add_flag("--force", a.force, "start although the plan has errors");
            c->add_flag("--wait", a.wait, "wait for another session that migrates");
        },
        [&ctx](const run_arguments& a) { run(ctx, a); });
    struct nothing {};
    add_command<nothing>(
        group, "status", "show how far the migration has come", chosen, [](CLI::App*, nothing&) {},
        [&ctx](const nothing&) { status(ctx); });
    add_command<nothing>(
        group, "pause", "let whoever runs it stop after the batch that it is at", chosen,
        [](CLI::App*, nothing&) {},
        [&ctx](const nothing&) { call(ctx, "tenancy.pause_migration()", "the migration is paused"); });
    add_command<nothing>(
        group, "resume", "take a pause back; then run it again", chosen, [](CLI::App*, nothing&) {},
        [&ctx](const nothing&) { call(ctx, "tenancy.resume_migration()", "the migration can go on"); });
    add_command<bool>(
        group, "undo", "go back to the schema as it was, from any state", chosen,
        [](CLI::App* c, bool& wait) {
            c->add_flag("--wait", wait, "wait for another session that migrates");
        },
        [&ctx](const bool& wait) { undo(ctx, wait); });
}

} // namespace tenancyctl
