#pragma once

#include <string>

#include "support/database.hpp"

namespace tenancy_test {

/// Base of the tests of the control plane: a role for operators, and who does what.
class control_plane : public live {
protected:
    void SetUp() override {
        live::SetUp();
        if (IsSkipped())
            return;
        db().run("CREATE ROLE " + operator_role() + " LOGIN");
        made_role_ = true;
        db().run("SELECT tenancy.grant_control_plane('" + operator_role() + "')");
        operator_conninfo_ = with_settings(db().superuser(), {{"user", operator_role()}});
    }
    void TearDown() override {
        live::TearDown();
        if (!made_role_)
            return;
        pqxx::connection c{test_url()};
        pqxx::nontransaction{c}.exec("DROP ROLE " + operator_role());
    }

    [[nodiscard]] static std::string operator_role() { return database::app_role() + "_operator"; }
    [[nodiscard]] const std::string& operator_conninfo() const { return operator_conninfo_; }

    /// Does something as an operator, and commits.
    template <class F>
    auto as_operator(F&& f) {
        tenancy::connection c{operator_conninfo_};
        pqxx::work tx{c.native()};
        const tenancy::control calls{c, tx};
        return c.translating([&] {
            if constexpr (std::is_void_v<decltype(f(calls))>) {
                f(calls);
                tx.commit();
            } else {
                auto result = f(calls);
                tx.commit();
                return result;
            }
        });
    }
    /// Does something as somebody in a tenant, in the application's role, and commits.
    template <class F>
    auto as(const tenancy::caller& who, F&& f) {
        tenancy::connection c{db().app()};
        tenancy::transaction tx{c, who};
        if constexpr (std::is_void_v<decltype(f(tenancy::control{tx}))>) {
            f(tenancy::control{tx});
            tx.commit();
        } else {
            auto result = f(tenancy::control{tx});
            tx.commit();
            return result;
        }
    }

    /// A new user who is a member of a tenant with this role; an empty role makes no member.
    tenancy::user_id person(const std::string& name, const tenancy::tenant_id& in, const std::string& role) {
        return as_operator([&](const tenancy::control& c) {
            tenancy::new_user who;
            who.email = name + "@example.com";
            who.name = name;
            const auto made = tenancy::users{c}.register_user(who);
            if (!role.empty())
                tenancy::members{c}.add(in, made.user, role);
            return made.user;
        });
    }

private:
    std::string operator_conninfo_;
    bool made_role_ = false;
};

} // namespace tenancy_test
