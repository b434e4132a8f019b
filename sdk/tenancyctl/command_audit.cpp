#include <iostream>
#include <stdexcept>

#include "tenancyctl/control.hpp"

namespace tenancyctl {

namespace {

struct audit_arguments {
    std::string tenant, action, actor, object, since, until, before, known;
    int count = 100;
};

std::optional<tenancy::tenant_id> maybe_tenant(const tenancy::control& c, const std::string& name) {
    return name.empty() ? std::nullopt : std::optional{tenant_named(c, name)};
}

// Whatever PostgreSQL reads as a moment, in the session's time zone.
std::optional<tenancy::timestamp> moment(const tenancy::control& c, const std::string& text) {
    if (text.empty())
        return std::nullopt;
    pqxx::params parameters;
    parameters.append(text);
    const auto rows = c.exec("SELECT (extract(epoch FROM $1::timestamptz) * 1000000)::bigint", parameters);
    return tenancy::timestamp{std::chrono::microseconds{rows[0][0].as<std::int64_t>()}};
}

void log_options(CLI::App* c, audit_arguments& a) {
    c->add_option("--tenant", a.tenant, "id or slug (default: the installation's log)");
    c->add_option("--since", a.since, "from this moment on, such as 2026-01-31 or \"2026-01-31 12:00+00\"");
    c->add_option("--until", a.until, "before this moment");
}

tenancy::audit_seal seal_of(const std::string& text) {
    const auto colon = text.find(':');
    std::size_t end = 0;
    try {
        const auto number = std::stoll(text, &end);
        if (colon != std::string::npos && end == colon &&
            text.find_first_not_of("0123456789abcdef", colon + 1) == std::string::npos &&
            text.size() == colon + 65)
            return {number, text.substr(colon + 1)};
    } catch (const std::logic_error&) {
        end = 0;
    }
    throw std::invalid_argument{"--known is NUMBER:HASH, as an earlier verify printed them"};
}

} // namespace

void add_audit_commands(CLI::App& app, const context& ctx, action& chosen) {
    auto* audit = add_group(app, "audit", "who did what. For operators.");
    add_command<audit_arguments>(
        audit, "log", "list events, the newest first", chosen,
        [](CLI::App* c, audit_arguments& a) {
            log_options(c, a);
            c->add_option("--action", a.action, "such as member.add");
            c->add_option("--actor", a.actor, "such as user:<id>");
            c->add_option("--object", a.object, "such as tenant:<id>");
            c->add_option("-k,--count", a.count, "at most so many")
                ->check(CLI::Range(1, 10'000))
                ->capture_default_str();
            c->add_option("--before", a.before, "only events older than this one (id)");
        },
        [&ctx](const audit_arguments& a) {
            json list = json::array();
            for (const auto& each : operate(ctx, [&](const tenancy::control& c) {
                     tenancy::audit_query query;
                     query.tenant = maybe_tenant(c, a.tenant);
                     query.since = moment(c, a.since);
                     query.until = moment(c, a.until);
                     query.action = given(a.action);
                     query.actor = given(a.actor);
                     query.object = given(a.object);
                     query.at_most = a.count;
                     if (!a.before.empty())
                         query.before = tenancy::audit_event_id{a.before};
                     return tenancy::audit_log{c}.read(query);
                 }))
                list.push_back({{"id", each.id.to_string()},
                                {"at", tenancy::to_string(each.at)},
                                {"actor", each.actor},
                                {"action", each.action},
                                {"object", maybe(each.object)},
                                {"before", parsed(each.before)},
                                {"after", parsed(each.after)}});
            print_list(ctx, list,
                       {{"at", "at"},
                        {"actor", "actor"},
                        {"action", "action"},
                        {"object", "object"},
                        {"after", "after"}});
        });
    add_command<audit_arguments>(
        audit, "export", "print all events with their hashes, the oldest first, a JSON object a line", chosen,
        log_options, [&ctx](const audit_arguments& a) {
            operate(ctx, [&](const tenancy::control& c) {
                tenancy::audit_log{c}.export_events(
                    maybe_tenant(c, a.tenant), [](const std::string& event) { std::cout << event << "\n"; },
                    moment(c, a.since), moment(c, a.until));
            });
        });
    add_command<audit_arguments>(
        audit, "verify", "check that a log is as it was written; fails if it is not", chosen,
        [](CLI::App* c, audit_arguments& a) {
            c->add_option("--tenant", a.tenant, "id or slug (default: the installation's log)");
            c->add_option(
                "--known", a.known,
                "NUMBER:HASH that an earlier verify printed as last; shows also a chain that was made anew");
        },
        [&ctx](const audit_arguments& a) {
            const auto known = a.known.empty() ? std::nullopt : std::optional{seal_of(a.known)};
            const auto found = operate(ctx, [&](const tenancy::control& c) {
                return tenancy::audit_log{c}.verify(maybe_tenant(c, a.tenant), known);
            });
            json last;
            if (found.last)
                last = std::to_string(found.last->number) + ":" + found.last->hash;
            print_record(ctx, {{"intact", found.intact},
                               {"events", found.events},
                               {"unsealed", found.unsealed},
                               {"last", last},
                               {"problem", maybe(found.problem)}});
            if (!found.intact)
                throw std::runtime_error{"the audit log is not as it was written"};
        });
    add_command<audit_arguments>(
        audit, "seal", "add to the chains of hashes what is final", chosen,
        [](CLI::App*, audit_arguments&) {},
        [&ctx](const audit_arguments&) {
            const auto sealed =
                operate(ctx, [](const tenancy::control& c) { return tenancy::audit_log{c}.seal(); });
            print_done(ctx, {{"sealed", sealed}}, std::to_string(sealed) + " events are sealed");
        });
}

} // namespace tenancyctl
