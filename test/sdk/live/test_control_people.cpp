#include "support/control_plane.hpp"

namespace {

using namespace tenancy_test;
using namespace tenancy;

// Organizations, tenants, users, members, roles and invitations, as operators and members use them.
class people : public control_plane {};

TEST_F(people, organizations) {
    const auto id = as_operator([](const control& c) {
        const organizations calls{c};
        const auto made = calls.create("library", "The Library");
        organization_changes changes;
        changes.contact = R"({"mail": "desk@example.com"})";
        changes.settings = R"({"theme": "dark"})";
        calls.update(made, changes);
        calls.change_plan(organization_slug{"library"}, "pro");
        return made;
    });
    as_operator([&](const control& c) {
        const auto found = organizations{c}.get(id);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->id, id);
        EXPECT_EQ(found->slug, "library");
        EXPECT_EQ(found->name, "The Library");
        EXPECT_EQ(found->status, "active");
        EXPECT_EQ(found->contact, R"({"mail": "desk@example.com"})");
        EXPECT_EQ(found->settings, R"({"theme": "dark"})");
        EXPECT_EQ(found->plan, "pro");
        EXPECT_EQ(found->tenants, 0);
        EXPECT_FALSE(found->created_by);
        const auto age = std::chrono::system_clock::now() - found->created_at;
        EXPECT_LT(age, std::chrono::minutes{10});
        EXPECT_GT(age, -std::chrono::minutes{10});
        EXPECT_FALSE(organizations{c}.get(organization_slug{"nobody"}));
        EXPECT_EQ(organizations{c}.list().size(), 2u); // and the default one
    });
    EXPECT_THROW(as_operator([](const control& c) { return organizations{c}.create("library"); }),
                 pqxx::unique_violation);
    EXPECT_THROW(
        as_operator([](const control& c) { return organizations{c}.create(std::string("a\0b", 3)); }),
        std::invalid_argument);
    EXPECT_THROW(as(db().acme(), [](const control& c) { return organizations{c}.create("mine"); }),
                 pqxx::insufficient_privilege);
}

TEST_F(people, tenants_of_an_organization) {
    const auto library = as_operator([](const control& c) { return organizations{c}.create("library"); });
    const auto id = as_operator([&](const control& c) {
        organizations{c}.change_plan(library, "starter");
        new_tenant what;
        what.slug = "initech";
        what.name = "Initech";
        what.organization = library;
        what.external_key = "42";
        what.settings = R"({"a": 1})";
        return tenants{c}.create(what);
    });
    as_operator([&](const control& c) {
        const tenants calls{c};
        const auto found = calls.get(tenant_slug{"initech"});
        ASSERT_TRUE(found);
        EXPECT_EQ(found->id, id);
        EXPECT_EQ(found->name, "Initech");
        EXPECT_EQ(found->organization, library);
        EXPECT_EQ(found->organization_slug, "library");
        EXPECT_EQ(found->external_key, "42");
        EXPECT_EQ(found->settings, R"({"a": 1})");
        EXPECT_EQ(calls.list(library).size(), 1u);
        EXPECT_GE(calls.list().size(), 3u);
        tenant_changes changes;
        changes.slug = "initrode";
        calls.update(id, changes);
        calls.suspend(tenant_slug{"initrode"});
        EXPECT_EQ(calls.get(id)->status, "suspended");
        calls.resume(id);
        EXPECT_EQ(calls.get(id)->status, "active");
        calls.remove(id);
        EXPECT_EQ(calls.get(id)->status, "deleted");
        calls.restore(id);
        EXPECT_EQ(calls.get(id)->slug, "initrode");
    });
}

TEST_F(people, the_free_plan_has_one_tenant) {
    const auto made = as_operator([](const control& c) {
        new_user who;
        who.email = "ann@example.com";
        return users{c}.register_user(who);
    });
    const auto second = [](const control& c) {
        return tenants{c}.create({"second", std::nullopt, organizations{c}.list().at(0).id});
    };
    try {
        as({made.tenant, made.user}, second);
        FAIL() << "a second tenant was made";
    } catch (const quota_exceeded& e) {
        EXPECT_FALSE(e.detail().empty());
    }
    as_operator([&](const control& c) { organizations{c}.change_plan(made.organization, "starter"); });
    const auto id = as({made.tenant, made.user}, second);
    EXPECT_EQ(as({id, made.user}, [](const control& c) { return tenants{c}.mine(); }).size(), 2u);
}

TEST_F(people, exporting_and_purging) {
    person("ann", db().acme(), "admin");
    as(db().acme(), [](const control& c) {
        c.exec("INSERT INTO public.documents (title) VALUES ('one'), ('two')", pqxx::params{});
    });
    as_operator([&](const control& c) {
        std::int64_t documents = 0, counted = 0;
        const auto rows = tenants{c}.export_rows(db().acme(), [&](const exported_row& row) {
            if (row.relation == "public.documents") {
                ++documents;
                EXPECT_EQ(row.row_number, documents);
                EXPECT_NE(row.data.find("title"), std::string::npos);
            }
        });
        for (const auto& table : tenants{c}.count_rows(db().acme()))
            counted += table.rows;
        EXPECT_EQ(documents, 2);
        EXPECT_EQ(rows, counted);
    });
    {
        tenancy::connection c{operator_conninfo()};
        EXPECT_THROW(purge_tenant(c, db().acme()), pqxx::sql_error);
    }
    as_operator([&](const control& c) { tenants{c}.remove(db().acme()); });
    tenancy::connection c{operator_conninfo()};
    purge_tenant(c, db().acme(), 1);
    EXPECT_EQ(db().run("SELECT count(*) FROM public.documents"), "0");
    as_operator([&](const control& calls) { EXPECT_FALSE(tenants{calls}.get(db().acme())); });
}

TEST_F(people, users_and_their_identities) {
    const auto made = as_operator([](const control& c) {
        new_user who;
        who.email = "Ann@Example.com";
        who.name = "Ann";
        who.identity = identity{"https://id.example.com", "ann-1"};
        return users{c}.register_user(who);
    });
    as_operator([&](const control& c) {
        const users calls{c};
        const auto found = calls.find_by_email("ann@example.COM");
        ASSERT_TRUE(found);
        EXPECT_EQ(found->id, made.user);
        EXPECT_EQ(found->email, "Ann@Example.com");
        EXPECT_EQ(found->current_tenant, made.tenant);
        EXPECT_EQ(calls.find_by_identity({"https://id.example.com", "ann-1"})->id, made.user);
        EXPECT_FALSE(calls.find_by_identity({"https://id.example.com", "ANN-1"}));
        calls.link_identity(made.user, {"https://other.example.com", "7"});
        calls.unlink_identity({"https://id.example.com", "ann-1"});
        EXPECT_FALSE(calls.find_by_identity({"https://id.example.com", "ann-1"}));
        EXPECT_EQ(calls.list().size(), 1u);
        EXPECT_TRUE(calls.list(made.user).empty());
        EXPECT_EQ(tenants{c}.of_user(made.user).at(0).role, "admin");
    });
    // A user sees and changes themselves, and nobody else.
    const auto ben = person("ben", db().acme(), "editor");
    as({made.tenant, made.user}, [&](const control& c) {
        user_changes changes;
        changes.name = "Ann the First";
        users{c}.update(made.user, changes);
        EXPECT_EQ(users{c}.get(made.user)->name, "Ann the First");
        EXPECT_FALSE(users{c}.get(ben));
    });
    as_operator([&](const control& c) { users{c}.deactivate(made.user); });
    EXPECT_THROW(as({made.tenant, made.user}, [](const control&) {}), tenant_unavailable);
    as_operator([&](const control& c) {
        EXPECT_EQ(users{c}.get(made.user)->status, "deactivated");
        users{c}.reactivate(made.user);
    });
    EXPECT_NO_THROW(as({made.tenant, made.user}, [](const control&) {}));
}

TEST_F(people, a_user_switches_tenants) {
    const auto ann = person("ann", db().acme(), "editor");
    as({db().acme(), ann}, [&](const control& c) {
        EXPECT_EQ(tenants{c}.switch_to(tenant_slug{"acme"}), db().acme());
        EXPECT_THROW(
            {
                pqxx::subtransaction inner{static_cast<pqxx::dbtransaction&>(c.transaction_base())};
                tenants{control{inner}}.switch_to(db().globex());
            },
            tenant_unavailable);
        for (const auto& each : tenants{c}.mine())
            EXPECT_EQ(each.is_current, each.id == db().acme()) << each.slug;
    });
}

TEST_F(people, members_and_roles) {
    const auto ann = person("ann", db().acme(), "admin"), ben = person("ben", db().acme(), "viewer"),
               cyd = person("cyd", db().acme(), ""), dan = person("dan", db().globex(), "admin");
    as({db().acme(), ann}, [&](const control& c) {
        members{c}.add(db().acme(), cyd, "viewer");
        roles{c}.create(db().acme(), "auditor", 20, {"tenant.read", "audit.read"});
        roles{c}.update(db().acme(), "auditor", std::nullopt,
                        std::vector<std::string>{"audit.read", "members.read"});
        members{c}.change_role(db().acme(), cyd, "auditor");
        const auto all = members{c}.list(db().acme());
        ASSERT_EQ(all.size(), 3u);
        for (const auto& each : all) {
            if (each.user == cyd) {
                EXPECT_EQ(each.role, "auditor");
                EXPECT_EQ(each.created_by, ann);
                EXPECT_FALSE(each.email) << "who was added by id shows nothing before accepting";
            }
        }
        for (const auto& each : roles{c}.list(db().acme())) {
            if (each.name == "auditor") {
                EXPECT_EQ(each.rank, 20);
                EXPECT_EQ(each.members, 1);
                EXPECT_FALSE(each.is_builtin);
                EXPECT_EQ(each.permissions.size(), 2u);
            }
        }
        members{c}.remove(db().acme(), cyd);
        roles{c}.drop(db().acme(), "auditor");
    });
    try {
        as({db().acme(), ben}, [&](const control& c) { members{c}.add(db().acme(), cyd, "viewer"); });
        FAIL() << "a viewer added a member";
    } catch (const role_denied& e) {
        EXPECT_NE(e.detail().find("members.manage"), std::string::npos) << e.detail();
    }
    EXPECT_THROW(as({db().globex(), dan}, [&](const control& c) { return members{c}.list(db().acme()); }),
                 tenant_unavailable);
    as({db().acme(), ben}, [&](const control& c) { members{c}.leave(db().acme()); });
    EXPECT_THROW(as({db().acme(), ben}, [](const control&) {}), tenant_unavailable);
}

TEST_F(people, invitations_and_the_outbox) {
    const auto ann = person("ann", db().acme(), "admin"), ben = person("ben", db().acme(), ""),
               cyd = person("cyd", db().acme(), "");
    const auto token = as({db().acme(), ann}, [&](const control& c) {
        return invitations{c}.create(db().acme(), "BEN@example.com", "editor", std::chrono::hours{1});
    });
    as_operator([&](const control& c) {
        const auto mail = outbox{c}.take();
        ASSERT_EQ(mail.size(), 1u);
        EXPECT_EQ(mail[0].tenant, db().acme());
        EXPECT_NE(mail[0].payload.find(token), std::string::npos);
        EXPECT_TRUE(outbox{c}.take().empty());
    });
    EXPECT_THROW(as_operator([&](const control& c) { invitations{c}.accept(token, cyd); }),
                 invalid_invitation);
    as_operator([&](const control& c) { EXPECT_EQ(invitations{c}.accept(token, ben), db().acme()); });
    EXPECT_EQ(as({db().acme(), ben}, [](const control& c) { return tenants{c}.mine(); }).size(), 2u);
    const auto revoked = as({db().acme(), ann}, [&](const control& c) {
        auto other = invitations{c}.create(db().acme(), "cyd@example.com", "viewer");
        invitations{c}.revoke(other);
        return other;
    });
    EXPECT_THROW(as_operator([&](const control& c) { invitations{c}.accept(revoked, cyd); }),
                 invalid_invitation);
}

TEST_F(people, without_a_connection_errors_still_have_their_types) {
    pqxx::connection c{operator_conninfo()};
    pqxx::work tx{c};
    EXPECT_THROW((void)members{tx}.list(tenant_id::generate()), tenant_unavailable);
}

TEST(control_timestamps, are_written_in_utc) {
    const auto at = [](std::int64_t micros) {
        return to_string(timestamp{std::chrono::microseconds{micros}});
    };
    EXPECT_EQ(at(0), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(at(-1), "1969-12-31T23:59:59.999999Z");
    EXPECT_EQ(at(951'782'400'000'000), "2000-02-29T00:00:00.000000Z");
    EXPECT_EQ(at(1'709'251'199'123'456), "2024-02-29T23:59:59.123456Z");
    EXPECT_EQ(at(4'107'542'400'000'000), "2100-03-01T00:00:00.000000Z");
}

} // namespace
