#pragma once

#include "pure/uuid.hpp"
#include "words/pure/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenancy::words {

/// Who a chunk is to the keyword store. Two versions of a chunk differ in `content`, unless their words are the same, and
/// then nothing depends on which is which.
struct identity {
    uuid id;
    std::uint64_t content; ///< hash of the words

    friend bool operator==(const identity& a, const identity& b) noexcept {
        return a.id == b.id && a.content == b.content;
    }
    friend bool operator<(const identity& a, const identity& b) noexcept {
        int order = std::memcmp(a.id.bytes, b.id.bytes, sizeof a.id.bytes);
        return order != 0 ? order < 0 : a.content < b.content;
    }
};

/// One word of a chunk.
struct word {
    std::string_view lexeme;
    std::uint32_t frequency;                ///< at least 1
    const std::uint16_t* places = nullptr;  ///< `frequency` of them in ascending order, or null: it stands, but not known where
};

/// The words of one chunk, packed: number of words, number of lexemes, then each lexeme with its places.
class packed_document {
public:
    packed_document() = default;

    /// Words in bytewise order of their lexemes.
    explicit packed_document(const std::vector<word>& words);

    const std::string& bytes() const noexcept { return m_bytes; }
    std::uint64_t hash() const noexcept { return hash_of(m_bytes); }
    static std::uint64_t hash_of(std::string_view bytes) noexcept;

private:
    std::string m_bytes;
};

/// Reads the words of one chunk, in order.
class document_reader {
public:
    explicit document_reader(std::string_view bytes);

    std::uint32_t length() const noexcept { return m_length; }

    /// The next word, valid until the one after; false at the end.
    bool next(word& into);

private:
    reader m_bytes;
    std::uint32_t m_length;
    std::uint32_t m_left;
    std::vector<std::uint16_t> m_places;
};

/// One entry of the log: a chunk's words that came, or went.
struct log_entry {
    identity who;
    bool is_negative; ///< the words went
    std::string_view document;
};

/// Append an entry to a row of the log.
void put_log_entry(std::string& row, const identity& who, bool is_negative, std::string_view document);

/// Reads the entries of one row of the log.
class log_reader {
public:
    explicit log_reader(std::string_view row);
    bool next(log_entry& into);

private:
    reader m_bytes;
};

} // namespace tenancy::words
