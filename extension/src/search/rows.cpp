#include "search/rows.hpp"

#include "search/keys.hpp"

namespace tenancy::search {

namespace {

/// Columns of rows_statement().
enum column : int { place = 1, id, document_id, chunk_index, content, metadata, title, source };

constexpr int most_columns = 10;

} // namespace

void emit_rows(ReturnSetInfo* result, corpus& of, const std::vector<answer>& answers, int scores) {
    std::vector<uuid> keys;
    keys.reserve(answers.size());
    for (const auto& one : answers)
        keys.push_back(one.key);

    std::size_t before = 0;
    for_each_chunk_of_keys(keys, [&](Datum ids) {
        parameters given;
        given.set(0, ids);
        std::size_t handed = static_cast<std::size_t>(ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(ids)),
                                                                     ARR_DIMS(DatumGetArrayTypeP(ids))));
        for_each_row_by_key(of.plan(statement::rows), given, [&](HeapTuple tuple, TupleDesc descriptor) {
            Datum values[most_columns];
            bool nulls[most_columns];
            int filled = 0;
            auto take = [&](int number) {
                values[filled] = SPI_getbinval(tuple, descriptor, number, &nulls[filled]);
                ++filled;
            };

            bool is_null;
            auto at = static_cast<std::size_t>(DatumGetInt64(SPI_getbinval(tuple, descriptor, place, &is_null)));
            const answer& scored = answers[before + at - 1];
            for (int number : {id, document_id, chunk_index, content})
                take(number);
            for (int i = 0; i < scores; ++i) {
                values[filled] = Float8GetDatum(scored.scores[i]);
                nulls[filled] = scored.are_null[i];
                ++filled;
            }
            for (int number : {metadata, title, source})
                take(number);
            tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        });
        before += handed;
    });
}

void emit_document(ReturnSetInfo* result, corpus& of, Datum document) {
    parameters given;
    given.set(0, document);
    for_each_row(of.plan(statement::document), given, [&](HeapTuple tuple, TupleDesc descriptor) {
        Datum values[4];
        bool nulls[4];
        for (int i = 0; i < 4; ++i)
            values[i] = SPI_getbinval(tuple, descriptor, i + 1, &nulls[i]);
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    });
}

} // namespace tenancy::search
