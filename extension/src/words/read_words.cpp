#include "words/read_words.hpp"

namespace tenancy::words {

void read_words(TSVector from, std::vector<word>& into, std::vector<std::uint16_t>& places) {
    into.clear();
    places.clear();
    const WordEntry* entries = ARRPTR(from);
    const char* strings = STRPTR(from);
    std::size_t count = 0;
    for (int i = 0; i < from->size; ++i)
        if (entries[i].haspos) count += POSDATALEN(from, const_cast<WordEntry*>(entries + i));
    places.reserve(count);
    for (int i = 0; i < from->size; ++i) {
        auto* entry = const_cast<WordEntry*>(entries + i);
        word one{{strings + entry->pos, entry->len}, 1, nullptr};
        if (entry->haspos) {
            one.frequency = POSDATALEN(from, entry);
            if (one.frequency == 0) continue;
            one.places = places.data() + places.size();
            for (std::uint32_t at = 0; at < one.frequency; ++at)
                places.push_back(static_cast<std::uint16_t>(WEP_GETPOS(POSDATAPTR(from, entry)[at])));
        }
        into.push_back(one);
    }
}

} // namespace tenancy::words
