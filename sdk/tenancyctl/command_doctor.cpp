#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <stdexcept>

#include <unistd.h>

#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

constexpr const char* footer =
    R"(What stands against the isolation of tenants in the database, the worst first, each with its repair: what
tenancy.check() finds. docs/check.md explains every finding. It changes nothing. Run it as an owner of the tables
(grant_owner) or as a superuser. Findings that were accepted with tenancy.accept_finding() come last, with the
reason, and do not fail.

With --pentest the protected tables are attacked as well, in a transaction that is rolled back, as an application's role
of one tenant that wants another's rows. For superusers; tables are locked for moments, so not at the busiest hour.

Examples:
  tenancyctl --db dbname=app doctor
  tenancyctl --db dbname=app doctor --fail-on error --pentest
  tenancyctl --db dbname=app --json doctor | jq -r '.findings[].fix'

Exit codes:
  0  clean: no finding of the severity of --fail-on or worse, and no attack got through
  1  there are such findings, or an attack got through; or it failed, and the message says why
  2  wrong usage
  3  no connection to the database)";

struct doctor_arguments {
    std::string fail_on = "warning", color = "auto";
    bool pentest = false;
};

const std::vector<std::string> severities{"error", "warning", "info"};

/// Escape sequences, or nothing where they are not wanted.
struct palette {
    const char *bold = "", *dim = "", *green = "", *plain = "";
    std::map<std::string, const char*> of{{"error", ""}, {"warning", ""}, {"info", ""}};

    explicit palette(const std::string& wanted) {
        const char *no_color = std::getenv("NO_COLOR"), *term = std::getenv("TERM");
        const bool is_terminal = isatty(STDOUT_FILENO) == 1 && term && std::strcmp(term, "dumb") != 0;
        if (wanted == "never" || (wanted == "auto" && (!is_terminal || (no_color && *no_color))))
            return;
        bold = "\033[1m";
        dim = "\033[2m";
        green = "\033[32m";
        plain = "\033[0m";
        of = {{"error", "\033[31m"}, {"warning", "\033[33m"}, {"info", "\033[36m"}};
    }
};

json objects_of(const pqxx::result& rows) {
    json list = json::array();
    for (const auto& row : rows) {
        json object = json::object();
        for (const auto& field : row)
            object[std::string{field.name()}] = field.is_null() ? json() : json(field.c_str());
        list.push_back(std::move(object));
    }
    return list;
}

// Names in a database are anybody's text, and must not steer the terminal.
std::string shown(const json& value) {
    return value.is_null() ? std::string{"-"} : one_line(value.get<std::string>(), 2000);
}

std::string counted(std::size_t count, const std::string& one, const std::string& many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

void print_findings(const json& findings, const std::map<std::string, std::size_t>& counts,
                    const palette& color) {
    for (const auto& severity : severities) {
        if (counts.at(severity) == 0)
            continue;
        std::cout << color.bold << color.of.at(severity) << severity << color.plain << "\n";
        for (const auto& each : findings) {
            if (each["severity"] != severity)
                continue;
            std::cout << "  " << color.bold << shown(each["code"]) << color.plain << "  "
                      << shown(each["object"]) << "\n    " << shown(each["problem"]) << "\n    "
                      << color.green << shown(each["fix"]) << color.plain << "\n";
        }
        std::cout << "\n";
    }
}

void print_accepted(const json& accepted, const palette& color) {
    std::cout << color.bold << "accepted" << color.plain << "\n";
    for (const auto& each : accepted)
        std::cout << "  " << color.dim << shown(each["severity"]) << color.plain << "  " << color.bold
                  << shown(each["code"]) << color.plain << "  " << shown(each["object"]) << "\n    "
                  << shown(each["problem"]) << "\n    " << color.green << shown(each["accepted"]) << color.plain
                  << "\n";
    std::cout << "\n";
}

void print_attacks(const json& attacks, const palette& color) {
    std::cout << color.bold << "attacks" << color.plain << "\n";
    for (const auto& each : attacks) {
        if (each["result"] == "held")
            continue;
        const bool leaked = each["result"] == "LEAKED";
        std::cout << "  " << color.bold << (leaked ? color.of.at("error") : color.dim)
                  << shown(each["result"]) << color.plain << "  " << shown(each["attack"])
                  << (each["relation"].is_null() ? "" : "  table " + shown(each["relation"])) << "\n    "
                  << shown(each["evidence"]) << "\n";
    }
}

void doctor(const context& ctx, const doctor_arguments& arguments) {
    tenancy::connection c{ctx.conninfo};
    json findings = json::array(), accepted = json::array(), attacks;
    c.translating([&] {
        pqxx::nontransaction tx{c.native()};
        for (auto& each : objects_of(tx.exec("SELECT * FROM tenancy.check()"))) {
            // An older extension has no such column.
            if (each.contains("accepted") && !each["accepted"].is_null()) {
                accepted.push_back(std::move(each));
            } else {
                each.erase("accepted");
                findings.push_back(std::move(each));
            }
        }
        if (arguments.pentest)
            attacks = objects_of(tx.exec("SELECT attack, relation, result, evidence FROM tenancy.pentest()"));
    });

    std::map<std::string, std::size_t> counts{{"error", 0}, {"warning", 0}, {"info", 0}},
        results{{"held", 0}, {"LEAKED", 0}, {"skipped", 0}};
    for (const auto& each : findings)
        ++counts[each["severity"].get<std::string>()];
    for (const auto& each : attacks)
        ++results[each["result"].get<std::string>()];
    std::size_t failing = 0;
    for (const auto& severity : severities) {
        if (arguments.fail_on == "none")
            break;
        failing += counts[severity];
        if (severity == arguments.fail_on)
            break;
    }

    if (ctx.json) {
        json report{{"findings", findings}, {"counts", counts}, {"accepted", accepted}};
        if (arguments.pentest) {
            report["pentest"] = attacks;
            report["attacks"] = results;
        }
        report["clean"] = failing == 0 && results["LEAKED"] == 0;
        std::cout << report.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    } else {
        const palette color{arguments.color};
        print_findings(findings, counts, color);
        if (!accepted.empty() && !ctx.quiet) print_accepted(accepted, color);
        if (arguments.pentest && results["LEAKED"] + results["skipped"] > 0) {
            print_attacks(attacks, color);
            std::cout << "\n";
        }
        if (!ctx.quiet) {
            if (findings.empty() && accepted.empty())
                std::cout << color.green << "nothing found" << color.plain << "\n";
            else
                std::cout << counted(counts["error"], "error", "errors") << ", "
                          << counted(counts["warning"], "warning", "warnings") << ", "
                          << counted(counts["info"], "note", "notes")
                          << (accepted.empty() ? "" : ", " + std::to_string(accepted.size()) + " accepted") << "\n";
            if (arguments.pentest)
                std::cout << counted(attacks.size(), "attack", "attacks") << ": " << results["held"]
                          << " held, " << results["LEAKED"] << " got through, " << results["skipped"]
                          << " skipped\n";
        }
    }
    std::cout.flush();
    if (results["LEAKED"] > 0)
        throw std::runtime_error{counted(results["LEAKED"], "attack", "attacks") + " got through"};
    if (failing > 0)
        throw std::runtime_error{counted(failing, "finding", "findings") + " of severity " +
                                 arguments.fail_on + (arguments.fail_on == "error" ? "" : " or worse")};
}

} // namespace

void add_doctor_command(CLI::App& app, const context& ctx, action& chosen) {
    add_command<doctor_arguments>(
        &app, "doctor", "look for what stands against the isolation of tenants", chosen,
        [](CLI::App* c, doctor_arguments& a) {
            c->add_option("--fail-on", a.fail_on, "exit with 1 for findings of this severity or worse")
                ->check(CLI::IsMember({"error", "warning", "info", "none"}))
                ->capture_default_str();
            c->add_flag("--pentest", a.pentest, "attack the protected tables too");
            c->add_option("--color", a.color, "auto: on a terminal, unless NO_COLOR is set")
                ->check(CLI::IsMember({"auto", "always", "never"}))
                ->capture_default_str();
            c->footer(footer);
        },
        [&ctx](const doctor_arguments& a) { doctor(ctx, a); });
}

} // namespace tenancyctl
