#include "words/pure/build.hpp"
#include "words/pure/tally.hpp"

#include "fuzz.hpp"

#include <memory>

using namespace tenancy::words;

namespace {

class never : public matcher {
public:
    bool holds(const condition&, const occurrence*) override { return false; }
};

query_shape shape() {
    query_shape query;
    query.lexemes = {"a", "b"};
    query.needs_places = {true, false};
    query.terms = {0, 1};
    query.phrases.push_back({{0, 1}, false, false, 0, 1});
    return query;
}

void read_everything(memory_segment& segment) {
    try {
        segment_head head = segment.head();
        query_shape query = shape();
        never by;
        tally counted{query, by};
        counted.add_segment(head, segment);
        counted.finish({1, 1}, {});
        std::vector<tenancy::search::ranked> found;
        counted.more(10, found);
        counted.look_up({tenancy::uuid{}});
        memory_segments merged;
        merge_segments({{head, &segment}}, true, merged);
    } catch (const tenancy::error& e) {
        require(e.sqlstate() == "XX002");
    }
}

} // namespace

// A made-up row of the log, and made-up rows in an otherwise good segment.
FUZZ_TARGET(words) {
    try {
        query_shape query = shape();
        never by;
        tally counted{query, by};
        counted.add_log_row(text);
        counted.finish({1, 1}, {});
    } catch (const tenancy::error& e) {
        require(e.sqlstate() == "XX002");
    }

    static const auto good = [] {
        const std::uint16_t places[] = {1, 2};
        packed_document one{{{"a", 2, places}, {"b", 1, nullptr}}}, two{{{"b", 1, places}}};
        std::vector<document> documents{{{{{1}}, one.hash()}, one.bytes()}, {{{{2}}, two.hash()}, two.bytes()}};
        memory_segments made;
        build_segments(false, documents, made);
        return made.segments[0]->rows;
    }();
    for (std::size_t i = 0; i < good.size(); ++i) {
        memory_segment broken;
        broken.rows = good;
        std::next(broken.rows.begin(), static_cast<std::ptrdiff_t>(i))->second = text;
        read_everything(broken);
    }
}
