#include "support/control_plane.hpp"

namespace {

using namespace tenancy_test;
using namespace tenancy;

// API keys and tokens: made by those who may, and entered with.
class credentials : public control_plane {
protected:
    created_api_key make_key(const std::string& role, const std::vector<std::string>& scopes = {}) {
        return as_operator([&](const control& c) {
            new_api_key what;
            what.name = "test";
            what.role = role;
            what.scopes = scopes;
            return api_keys{c}.create(db().acme(), what);
        });
    }

    // A token of claims, signed with HS256 by the server's own sha256().
    std::string sign(const std::string& claims, const std::string& secret) {
        db().run(R"(
            CREATE OR REPLACE FUNCTION public.hmac_sha256(message bytea, key bytea) RETURNS bytea LANGUAGE plpgsql AS $$
            DECLARE
                inner_pad bytea := rpad('', 64, '6')::bytea; -- 0x36
                outer_pad bytea := rpad('', 64, '\')::bytea;
            BEGIN
                outer_pad := decode(repeat('5c', 64), 'hex');
                FOR i IN 0 .. length(key) - 1 LOOP
                    inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
                    outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
                END LOOP;
                RETURN sha256(outer_pad || sha256(inner_pad || message));
            END $$)");
        const auto base64url = [](const std::string& expression) {
            return "translate(encode(" + expression + ", 'base64'), E'+/=\\n', '-_')";
        };
        const std::string signed_part = "(" + base64url(R"('{"alg":"HS256","typ":"JWT"}'::bytea)") +
                                        " || '.' || " + base64url("'" + claims + "'::bytea") + ")";
        return db().run("SELECT " + signed_part + " || '.' || " +
                        base64url("public.hmac_sha256(" + signed_part + "::bytea, '" + secret + "'::bytea)"));
    }
};

TEST_F(credentials, a_transaction_enters_with_an_api_key) {
    const auto key = make_key("editor");
    tenancy::connection c{db().app()};
    {
        transaction tx{c, api_key_credential{key.text}, {isolation::repeatable_read, access::read_write}};
        EXPECT_EQ(tx.tenant(), db().acme());
        EXPECT_EQ(tx.exec("SELECT tenancy.current_api_key_id()")[0][0].c_str(), key.id.to_string());
        EXPECT_STREQ(tx.exec("SHOW transaction_isolation")[0][0].c_str(), "repeatable read");
        tx.exec("INSERT INTO public.documents (title) VALUES ('by key')");
        tx.commit();
    }
    EXPECT_TRUE(c.is_clean());
    EXPECT_EQ(db().run("SELECT count(*) FROM public.documents WHERE title = 'by key'"), "1");
    pqxx::work bare{c.native()};
    EXPECT_THROW(bare.exec("SELECT count(*) FROM public.documents"), pqxx::sql_error);
}

TEST_F(credentials, a_wrong_key_is_refused_and_shown_nowhere) {
    auto key = make_key("editor").text;
    key[key.size() / 2] = key[key.size() / 2] == 'a' ? 'b' : 'a';
    tenancy::connection c{db().app()};
    for (int i = 0; i < 2; ++i) {
        try {
            const transaction tx{c, api_key_credential{key}};
            FAIL() << "a wrong key entered";
        } catch (const invalid_credential& e) {
            EXPECT_EQ(e.info().sqlstate, "TN007");
            EXPECT_EQ(e.query().find(key), std::string::npos);
            EXPECT_EQ(std::string{e.what()}.find(key), std::string::npos);
        }
        EXPECT_TRUE(c.is_clean());
    }
    EXPECT_THROW((transaction{c, api_key_credential{std::string("a\0b", 3)}}), std::invalid_argument);
    EXPECT_NO_THROW((transaction{c, db().acme()})); // the connection goes on
    c.close();
    EXPECT_THROW((transaction{c, api_key_credential{key}}), pqxx::broken_connection);
}

TEST_F(credentials, a_session_and_with_tenant_take_keys) {
    const auto key = make_key("viewer");
    pool connections{db().app()};
    {
        session s{connections.acquire(), api_key_credential{key.text}};
        EXPECT_EQ(s.tenant(), db().acme());
        auto tx = s.begin();
        EXPECT_STREQ(tx.exec("SELECT tenancy.current_role_name()")[0][0].c_str(), "viewer");
    }
    const std::string role = with_tenant(connections, api_key_credential{key.text}, [](transaction& tx) {
        return std::string{tx.exec("SELECT tenancy.current_role_name()")[0][0].c_str()};
    });
    EXPECT_EQ(role, "viewer");
    EXPECT_THROW(
        with_tenant(connections, api_key_credential{key.text},
                    [](transaction& tx) { tx.exec("INSERT INTO public.documents (title) VALUES ('x')"); }),
        role_denied);
}

TEST_F(credentials, keys_are_listed_rotated_and_revoked) {
    const auto ann = person("ann", db().acme(), "admin"), ben = person("ben", db().acme(), "editor");
    new_api_key what;
    what.name = "nightly";
    what.scopes = {"data.read"};
    what.environment = "test";
    what.expires_at = std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now() + std::chrono::hours{24});
    what.requests_per_minute = 600;
    const auto made =
        as({db().acme(), ann}, [&](const control& c) { return api_keys{c}.create(db().acme(), what); });
    EXPECT_THROW(
        as(api_key_credential{made.text}, [&](const control& c) { return api_keys{c}.list(db().acme()); }),
        role_denied);
    const auto renewed = as({db().acme(), ann}, [&](const control& c) {
        const auto all = api_keys{c}.list(db().acme());
        EXPECT_EQ(all.size(), 1u);
        EXPECT_EQ(all.at(0).id, made.id);
        EXPECT_EQ(all.at(0).name, "nightly");
        EXPECT_EQ(all.at(0).environment, "test");
        EXPECT_EQ(all.at(0).scopes, what.scopes);
        EXPECT_EQ(all.at(0).expires_at, what.expires_at);
        EXPECT_EQ(all.at(0).requests_per_minute, 600);
        EXPECT_EQ(all.at(0).created_by, ann);
        EXPECT_FALSE(all.at(0).revoked_at);
        EXPECT_NE(made.text.find(all.at(0).short_id), std::string::npos);
        return api_keys{c}.rotate(made.id, std::chrono::seconds{0});
    });
    EXPECT_THROW(as(api_key_credential{made.text}, [](const control&) {}), invalid_credential);
    EXPECT_NO_THROW(as(api_key_credential{renewed.text}, [](const control&) {}));
    EXPECT_THROW(as({db().acme(), ben}, [&](const control& c) { api_keys{c}.revoke(renewed.id); }), error);
    as({db().acme(), ann}, [&](const control& c) { api_keys{c}.revoke(renewed.id); });
    EXPECT_THROW(as(api_key_credential{renewed.text}, [](const control&) {}), invalid_credential);
}

TEST_F(credentials, a_transaction_enters_with_a_token) {
    const auto ann = as_operator([](const control& c) {
        new_user who;
        who.identity = identity{"https://id.example.com", "ann"};
        return users{c}.register_user(who);
    });
    const std::string secret = "0123456789abcdef0123456789abcdef";
    as_operator([&](const control& c) {
        token_issuer what;
        what.issuer = "https://id.example.com";
        what.algorithms = {"HS256"};
        what.audience = "app";
        token_issuers{c}.add(what, secret);
        const auto all = token_issuers{c}.list();
        ASSERT_EQ(all.size(), 1u);
        EXPECT_EQ(all[0].issuer, what.issuer);
        EXPECT_EQ(all[0].algorithms, what.algorithms);
        EXPECT_EQ(all[0].audience, "app");
        EXPECT_EQ(all[0].clock_skew, std::chrono::seconds{30});
        EXPECT_TRUE(all[0].has_keys);
    });
    const std::string claims =
        R"({"iss":"https://id.example.com","aud":"app","sub":"ann","exp":4102444800,"tenant":")" +
        ann.tenant.to_string() + "\"}";
    const auto token = sign(claims, secret);
    as(token_credential{token}, [&](const control& c) {
        EXPECT_EQ(users{c}.get(ann.user)->id, ann.user);
        EXPECT_EQ(tenants{c}.mine().at(0).id, ann.tenant);
    });
    EXPECT_THROW(
        as(token_credential{sign(claims, "another secret of the same length")}, [](const control&) {}),
        invalid_credential);
    as_operator([](const control& c) { token_issuers{c}.drop("https://id.example.com"); });
    EXPECT_THROW(as(token_credential{token}, [](const control&) {}), invalid_credential);
}

TEST_F(credentials, secrets_are_rotated) {
    const auto key = make_key("editor");
    as_operator([](const control& c) {
        EXPECT_GT(secrets{c}.rotate_pepper(), 1);
        EXPECT_GT(secrets{c}.rotate_invitation_secret(), 1);
    });
    EXPECT_NO_THROW(as(api_key_credential{key.text}, [](const control&) {}));
}

} // namespace
