#include "pg/guard.hpp"
#include "search/corpus.hpp"
#include "search/hybrid.hpp"
#include "search/keyword_lane.hpp"
#include "search/pure/arguments.hpp"
#include "search/rows.hpp"
#include "search/vector_lane.hpp"

extern "C" {
#include "access/detoast.h"
}

// The SQL face of search. None of these is STRICT: what must not be null is refused by name.

namespace {

using namespace tenancy;
using namespace tenancy::search;

/// pgvector's vector as it is stored, and its only part that we look into.
struct pgvector_value {
    int32 length_word;
    int16 dimensions;
    int16 unused;
    float elements[FLEXIBLE_ARRAY_MEMBER];
};

void refuse_null(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (!PG_ARGISNULL(argument)) return;
    throw error{sqlstate::null_value_not_allowed, std::string{name} + " must not be null"};
}

std::string text_argument(FunctionCallInfo fcinfo, int argument, const char* name) {
    refuse_null(fcinfo, argument, name);
    text* given = pg::guarded([&] { return PG_GETARG_TEXT_PP(argument); });
    return {VARDATA_ANY(given), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(given))};
}

/// What a caller searches for. Its size is asked before it is unpacked.
std::string query_text_argument(FunctionCallInfo fcinfo, int argument) {
    refuse_null(fcinfo, argument, "query_text");
    check_query_text(pg::guarded([&] { return toast_raw_datum_size(PG_GETARG_DATUM(argument)) - VARHDRSZ; }));
    return text_argument(fcinfo, argument, "query_text");
}

std::int32_t count_argument(FunctionCallInfo fcinfo, int argument) {
    refuse_null(fcinfo, argument, "match_count");
    check_match_count(PG_GETARG_INT32(argument));
    return PG_GETARG_INT32(argument);
}

std::shared_ptr<corpus> corpus_argument(FunctionCallInfo fcinfo, int argument) {
    return open_corpus(text_argument(fcinfo, argument, "corpus"));
}

Datum embedding_argument(FunctionCallInfo fcinfo, int argument, const corpus& of) {
    refuse_null(fcinfo, argument, "query_embedding");
    auto* given = reinterpret_cast<pgvector_value*>(pg::guarded([&] { return PG_GETARG_VARLENA_P(argument); }));
    check_embedding_fits(given->elements, static_cast<std::size_t>(given->dimensions), of.dimensions, of.tables.is_half,
                         of.name);
    return PointerGetDatum(given);
}

request request_of(FunctionCallInfo fcinfo, corpus& of, int filter, int document_ids) {
    request asked{of, {}};
    asked.given.metadata = !PG_ARGISNULL(filter);
    asked.given.documents = !PG_ARGISNULL(document_ids);
    if (asked.given.metadata) {
        if (of.tables.metadata.empty())
            throw error{sqlstate::corpus_not_configured, "corpus \"" + of.name + "\" has no metadata to filter by",
                        {}, "Attach it with a jsonb column for metadata, or search without a filter."};
        check_filter(pg::guarded([&] { return toast_raw_datum_size(PG_GETARG_DATUM(filter)) - VARHDRSZ; }));
        asked.filter = PG_GETARG_DATUM(filter);
    }
    if (asked.given.documents) asked.document_ids = PG_GETARG_DATUM(document_ids);
    return asked;
}

/// The result that rows go into. Made before SPI is connected: it lives in the query's memory.
ReturnSetInfo* make_result(FunctionCallInfo fcinfo) {
    pg::guarded([&] { InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC); });
    return reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
}

/// Run a search. Tables that another session dropped or renamed while this one waited for them are told as such.
template <typename Search>
void run(const corpus& of, Search search) {
    try {
        connect_spi();
        search();
        finish_spi();
    } catch (const pg::server_error& e) {
        int code = e.data()->sqlerrcode;
        bool is_missing = code == ERRCODE_UNDEFINED_TABLE || code == ERRCODE_UNDEFINED_SCHEMA ||
                          code == ERRCODE_UNDEFINED_COLUMN;
        if (!is_missing || !of.is_stale) throw;
        throw error{sqlstate::corpus_not_configured, "corpus \"" + of.name + "\" changed during the search",
                    "Its tables were dropped or renamed by another session.", "Search again."};
    }
}

std::vector<answer> answers_of(const std::vector<ranked>& ranking) {
    std::vector<answer> answers;
    answers.reserve(ranking.size());
    for (const auto& one : ranking)
        answers.push_back({one.key, {one.score, 0, 0}, {false, true, true}});
    return answers;
}

/// The best chunks that are good enough.
std::vector<ranked> best_above(vector_lane& lane, const request& asked, std::int32_t count) {
    std::vector<ranked> ranking = lane.best(count);
    auto is_below = [&](const ranked& one) { return one.score < asked.least; };
    ranking.erase(std::find_if(ranking.begin(), ranking.end(), is_below), ranking.end());
    return ranking;
}

} // namespace

TENANCY_FUNCTION(tenancy_match_chunks) {
    auto of = corpus_argument(fcinfo, 5);
    Datum embedding = embedding_argument(fcinfo, 0, *of);
    std::int32_t count = count_argument(fcinfo, 1);
    if (!PG_ARGISNULL(2)) check_threshold(PG_GETARG_FLOAT8(2));
    request asked = request_of(fcinfo, *of, 3, 4);
    if (!PG_ARGISNULL(2)) asked.least = PG_GETARG_FLOAT8(2);
    ReturnSetInfo* result = make_result(fcinfo);

    run(*of, [&] {
        vector_lane lane{asked, embedding};
        kept_rows rows;
        lane.keep_rows(rows);
        std::vector<ranked> ranking = best_above(lane, asked, count);
        if (lane.kept())
            rows.emit(result, *of, ranking);
        else
            emit_rows(result, *of, answers_of(ranking), 1);
    });
    return Datum{0};
}

TENANCY_FUNCTION(tenancy_explain_match) {
    auto of = corpus_argument(fcinfo, 5);
    Datum embedding = embedding_argument(fcinfo, 0, *of);
    std::int32_t count = count_argument(fcinfo, 1);
    if (!PG_ARGISNULL(2)) check_threshold(PG_GETARG_FLOAT8(2));
    request asked = request_of(fcinfo, *of, 3, 4);
    if (!PG_ARGISNULL(2)) asked.least = PG_GETARG_FLOAT8(2);
    ReturnSetInfo* result = make_result(fcinfo);

    run(*of, [&] {
        vector_lane lane{asked, embedding};
        auto rows = static_cast<std::int64_t>(best_above(lane, asked, count).size());
        const vector_report& report = lane.report();
        pg::guarded([&] {
            Datum values[12] = {CStringGetTextDatum(report.tier),
                                report.why_rows ? CStringGetTextDatum(report.why_rows) : Datum{0},
                                Int64GetDatum(report.blocks),
                                Int64GetDatum(report.codes),
                                Int64GetDatum(report.candidates),
                                Int64GetDatum(report.fetched),
                                Int64GetDatum(report.scored),
                                Int64GetDatum(report.widened),
                                Int64GetDatum(rows),
                                BoolGetDatum(report.is_exact),
                                Float8GetDatum(report.is_exact ? 1 : report.expected_recall),
                                report.kernel ? CStringGetTextDatum(report.kernel) : Datum{0}};
            bool nulls[12] = {};
            nulls[1] = report.why_rows == nullptr;
            nulls[11] = report.kernel == nullptr;
            tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        });
    });
    return Datum{0};
}

TENANCY_FUNCTION(tenancy_keyword_search) {
    auto of = corpus_argument(fcinfo, 4);
    std::string text = query_text_argument(fcinfo, 0);
    std::int32_t count = count_argument(fcinfo, 1);
    request asked = request_of(fcinfo, *of, 2, 3);
    ReturnSetInfo* result = make_result(fcinfo);

    run(*of, [&] { emit_rows(result, *of, answers_of(keyword_lane{asked, text}.best(count)), 1); });
    return Datum{0};
}

TENANCY_FUNCTION(tenancy_hybrid_search) {
    auto of = corpus_argument(fcinfo, 8);
    Datum embedding = embedding_argument(fcinfo, 0, *of);
    std::string text = query_text_argument(fcinfo, 1);
    std::int32_t count = count_argument(fcinfo, 2);
    fusion_settings settings;
    refuse_null(fcinfo, 3, "text_weight");
    settings.text_weight = PG_GETARG_FLOAT8(3);
    check_text_weight(settings.text_weight);
    settings.how = check_fusion(text_argument(fcinfo, 4, "fusion"));
    refuse_null(fcinfo, 5, "rrf_k");
    settings.rrf_k = PG_GETARG_INT32(5);
    check_rrf_k(settings.rrf_k);
    request asked = request_of(fcinfo, *of, 6, 7);
    ReturnSetInfo* result = make_result(fcinfo);

    run(*of, [&] {
        vector_lane vectors{asked, embedding};
        keyword_lane words{asked, text};
        std::vector<answer> answers;
        for (const auto& one : search_both(vectors, words, count, settings))
            answers.push_back({one.key, {one.combined, one.vector, one.text}, {false, !one.has_vector, false}});
        emit_rows(result, *of, answers, 3);
    });
    return Datum{0};
}

TENANCY_FUNCTION(tenancy_get_document_chunks) {
    auto of = corpus_argument(fcinfo, 1);
    refuse_null(fcinfo, 0, "document_id");
    ReturnSetInfo* result = make_result(fcinfo);

    run(*of, [&] { emit_document(result, *of, PG_GETARG_DATUM(0)); });
    return Datum{0};
}
