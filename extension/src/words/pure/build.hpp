#pragma once

#include "words/pure/postings.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tenancy::words {

/// A chunk's words with who it is.
struct document {
    identity who;
    std::string bytes; ///< of a packed_document
};

/// Where new segments go.
class segment_sink {
public:
    virtual ~segment_sink() = default;

    /// The next rows are those of a new segment.
    virtual part_sink& begin_segment() = 0;
};

/// Make segments of documents, at most most_chunks in each; none of no documents.
///
/// @param documents in any order; sorted by this
void build_segments(bool is_negative, std::vector<document>& documents, segment_sink& into);

/// A segment to be merged.
struct merge_input {
    segment_head head;
    part_source* from;
};

/// Make one set of segments of several: what came and went again is left out.
///
/// @param is_everything whether these are all segments that there are. Then what went without having come is forgotten, and takes
///                      another version of its chunk with it: its words were read differently when it came.
void merge_segments(const std::vector<merge_input>& inputs, bool is_everything, segment_sink& into);

/// A segment in memory.
class memory_segment : public part_sink, public part_source {
public:
    void put(part kind, std::string_view key, std::uint32_t number, std::string_view bytes) override;
    std::string_view page(part kind, std::uint32_t number) override;
    void for_each_page(part kind, const std::function<void(std::string_view)>& visit) override;
    void blocks_of(part kind, std::string_view lexeme, std::vector<std::string>& into) override;
    bool next_block(part kind, std::string& into, bool from_the_start) override;

    segment_head head();

    struct place {
        part kind;
        std::string key;
        std::uint32_t number;

        friend bool operator<(const place& a, const place& b) {
            if (a.kind != b.kind) return a.kind < b.kind;
            return a.key != b.key ? a.key < b.key : a.number < b.number;
        }
    };
    std::map<place, std::string> rows;

private:
    std::map<place, std::string>::iterator m_next[5];
};

/// Segments in memory, one after the other.
class memory_segments : public segment_sink {
public:
    part_sink& begin_segment() override { return *segments.emplace_back(std::make_unique<memory_segment>()); }

    std::vector<std::unique_ptr<memory_segment>> segments;
};

} // namespace tenancy::words
