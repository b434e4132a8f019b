#include "search/registry.hpp"

#include "context/row_lookup.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "catalog/pg_am.h"
}

namespace tenancy::search {

namespace {

// Column numbers of sql/50_corpus.sql; columns are only ever appended there.
enum corpora_column : AttrNumber {
    corpora_name = 1,
    corpora_documents = 2,
    corpora_chunks = 3,
    corpora_dimensions = 4,
    corpora_metric = 5,
    corpora_text_config = 6,
    corpora_columns = 7,
};

enum part { tenant_id, id, document_id, chunk_index, content, embedding, metadata, tsv, documents_tenant_id,
            documents_id, title, source };
constexpr const char* part_names[] = {"tenant_id", "id",  "document_id",         "chunk_index",  "content", "embedding",
                                      "metadata",  "tsv", "documents_tenant_id", "documents_id", "title",   "source"};
constexpr std::size_t parts = sizeof part_names / sizeof *part_names;

/// The registry's row and what the catalogue says of it. Trivial, for PostgreSQL's errors jump over it; strings belong to
/// the memory context of the caller.
struct registration {
    bool found;
    Oid documents, chunks, text_config;
    int32 dimensions;
    const char* metric;
    const char* columns[parts]; ///< null for a part that the tables do not have
    const char *documents_schema, *documents_name, *chunks_schema, *chunks_name;
    Oid column_types[parts]; ///< invalid where the column is not there
    const char* misfits[parts]; ///< names of types that are not what attach_corpus() takes
    bool has_exact_tenants;
    bool chunks_have_places, documents_have_places;
    int32 embedding_typmod;
    const char* embedding_type_name;
    bool is_pgvector;
    Oid vector_type;
    uint32 vector_type_hash;
    const char* vector_schema;
    search::metric by;
    Oid distance_function;
};

bool is_required(std::size_t which) {
    switch (which) {
    case chunk_index:
    case metadata:
    case tsv:
    case title:
    case source:
        return false;
    default:
        return true;
    }
}

/// Whether a column of a type can play a part. What is read here is read as that type without asking again: an owner may
/// change a column's type, and register what attach_corpus() would not.
bool fits(std::size_t which, Oid type) {
    switch (which) {
    case tenant_id:
    case documents_tenant_id:
        return type == UUIDOID || type == INT8OID || type == INT4OID || type == TEXTOID || type == VARCHAROID;
    case id:
    case document_id:
    case documents_id:
        return type == UUIDOID;
    case chunk_index:
        return type == INT4OID || type == INT2OID;
    case metadata:
        return type == JSONBOID;
    case tsv:
        return type == TSVECTOROID;
    case embedding:
        return true; // read_pgvector() looks at it
    default:
        return type == TEXTOID || type == VARCHAROID;
    }
}

bool is_of_documents(std::size_t which) { return which >= documents_tenant_id; }

void read_columns(Datum columns, registration& row) {
    Jsonb* map = DatumGetJsonbP(columns);
    for (std::size_t i = 0; i < parts; ++i) {
        JsonbValue* value = getKeyJsonValueFromContainer(&map->root, part_names[i],
                                                         static_cast<int>(std::strlen(part_names[i])), nullptr);
        row.columns[i] = value && value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len)
                                                           : nullptr;
    }
}

void read_row(const char* name, registration& row) {
    // The tables may be as new as this moment, whatever snapshot the transaction has: invalidations are, too.
    Snapshot snapshot = RegisterSnapshot(context::snapshot_of_now());
    ScanKeyData key;
    ScanKeyInit(&key, corpora_name, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
    context::row_lookup found{"corpora", "corpora_pkey", snapshot, 1, &key};
    row.found = found.found();
    if (row.found) {
        auto column = [&](AttrNumber number) {
            bool is_null; // every column is declared NOT NULL
            return found.column(number, is_null);
        };
        row.documents = DatumGetObjectId(column(corpora_documents));
        row.chunks = DatumGetObjectId(column(corpora_chunks));
        row.dimensions = DatumGetInt32(column(corpora_dimensions));
        row.metric = TextDatumGetCString(column(corpora_metric));
        row.text_config = DatumGetObjectId(
            DirectFunctionCall1(regconfigin, CStringGetDatum(TextDatumGetCString(column(corpora_text_config)))));
        read_columns(column(corpora_columns), row);
    }
    found.close();
    UnregisterSnapshot(snapshot);
}

void read_relation(Oid relation, const char*& schema, const char*& name) {
    name = get_rel_name(relation);
    if (name) schema = get_namespace_name(get_rel_namespace(relation));
}

void read_types(registration& row) {
    for (std::size_t i = 0; i < parts; ++i) {
        if (row.columns[i] == nullptr) continue;
        Oid relation = is_of_documents(i) ? row.documents : row.chunks;
        AttrNumber number = get_attnum(relation, row.columns[i]);
        if (number == InvalidAttrNumber) continue;
        int32 typmod;
        Oid collation;
        get_atttypetypmodcoll(relation, number, &row.column_types[i], &typmod, &collation);
        if (!fits(i, row.column_types[i])) row.misfits[i] = format_type_be(row.column_types[i]);
        if (i == embedding) row.embedding_typmod = typmod;
        if (i == tenant_id) row.has_exact_tenants = !OidIsValid(collation) || get_collation_isdeterministic(collation);
    }
}

/// Of the embedding's type, which must be pgvector's own: its schema is where the operators are.
void read_pgvector(registration& row) {
    Oid type = row.column_types[embedding];
    if (!OidIsValid(type)) return;
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", type);
    auto form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
    Oid schema = form->typnamespace;
    row.embedding_type_name = pstrdup(NameStr(form->typname));
    ReleaseSysCache(tuple);

    row.is_pgvector = getExtensionOfObject(TypeRelationId, type) == get_extension_oid("vector", true) &&
                      (std::strcmp(row.embedding_type_name, "vector") == 0 || std::strcmp(row.embedding_type_name, "halfvec") == 0);
    row.vector_schema = get_namespace_name(schema);
    row.vector_type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("vector"), ObjectIdGetDatum(schema));
    parse_metric(row.metric, row.by);
    List* distance = list_make2(makeString(const_cast<char*>(row.vector_schema)),
                                makeString(pstrdup(distance_operator(row.by))));
    row.distance_function = get_opcode(OpernameGetOprid(distance, type, type));
    row.vector_type_hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(row.vector_type));
}

/// Whether a place is one of one table, and good for as long as nobody moves the row.
bool has_places(Oid relation) {
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple)) return false;
    auto form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    bool is_heap = form->relkind == RELKIND_RELATION && form->relam == HEAP_TABLE_AM_OID;
    ReleaseSysCache(tuple);
    return is_heap;
}

const char* tenant_function(Oid type) {
    switch (type) {
    case UUIDOID:
        return "tenancy.current_tenant_id()";
    case INT8OID:
        return "tenancy.current_tenant_key_bigint()";
    case INT4OID:
        return "tenancy.current_tenant_key_integer()";
    default:
        return "tenancy.current_tenant_key()";
    }
}

std::string qualified(const char* schema, const char* name) {
    return quote_identifier(schema) + "." + quote_identifier(name);
}

[[noreturn]] void refuse(const std::string& corpus, std::string detail) {
    throw error{sqlstate::corpus_not_configured, "corpus \"" + corpus + "\" no longer fits its tables",
                std::move(detail),
                "Take it out with tenancy.drop_corpus() and register it again with tenancy.attach_corpus()."};
}

void check(const registration& row, const std::string& corpus) {
    if (!row.found)
        throw error{sqlstate::corpus_not_configured, "corpus \"" + corpus.substr(0, 80) + "\" is not configured",
                    {},
                    "Make it with tenancy.create_corpus(), or register your tables with tenancy.attach_corpus()."};
    if (row.documents_name == nullptr || row.chunks_name == nullptr)
        refuse(corpus, std::string{"Its table of "} + (row.chunks_name ? "documents" : "chunks") + " was dropped.");
    for (std::size_t i = 0; i < parts; ++i) {
        std::string table = is_of_documents(i) ? row.documents_name : row.chunks_name;
        if (!row.columns[i] && is_required(i))
            refuse(corpus, std::string{"No column of table "} + table + " is registered as its " + part_names[i] + ".");
        if (row.columns[i] && !OidIsValid(row.column_types[i]))
            refuse(corpus, "Table " + table + " has no column \"" + row.columns[i] + "\" any more.");
        if (row.misfits[i])
            refuse(corpus, "Column \"" + std::string{row.columns[i]} + "\" of table " + table + " is of type " +
                               row.misfits[i] + " now.");
    }
    if (!row.is_pgvector)
        refuse(corpus, "Column \"" + std::string{row.columns[embedding]} + "\" is of a type " +
                           row.embedding_type_name + " that is not pgvector's vector or halfvec.");
    if (row.embedding_typmod != row.dimensions)
        refuse(corpus, "It was registered with " + std::to_string(row.dimensions) + " dimensions, and column \"" +
                           row.columns[embedding] + "\" now has " +
                           (row.embedding_typmod < 0 ? "none" : std::to_string(row.embedding_typmod)) + ".");
}

} // namespace

void read_registration(corpus& into) {
    registration row{};
    pg::guarded([&] {
        read_row(into.name.c_str(), row);
        if (!row.found) return;
        read_relation(row.documents, row.documents_schema, row.documents_name);
        read_relation(row.chunks, row.chunks_schema, row.chunks_name);
        if (row.documents_name == nullptr || row.chunks_name == nullptr) return;
        read_types(row);
        read_pgvector(row);
        row.chunks_have_places = has_places(row.chunks);
        row.documents_have_places = has_places(row.documents);
    });
    check(row, into.name);

    auto column = [&](part which) {
        return row.columns[which] ? quote_identifier(row.columns[which]) : std::string{};
    };
    into.chunks = row.chunks;
    into.documents = row.documents;
    into.text_config = row.text_config;
    into.vector_type = row.vector_type;
    into.distance_function = row.distance_function;
    into.vector_type_hash = row.vector_type_hash;
    into.dimensions = static_cast<std::size_t>(row.dimensions);

    auto plain = [&](part which) { return std::string{row.columns[which] ? row.columns[which] : ""}; };
    into.columns = {plain(tenant_id), plain(id), plain(content), plain(embedding), plain(tsv)};
    into.tenant_type = row.column_types[tenant_id];
    into.has_exact_tenants = row.has_exact_tenants;

    layout& tables = into.tables;
    tables.chunks = qualified(row.chunks_schema, row.chunks_name);
    tables.documents = qualified(row.documents_schema, row.documents_name);
    tables.chunks_tenant = column(tenant_id);
    tables.documents_tenant = column(documents_tenant_id);
    tables.chunks_tenant_function = tenant_function(row.column_types[tenant_id]);
    tables.documents_tenant_function = tenant_function(row.column_types[documents_tenant_id]);
    tables.id = column(id);
    tables.document_id = column(document_id);
    tables.content = column(content);
    tables.embedding = column(embedding);
    tables.chunk_index = column(chunk_index);
    tables.metadata = column(metadata);
    tables.tsv = column(tsv);
    tables.documents_id = column(documents_id);
    tables.title = column(title);
    tables.source = column(source);
    tables.vector_schema = quote_identifier(row.vector_schema);
    tables.is_half = std::strcmp(row.embedding_type_name, "halfvec") == 0;
    tables.by = row.by;
    tables.chunks_have_places = row.chunks_have_places;
    tables.documents_have_places = row.documents_have_places;
}

} // namespace tenancy::search
