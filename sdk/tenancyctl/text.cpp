#include "tenancyctl/text.hpp"

#include <cerrno>
#include <stdexcept>

#include <iconv.h>

namespace tenancyctl {

namespace {

class converter {
public:
    explicit converter(const std::string& from, const char* to = "UTF-8") : descriptor_{iconv_open(to, from.c_str())} {
        if (descriptor_ == reinterpret_cast<iconv_t>(-1))
            throw std::invalid_argument{"iconv knows no encoding \"" + from + "\""};
    }
    converter(const converter&) = delete;
    converter& operator=(const converter&) = delete;
    ~converter() { iconv_close(descriptor_); }

    // Whether all of the data could be read; what could be is appended to the text.
    bool convert(std::string_view data, std::string& text) {
        char buffer[8192];
        char* in = const_cast<char*>(data.data()); // iconv does not write to it
        std::size_t left = data.size();
        for (;;) {
            char* out = buffer;
            std::size_t room = sizeof buffer;
            const std::size_t result = iconv(descriptor_, &in, &left, &out, &room);
            text.append(buffer, sizeof buffer - room);
            if (result != static_cast<std::size_t>(-1))
                return true;
            if (errno != E2BIG)
                return false;
        }
    }

private:
    iconv_t descriptor_;
};

} // namespace

bool is_utf8(std::string_view data) {
    // UTF-16 has neither surrogates of their own nor anything beyond U+10FFFF.
    std::string unused;
    return converter{"UTF-8", "UTF-16LE"}.convert(data, unused);
}

bool looks_binary(std::string_view data) {
    return data.substr(0, 8192).find('\0') != std::string_view::npos;
}

std::string decode(std::string_view data, const std::string& encoding) {
    if (is_utf8(data))
        return std::string{data};
    if (encoding.empty())
        throw std::runtime_error{"it is not UTF-8: say what it is with --encoding, such as LATIN1"};
    std::string text;
    if (!converter{encoding}.convert(data, text))
        throw std::runtime_error{"it is neither UTF-8 nor " + encoding};
    return text;
}

std::string clean_text(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.substr(0, byte_order_mark.size()) == byte_order_mark)
        text.remove_prefix(byte_order_mark.size());
    std::string clean;
    clean.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r') {
            if (i + 1 == text.size() || text[i + 1] != '\n')
                clean += '\n';
        } else if (text[i] != '\0') {
            clean += text[i];
        }
    }
    return clean;
}

} // namespace tenancyctl
