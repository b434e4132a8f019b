#include "tenancy/session.hpp"

#include <stdexcept>
#include <utility>

namespace tenancy {

session::session(lease l, const caller& who) : lease_{std::move(l)} {
    lease_->translating([&] {
        pqxx::nontransaction tx{lease_->native()};
        const auto what = detail::credential_of(who);
        if (what && what->text.find('\0') != std::string::npos)
            throw std::invalid_argument{"a credential must not hold a zero byte"};
        const auto result =
            what ? detail::exec_params(tx, std::string{"SELECT tenancy."} + what->function + "($1, false)",
                                       pqxx::params{what->text})
                 : tx.exec(detail::set_context_sql(lease_->native(), who, false));
        tenant_.emplace(result[0][0].c_str());
    });
}

session::~session() {
    try {
        pqxx::nontransaction tx{lease_->native()};
        tx.exec("SELECT tenancy.leave()");
    } catch (const std::exception&) {
        lease_->close();
    }
}

transaction session::begin(transaction_options options) {
    return transaction{*lease_, *tenant_, options, true};
}

} // namespace tenancy
