#include "search/vector_lane.hpp"

#include "search/keys.hpp"

namespace tenancy::search {

namespace {

/// A row (id, distance) as a ranking has it.
ranked read(HeapTuple tuple, TupleDesc descriptor, metric by) {
    bool is_null;
    uuid key = uuid_of(SPI_getbinval(tuple, descriptor, 1, &is_null));
    double distance = DatumGetFloat8(SPI_getbinval(tuple, descriptor, 2, &is_null));
    return {key, similarity(by, distance)};
}

} // namespace

std::vector<ranked> vector_lane::best(std::int64_t count) {
    parameters given;
    given.set(0, m_embedding);
    given.set(1, Int64GetDatum(count));
    if (m_asked.given.metadata) given.set(2, m_asked.filter);
    if (m_asked.given.documents) given.set(3, m_asked.document_ids);

    std::vector<ranked> found;
    metric by = m_asked.of.tables.by;
    for_each_row(m_asked.of.plan(statement::nearest, m_asked.given), given,
                 [&](HeapTuple tuple, TupleDesc descriptor) { found.push_back(read(tuple, descriptor, by)); });
    return found;
}

std::vector<finding> vector_lane::scores_of(const std::vector<uuid>& keys) {
    std::vector<finding> findings(keys.size());
    key_index places{keys};
    metric by = m_asked.of.tables.by;
    for_each_chunk_of_keys(keys, [&](Datum ids) {
        parameters given;
        given.set(0, m_embedding);
        given.set(1, ids);
        for_each_row(m_asked.of.plan(statement::distances), given, [&](HeapTuple tuple, TupleDesc descriptor) {
            ranked row = read(tuple, descriptor, by);
            findings[places.at(row.key)] = {finding::kind::scored, row.score};
        });
    });
    return findings;
}

} // namespace tenancy::search
