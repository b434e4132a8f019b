#include "search/kept_rows.hpp"

#include "search/keys.hpp"
#include "search/look_up.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "utils/datum.h"
}

namespace tenancy::search {

namespace {

constexpr int kept_columns = 7, answer_columns = 8;

/// A copy of a row that the executor handed over, taken apart. Values point into it.
struct parts {
    Datum values[kept_columns];
    bool nulls[kept_columns];

    void take(MinimalTuple tuple, TupleDesc descriptor) {
        HeapTupleData whole;
        whole.t_len = tuple->t_len + MINIMAL_TUPLE_OFFSET;
        whole.t_data = reinterpret_cast<HeapTupleHeader>(reinterpret_cast<char*>(tuple) - MINIMAL_TUPLE_OFFSET);
        heap_deform_tuple(&whole, descriptor, values, nulls);
    }
};

/// Title and source of a document, as values of the memory context that they were read in.
struct titled {
    uuid document;
    Datum values[2] = {};
    bool nulls[2] = {true, true};
};

/// Look the documents up as the caller. One that the caller does not see keeps its nulls.
void read_titles(corpus& of, std::vector<titled>& documents) {
    std::vector<uuid> keys;
    keys.reserve(documents.size());
    for (const titled& one : documents)
        keys.push_back(one.document);
    MemoryContext context = CurrentMemoryContext;
    look_up({of, statement::titles, of.documents, 1, 0, 3}, {}, keys.data(), keys.size(), [&](TupleTableSlot* slot) {
        uuid key = uuid_of(slot->tts_values[0]);
        auto at = std::lower_bound(documents.begin(), documents.end(), key,
                                   [](const titled& a, const uuid& b) { return key_less(a.document, b); });
        MemoryContext around = MemoryContextSwitchTo(context);
        for (int i = 0; i < 2; ++i) {
            at->nulls[i] = slot->tts_isnull[i + 1];
            if (!at->nulls[i]) at->values[i] = datumCopy(slot->tts_values[i + 1], false, -1);
        }
        MemoryContextSwitchTo(around);
    });
}

} // namespace

void kept_rows::keep(TupleTableSlot* slot) {
    MemoryContext around = MemoryContextSwitchTo(m_context);
    if (m_descriptor == nullptr) m_descriptor = CreateTupleDescCopy(slot->tts_tupleDescriptor);
    m_rows.push_back({{}, ExecCopySlotMinimalTuple(slot)});
    MemoryContextSwitchTo(around);
}

void kept_rows::rank(std::size_t first, const ranked* as) noexcept {
    for (std::size_t i = first; i < m_rows.size(); ++i)
        m_rows[i].of = as[i - first];
}

void kept_rows::forget_behind(const ranked& last) {
    auto behind = std::partition(m_rows.begin(), m_rows.end(), [&](const row& one) { return !ranks_before(last, one.of); });
    pg::guarded([&] {
        for (auto one = behind; one != m_rows.end(); ++one)
            pfree(one->tuple);
    });
    m_rows.erase(behind, m_rows.end());
}

void kept_rows::emit(ReturnSetInfo* result, corpus& of, const std::vector<ranked>& ranking) {
    std::sort(m_rows.begin(), m_rows.end(), [](const row& a, const row& b) { return ranks_before(a.of, b.of); });
    auto row_of = [&](const ranked& one) {
        return std::lower_bound(m_rows.begin(), m_rows.end(), one,
                                [](const row& a, const ranked& b) { return ranks_before(a.of, b); });
    };

    std::vector<parts> rows(ranking.size());
    pg::guarded([&] {
        for (std::size_t i = 0; i < rows.size(); ++i)
            rows[i].take(row_of(ranking[i])->tuple, m_descriptor);
    });
    std::vector<titled> documents;
    bool has_titles = !of.tables.title.empty() || !of.tables.source.empty();
    if (has_titles) {
        documents.reserve(rows.size());
        for (const parts& row : rows)
            if (!row.nulls[document_id]) documents.push_back({uuid_of(row.values[document_id])});
        auto less = [](const titled& a, const titled& b) { return key_less(a.document, b.document); };
        auto same = [](const titled& a, const titled& b) { return a.document == b.document; };
        std::sort(documents.begin(), documents.end(), less);
        documents.erase(std::unique(documents.begin(), documents.end(), same), documents.end());
        if (!documents.empty()) read_titles(of, documents);
    }

    pg::guarded([&] {
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const Datum* kept = rows[i].values;
            const bool* nulls = rows[i].nulls;
            titled of_document{};
            if (has_titles && !nulls[document_id])
                of_document = *std::lower_bound(documents.begin(), documents.end(), uuid_of(kept[document_id]),
                                                [](const titled& a, const uuid& b) { return key_less(a.document, b); });
            const Datum values[answer_columns] = {kept[0],
                                                  kept[document_id],
                                                  kept[chunk_index],
                                                  kept[content],
                                                  Float8GetDatum(ranking[i].score),
                                                  kept[metadata],
                                                  of_document.values[0],
                                                  of_document.values[1]};
            const bool are_null[answer_columns] = {
                false,           nulls[document_id],   nulls[chunk_index],   nulls[content], false,
                nulls[metadata], of_document.nulls[0], of_document.nulls[1]};
            tuplestore_putvalues(result->setResult, result->setDesc, const_cast<Datum*>(values),
                                 const_cast<bool*>(are_null));
        }
    });
}

} // namespace tenancy::search
