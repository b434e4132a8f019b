#pragma once

#include "search/corpus.hpp"
#include "search/pure/ranked.hpp"
#include "search/spi.hpp"

#include <vector>

namespace tenancy::search {

/// Rows of scored_statement() that may belong to the answer, kept from when they were scored so that nobody fetches them again.
///
/// Long contents stay where they are: a copy has what the row has of them. Lives as long as the SPI connection.
class kept_rows {
public:
    /// The columns that a row has for the answer, in the order of scored_statement().
    enum column : int { document_id = 2, chunk_index, content, metadata };

    /// Make room for `more` rows, as keep() never throws.
    void make_room(std::size_t more) { m_rows.reserve(m_rows.size() + more); }

    /// Copy a row; called among the executor's frames.
    void keep(TupleTableSlot* slot);

    /// Say where the rows from the first one on rank, in the order that they came in.
    void rank(std::size_t first, const ranked* as) noexcept;

    std::size_t count() const noexcept { return m_rows.size(); }

    /// Let go of those that rank behind.
    void forget_behind(const ranked& last);

    /// Put the rows of a ranking into the function's result, in this order: the columns are those of match_chunks.
    ///
    /// @param ranking of rows that were kept
    void emit(ReturnSetInfo* result, corpus& of, const std::vector<ranked>& ranking);

private:
    struct row {
        ranked of;
        MinimalTuple tuple;
    };

    std::vector<row> m_rows;
    TupleDesc m_descriptor = nullptr;
    MemoryContext m_context = CurrentMemoryContext;
};

} // namespace tenancy::search
