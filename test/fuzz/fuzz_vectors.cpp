#include "vectors/pure/directory.hpp"
#include "vectors/pure/scan.hpp"
#include "vectors/pure/sketch.hpp"

#include "fuzz.hpp"
#include "pure/error.hpp"

using namespace tenancy::vectors;

// Blocks, sketches and directories of any bytes are searched or refused with a reason, and never read outside.
FUZZ_TARGET(vectors) {
    auto bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    auto search = [](metric by, std::size_t dims, auto use) {
        std::vector<float> asked(dims, 0.5f);
        query prepared{by, asked.data(), dims};
        collector found{prepared, 2};
        use(prepared, found);
        found.end_scan();
        candidate batch[4];
        std::size_t limit = 1000;
        while (std::size_t count = found.take(batch, 4))
            for (std::size_t i = 0; i < count && limit > 0; ++i, --limit)
                found.score(batch[i], 0.25);
        require(found.result().size() <= 2);
    };
    try {
        block_view block{bytes, text.size()};
        search(block.by(), block.dimensions(), [&](const query& prepared, collector& found) {
            scan(prepared, block, 1, found);
            if (block.count() > 0) scan_one(prepared, block, 0, 1, found);
        });
        sketch_builder builder{block.by(), block.dimensions()};
        builder.add(block, 5);
        std::vector<std::uint8_t> packed = builder.pack();
        require(sketch_view{packed.data(), packed.size()}.verify());
    } catch (const tenancy::error& e) {
        require(e.sqlstate() == tenancy::sqlstate::data_corrupted && !e.detail().empty());
    }
    try {
        sketch_view sketch{bytes, text.size()};
        search(sketch.by(), sketch.dimensions(), [&](const query& prepared, collector&) {
            shortlist near{2};
            scan(prepared, sketch, near);
            near.end_scan();
            shortlist::entry next;
            while (near.next(-1, next))
                require(sketch.count() > next.place);
        });
    } catch (const tenancy::error& e) {
        require(e.sqlstate() == tenancy::sqlstate::data_corrupted && !e.detail().empty());
    }
    try {
        if (part_of(bytes, text.size()) == directory_part::promise) {
            promise learned = unpack_promise(bytes, text.size());
            require(learned.kind_for(10) <= promise::kinds);
        } else {
            members_view members{bytes, text.size()};
            std::vector<std::uint64_t> sources;
            members.find({0, 1, 2, 48, 0xffffffff}, sources);
            require(sources.size() <= members.count() && members.count() < text.size());
        }
    } catch (const tenancy::error& e) {
        require(e.sqlstate() == tenancy::sqlstate::data_corrupted && !e.detail().empty());
    }
}
