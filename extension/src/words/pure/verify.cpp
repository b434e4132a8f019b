#include "pure/pure.hpp"

#include "words/pure/verify.hpp"

#include "words/pure/postings.hpp"

namespace tenancy::words {

namespace {

void verify_ids(const segment_head& head, part_source& from) {
    std::vector<identity> page;
    identity before{};
    for (std::uint32_t number = 0; number < head.first_ids.size(); ++number) {
        parse_ids_page(from.page(part::ids, number), page);
        if (page.size() != on_page(head.chunks, ids_per_page, number)) refuse_corrupt("A page of ids has a wrong size.");
        if (!(page.front().id == head.first_ids[number])) refuse_corrupt("A page of ids is not where it belongs.");
        for (const identity& one : page) {
            if (one < before) refuse_corrupt("Ids are out of order.");
            before = one;
        }
    }
}

} // namespace

void verify_segment(const segment_head& head, part_source& from) {
    verify_ids(head, from);

    std::vector<std::uint32_t> left;
    read_lengths(from, head.chunks, left);
    std::uint64_t length = 0;
    for (std::uint32_t words : left)
        length += words;
    if (length != head.length) refuse_corrupt("A segment has another number of words than its chunks.");

    segment_walk walk{from, head.chunks};
    std::string lexeme;
    posting_cursor postings;
    while (walk.next(lexeme, postings))
        while (postings.next()) {
            std::uint32_t& words = left[postings.at().chunk];
            if (postings.at().frequency > words) refuse_corrupt("A chunk has more words than it is long.");
            words -= postings.at().frequency;
        }
    for (std::uint32_t words : left)
        if (words != 0) refuse_corrupt("Words of a chunk are missing.");
}

std::int64_t verify_log_row(std::string_view row) {
    std::int64_t chunks = 0;
    log_reader entries{row};
    for (log_entry entry; entries.next(entry);) {
        if (packed_document::hash_of(entry.document) != entry.who.content)
            refuse_corrupt("The words of a chunk in its log have changed.");
        chunks += entry.is_negative ? -1 : 1;
    }
    return chunks;
}

} // namespace tenancy::words
