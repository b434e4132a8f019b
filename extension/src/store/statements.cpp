#include "store/statements.hpp"

namespace tenancy::store {

namespace {

struct open_statement {
    std::string corpus;
    const char* kind;
    SubTransactionId subtransaction;

    bool is_of(const std::string& other, const char* other_kind) const {
        return std::strcmp(kind, other_kind) == 0 && corpus == other;
    }
};

std::vector<open_statement>& open_statements() {
    static auto& open = *new std::vector<open_statement>; // never destroyed
    return open;
}

void transaction_ends(XactEvent, void*) { open_statements().clear(); }

void subtransaction_ends(SubXactEvent event, SubTransactionId which, SubTransactionId, void*) {
    if (event != SUBXACT_EVENT_ABORT_SUB) return;
    auto& open = open_statements();
    // Those of a subtransaction in it were numbered later.
    open.erase(std::remove_if(open.begin(), open.end(),
                              [&](const open_statement& one) { return one.subtransaction >= which; }),
               open.end());
}

} // namespace

void statement_begins(const std::string& corpus, const char* kind) {
    open_statements().push_back({corpus, kind, GetCurrentSubTransactionId()});
}

void statement_ends(const std::string& corpus, const char* kind) {
    auto& open = open_statements();
    for (auto one = open.rbegin(); one != open.rend(); ++one)
        if (one->is_of(corpus, kind)) {
            open.erase(std::next(one).base());
            return;
        }
}

bool is_statement_open(const std::string& corpus, const char* kind) {
    for (const auto& one : open_statements())
        if (one.is_of(corpus, kind)) return true;
    return false;
}

void register_statement_callbacks() {
    RegisterXactCallback(transaction_ends, nullptr);
    RegisterSubXactCallback(subtransaction_ends, nullptr);
}

} // namespace tenancy::store
