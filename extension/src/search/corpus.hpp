#pragma once

#include "pg/prelude.hpp"

#include "search/pure/statements.hpp"

#include <array>
#include <memory>
#include <string>

namespace tenancy::search {

/// The statements that a corpus is read by.
enum class statement : std::size_t {
    nearest, distances, distances_by_join, distances_by_place, scored, scored_by_join, scored_by_place, words, words_of, visible,
    passing, rows, titles, titles_by_join, titles_by_place, document
};

/// Columns of the chunks table by their plain names; an empty one is not there.
struct column_names {
    std::string tenant, id, content, embedding, tsv;
};

/// A registered corpus as this backend knows it, with its prepared plans.
///
/// Kept for the backend's life until the registry, a table of it or a schema changes; then the next search reads it
/// anew, while a search that runs holds on to the one that it began with.
class corpus {
public:
    corpus() = default;
    ~corpus();
    corpus(const corpus&) = delete;
    corpus& operator=(const corpus&) = delete;

    std::string name;
    Oid chunks = InvalidOid;
    Oid documents = InvalidOid;
    Oid text_config = InvalidOid;
    Oid vector_type = InvalidOid;
    Oid distance_function = InvalidOid; ///< pgvector's, of two embeddings
    uint32 vector_type_hash = 0;
    std::size_t dimensions = 0;
    layout tables;
    column_names columns;
    Oid tenant_type = InvalidOid;
    bool has_exact_tenants = false; ///< equal tenants have equal bytes, as stores need it
    bool is_stale = false;

    /// The plan of a statement, prepared when it is first wanted. Needs an SPI connection.
    SPIPlanPtr plan(statement wanted, filters given = {});

    /// The plan of a statement that looks rows up by an array of keys, or by a join where the planner makes nothing good
    /// of the array. Only `distances`, `scored` and `titles`, which those by a join and by places follow.
    SPIPlanPtr plan_by_keys(statement wanted, filters given = {});

    /// The same by a tid[] of places; null where rows have none, or the planner does not go straight to them.
    SPIPlanPtr plan_by_places(statement wanted, filters given = {});

private:
    static constexpr std::size_t statements = 16, filter_sets = 4;

    struct made {
        SPIPlanPtr plan = nullptr;
        int judged = -1; ///< generation of the plan that is_good is said of
        bool is_good = false;
    };
    bool is_good(SPIPlanPtr plan, made& slot, bool (*judge)(PlannedStmt*, statement), statement wanted);
    made& of(statement wanted, filters given) {
        std::size_t filter_set = (given.metadata ? 1 : 0) + (given.documents ? 2 : 0);
        return m_plans[static_cast<std::size_t>(wanted) * filter_sets + filter_set];
    }

    std::array<made, statements * filter_sets> m_plans{};
};

/// Find a corpus by name.
///
/// @throws error TN010 when there is none, or its tables no longer fit what was registered
std::shared_ptr<corpus> open_corpus(const std::string& name);

/// Listen for changes of the registry and the tables; called once from _PG_init.
void register_corpus_invalidation();

} // namespace tenancy::search
