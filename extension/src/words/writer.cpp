#include "words/writer.hpp"

#include "pg/guard.hpp"
#include "words/seal.hpp"

namespace tenancy::words {

namespace {

/// Words in memory, over all tenants of a statement.
constexpr std::size_t most_buffered = std::size_t{64} << 20;

/// A row of the log holds more than one document only as long as it fits four to a page, in line.
constexpr std::size_t log_row_bytes = 1900;

/// Whether a document is one of those after which the log is measured. It depends on nothing but the documents, so that it
/// needs no counter that writers of a tenant would have to share.
bool asks_for_measuring(const identity& who) noexcept { return who.content % 32 == 0; }

} // namespace

void writer::add(std::string_view tenant, const uuid& id, const packed_document& words, bool is_negative) {
    tenant_part& part = m_parts[std::string{tenant}];
    (is_negative ? part.went : part.came).push_back({{id, words.hash()}, words.bytes()});
    m_buffered += words.bytes().size() + sizeof(document);
    if (m_buffered >= most_buffered) write_all();
}

void writer::finish() { write_all(); }

void writer::write_all() {
    for (auto& [tenant, part] : m_parts)
        write(tenant, part);
    m_parts.clear();
    m_buffered = 0;
}

void writer::write(const std::string& tenant, tenant_part& part) {
    tenant_words into{m_store, tenant};
    into.open(RowExclusiveLock);
    stored_segments segments{into};
    bool is_measured = false;
    std::string row;
    for (auto* documents : {&part.went, &part.came}) {
        bool is_negative = documents == &part.went;
        if (documents->size() >= least_sealed && m_mode != mode::keep_log) {
            build_segments(is_negative, *documents, segments);
            continue;
        }
        for (const document& one : *documents) {
            if (!row.empty() && row.size() + one.bytes.size() > log_row_bytes) {
                into.insert_log_row(row);
                row.clear();
            }
            put_log_entry(row, one.who, is_negative, one.bytes);
            is_measured = is_measured || asks_for_measuring(one.who);
        }
    }
    if (!row.empty()) into.insert_log_row(row);
    if (m_mode == mode::keep && (is_measured || segments.made() > 0)) seal(into, segments.made() > 0);
    if (segments.made() > 0) m_with_segments.insert(tenant);
    into.close();
}

} // namespace tenancy::words
