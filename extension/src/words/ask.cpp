#include "words/ask.hpp"

#include "pg/guard.hpp"
#include "search/settings.hpp"
#include "store/state.hpp"
#include "store/statements.hpp"

extern "C" {
#include "rewrite/rowsecurity.h"
#include "utils/rls.h"
}

namespace tenancy::words {

namespace {

/// Decides conditions by PostgreSQL's own rules, over a tsvector of just the lexemes that a condition names.
class tsquery_matcher : public matcher {
public:
    tsquery_matcher(const query_shape& shape, const search::keyword_query& query) : m_shape{shape}, m_query{query} {}

    bool holds(const condition& which, const occurrence* stand) override {
        make_vector(which, stand);
        Datum query = tsquery_of(which);
        return pg::guarded([&] {
            CHECK_FOR_INTERRUPTS();
            return DatumGetBool(DirectFunctionCall2(ts_match_vq, PointerGetDatum(m_vector.data()), query));
        });
    }

private:
    Datum tsquery_of(const condition& which) const {
        const condition* phrases = m_shape.phrases.data();
        if (&which >= phrases && &which < phrases + m_shape.phrases.size())
            return m_query.phrase(static_cast<std::size_t>(&which - phrases));
        return m_query.forbidden(static_cast<std::size_t>(&which - m_shape.forbidden.data()));
    }

    /// As tsvectorin() lays it out: entries, then lexemes, each followed by its places at an even address.
    void make_vector(const condition& which, const occurrence* stand) {
        int count = 0;
        std::size_t bytes = 0;
        for (std::size_t lexeme : which.lexemes) {
            if (stand[lexeme].frequency == 0) continue;
            ++count;
            bytes += m_shape.lexemes[lexeme].size();
            if (stand[lexeme].has_places) bytes = SHORTALIGN(bytes) + sizeof(uint16) * (1 + stand[lexeme].frequency);
        }
        std::size_t size = CALCDATASIZE(count, bytes);
        m_vector.assign(size / sizeof(std::uint64_t) + 1, 0);
        auto* vector = reinterpret_cast<TSVector>(m_vector.data());
        SET_VARSIZE(vector, size);
        vector->size = count;
        WordEntry* entry = ARRPTR(vector);
        char* strings = STRPTR(vector);
        std::size_t at = 0;
        for (std::size_t lexeme : which.lexemes) {
            const occurrence& one = stand[lexeme];
            if (one.frequency == 0) continue;
            const std::string& text = m_shape.lexemes[lexeme];
            entry->haspos = one.has_places;
            entry->len = static_cast<uint32>(text.size());
            entry->pos = static_cast<uint32>(at);
            std::memcpy(strings + at, text.data(), text.size());
            at += text.size();
            if (one.has_places) {
                at = SHORTALIGN(at);
                auto* places = reinterpret_cast<uint16*>(strings + at);
                *places++ = static_cast<uint16>(one.frequency);
                for (std::uint32_t i = 0; i < one.frequency; ++i)
                    WEP_SETPOS(places[i], one.places[i]);
                at += sizeof(uint16) * (1 + one.frequency);
            }
            ++entry;
        }
    }

    const query_shape& m_shape;
    const search::keyword_query& m_query;
    std::vector<std::uint64_t> m_vector;
};

bool is_for_reading(const RowSecurityPolicy* policy) { return policy->polcmd == '*' || policy->polcmd == ACL_SELECT_CHR; }

} // namespace

bool is_readable(const search::corpus& of) {
    if (!search::uses_stores() || !of.has_exact_tenants) return false;
    store::state state = store::state_of(of.name, store_kind);
    if (state.is != store::phase::built || store::is_statement_open(of.name, store_kind)) return false;
    return pg::guarded([&] {
        return store::is_readable(state, GetActiveSnapshot()) &&
               pg_class_aclcheck(of.chunks, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
    });
}

bool sees_whole_tenant(const search::corpus& of) {
    return pg::guarded([&] {
        if (check_enable_rls(of.chunks, InvalidOid, true) != RLS_ENABLED) return true;
        Relation chunks = table_open(of.chunks, AccessShareLock);
        bool has_read = false, has_other = false;
        List* policies = chunks->rd_rsdesc ? chunks->rd_rsdesc->policies : NIL;
        for (int i = 0; i < list_length(policies); ++i) {
            auto* policy = static_cast<RowSecurityPolicy*>(list_nth(policies, i));
            if (!is_for_reading(policy)) continue;
            if (std::strcmp(policy->policy_name, "tenancy_read") == 0 && policy->permissive)
                has_read = true;
            else if (std::strcmp(policy->policy_name, "tenancy_isolation") != 0)
                has_other = true;
        }
        table_close(chunks, AccessShareLock);
        return has_read && !has_other;
    });
}

ask::ask(const search::corpus& of, const search::keyword_query& query, const std::vector<uuid>* wanted)
    : m_shape{query.shape()}, m_matcher{std::make_unique<tsquery_matcher>(m_shape, query)}, m_tally{m_shape, *m_matcher} {
    if (wanted) m_tally.restrict_to(*wanted);
    store::tenant_key tenant;
    if (pg::guarded([&] { return store::read_current_tenant(of.tenant_type, tenant); })) {
        store::state state = store::state_of(of.name, store_kind);
        Snapshot snapshot = GetActiveSnapshot();
        m_words.emplace(state.number, tenant.bytes());
        m_words->open(AccessShareLock);
        tenant_words::contents found = m_words->read(snapshot);
        m_is_frozen = found.is_frozen;
        if (!m_is_frozen) {
            for (auto& one : found.segments) {
                m_segments.push_back(std::make_unique<tenant_words::stored_segment>(*m_words, one.number, snapshot));
                m_tally.add_segment(one.head, *m_segments.back());
            }
            m_words->for_each_log_row(snapshot,
                                      [&](std::string_view row, const ItemPointerData&) { m_tally.add_log_row(row); });
        }
    }
    // It reads, too: the lists of the query's words.
    m_tally.finish(query.counts(), search::ranking_parameters());
    if (m_words) m_words->close();
}

bool ask::more(std::size_t count, std::vector<search::ranked>& into) {
    if (!m_words) return false;
    m_words->open(AccessShareLock);
    bool is_more = m_tally.more(count, into);
    m_words->close();
    return is_more;
}

std::vector<tally::answer> ask::look_up(const std::vector<uuid>& ids) {
    if (!m_words) return std::vector<tally::answer>(ids.size());
    m_words->open(AccessShareLock);
    std::vector<tally::answer> answers = m_tally.look_up(ids);
    m_words->close();
    return answers;
}

} // namespace tenancy::words
