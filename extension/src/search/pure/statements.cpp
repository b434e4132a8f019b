#include "pure/pure.hpp"

#include "search/pure/statements.hpp"

namespace tenancy::search {

namespace {

std::string tenants_chunks(const layout& of) {
    return "c." + of.chunks_tenant + " OPERATOR(pg_catalog.=) " + of.chunks_tenant_function;
}

std::string passes(const layout& of, filters given, const char* filter, const char* document_ids) {
    std::string condition;
    if (given.metadata) condition += " AND c." + of.metadata + " OPERATOR(pg_catalog.@>) " + filter;
    if (given.documents) condition += " AND c." + of.document_id + " OPERATOR(pg_catalog.=) ANY (" + document_ids + ")";
    return condition;
}

/// SELECT columns of the rows of a table with these ids, or at these places. OFFSET 0 keeps the planner from turning the join
/// around.
std::string select_by_id(const std::string& columns, const std::string& table, const std::string& alias,
                         const std::string& id, const char* ids, const std::string& condition, lookup by) {
    std::string select = "SELECT " + columns + " FROM " + table + " AS " + alias + " WHERE " + alias + "." +
                         (by == lookup::place ? "ctid" : id) + " OPERATOR(pg_catalog.=) ";
    if (by != lookup::join) return select + "ANY (" + ids + ") AND " + condition;
    return "SELECT x.* FROM pg_catalog.unnest(" + std::string{ids} + ") AS k(id), LATERAL (" + select + "k.id AND " +
           condition + " OFFSET 0) AS x";
}

std::string raw_distance(const layout& of) {
    std::string query = of.is_half ? "$1::" + of.vector_schema + ".halfvec" : "$1";
    return "c." + of.embedding + " OPERATOR(" + of.vector_schema + "." + distance_operator(of.by) + ") " + query;
}

/// What a chunk is scored by: a vector itself, as calling pgvector's function saves what an expression costs.
std::string scored_by(const layout& of) { return of.is_half ? raw_distance(of) : "c." + of.embedding; }

/// Of the tenant, passing the filters, with something to score by.
std::string scorable(const layout& of, filters given) {
    return tenants_chunks(of) + passes(of, given, "$3", "$4") + " AND c." + of.embedding + " IS NOT NULL";
}

std::string defined_distance(const layout& of) {
    const char* nothing = of.by == metric::cosine          ? "1"
                          : of.by == metric::inner_product ? "0"
                                                           : "'Infinity'";
    return std::string{"CASE WHEN d.raw OPERATOR(pg_catalog.=) 'NaN'::pg_catalog.float8 THEN "} + nothing +
           "::pg_catalog.float8 ELSE d.raw END";
}

/// OFFSET 0 keeps the planner from merging this with the query around it and computing the distance twice.
std::string distances_from(const layout& of, const std::string& source, const std::string& condition) {
    return "(SELECT c." + of.id + " AS id, " + raw_distance(of) + " AS raw FROM " + source + " WHERE " + condition +
           "c." + of.embedding + " IS NOT NULL OFFSET 0) AS d";
}

/// All that can be found: a unique id may be null, and then nobody can ask for the chunk.
std::string all_chunks(const layout& of) { return tenants_chunks(of) + " AND c." + of.id + " IS NOT NULL"; }

std::string vector_of_words(const layout& of) {
    if (!of.tsv.empty()) return "c." + of.tsv;
    return "pg_catalog.to_tsvector($1, c." + of.content + "::pg_catalog.text)";
}

std::string optional(const char* table, const std::string& column, const char* type) {
    return (column.empty() ? "NULL" : table + column) + "::pg_catalog." + type;
}

std::string place_of(const char* table, bool has_places) {
    return has_places ? table + std::string{"ctid"} : "NULL::pg_catalog.tid";
}

} // namespace

std::string quote_identifier(std::string_view name) {
    std::string quoted{'"'};
    for (char c : name) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    quoted += '"';
    return quoted;
}

std::string nearest_statement(const layout& of, filters given) {
    std::string condition = all_chunks(of) + passes(of, given, "$3", "$4") + " AND ";
    return "SELECT n.id, n.distance FROM (SELECT d.id, " + defined_distance(of) + " AS distance FROM " +
           distances_from(of, of.chunks + " AS c", condition) + ") AS n ORDER BY n.distance, n.id LIMIT $2";
}

std::string distances_statement(const layout& of, filters given, lookup by) {
    return select_by_id("c." + of.id + ", " + scored_by(of) + ", " + place_of("c.", of.chunks_have_places), of.chunks, "c", of.id, "$2",
                        scorable(of, given), by);
}

std::string scored_statement(const layout& of, filters given, lookup by) {
    return select_by_id("c." + of.id + ", " + scored_by(of) + ", c." + of.document_id + ", " +
                            optional("c.", of.chunk_index, "int4") + ", c." + of.content + "::pg_catalog.text, " +
                            optional("c.", of.metadata, "jsonb") + ", " + place_of("c.", of.chunks_have_places),
                        of.chunks, "c", of.id, "$2", scorable(of, given), by);
}

std::string words_statement(const layout& of, filters given) {
    return "SELECT c." + of.id + ", " + vector_of_words(of) + ", (true" + passes(of, given, "$2", "$3") +
           ") IS TRUE FROM " + of.chunks + " AS c WHERE " + all_chunks(of);
}

std::string words_of_statement(const layout& of) {
    return select_by_id("c." + of.id + ", " + vector_of_words(of), of.chunks, "c", of.id, "$2",
                        tenants_chunks(of), lookup::join);
}

std::string visible_statement(const layout& of) {
    return "SELECT c." + of.id + " FROM " + of.chunks + " AS c WHERE " + all_chunks(of);
}

std::string passing_statement(const layout& of, filters given) {
    return select_by_id("c." + of.id, of.chunks, "c", of.id, "$1",
                        tenants_chunks(of) + passes(of, given, "$2", "$3"), lookup::join);
}

std::string rows_statement(const layout& of) {
    return "SELECT k.place, c.id, c.document_id, c.chunk_index, c.content, c.metadata, " +
           optional("d.", of.title, "text") + ", " + optional("d.", of.source, "text") +
           " FROM pg_catalog.unnest($1) WITH ORDINALITY AS k(id, place), LATERAL (SELECT c." + of.id + ", c." +
           of.document_id + ", " + optional("c.", of.chunk_index, "int4") + ", c." + of.content + "::pg_catalog.text, " +
           optional("c.", of.metadata, "jsonb") + " FROM " + of.chunks + " AS c WHERE c." + of.id +
           " OPERATOR(pg_catalog.=) k.id AND " + tenants_chunks(of) +
           " OFFSET 0) AS c(id, document_id, chunk_index, content, metadata) LEFT JOIN " + of.documents + " AS d ON d." +
           of.documents_id + " OPERATOR(pg_catalog.=) c.document_id AND d." + of.documents_tenant +
           " OPERATOR(pg_catalog.=) " + of.documents_tenant_function + " ORDER BY k.place";
}

std::string titles_statement(const layout& of, lookup by) {
    return select_by_id("d." + of.documents_id + ", " + optional("d.", of.title, "text") + ", " +
                            optional("d.", of.source, "text") + ", " + place_of("d.", of.documents_have_places),
                        of.documents, "d", of.documents_id, "$1",
                        "d." + of.documents_tenant + " OPERATOR(pg_catalog.=) " + of.documents_tenant_function, by);
}

std::string document_statement(const layout& of) {
    std::string place = optional("c.", of.chunk_index, "int4");
    return "SELECT c." + of.id + ", " + place + ", c." + of.content + "::pg_catalog.text, " +
           optional("c.", of.metadata, "jsonb") + " FROM " + of.chunks + " AS c WHERE " + tenants_chunks(of) +
           " AND c." + of.document_id + " OPERATOR(pg_catalog.=) $1 ORDER BY " + place + ", c." + of.id;
}

} // namespace tenancy::search
