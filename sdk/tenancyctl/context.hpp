#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tenancy/tenancy.hpp"

namespace tenancyctl {

/// What every command is told.
struct context {
    /// Connection string, with the role in it.
    std::string conninfo;
    bool json = false;
    bool quiet = false;
};

/// Exit codes; `tenancyctl --help` lists them.
enum exit_code {
    exit_ok = 0,
    exit_failure = 1,
    exit_usage = 2,
    exit_connection = 3,
    exit_embedding = 4,
    /// TN001 exits with 11, TN010 with 20.
    exit_tenancy_base = 10
};

/// A tenant as given on the command line: an id if it has the form of one, else a slug.
tenancy::caller parse_caller(const std::string& tenant, const std::string& user);

/// Which embedder, as given on the command line.
struct embedder_choice {
    std::string kind = "hashing";
    int dimensions = 0;
    std::string base_url = "https://api.openai.com/v1";
    std::string model;
};

/// Makes the embedder; the key for an endpoint comes from TENANCY_EMBEDDING_API_KEY or OPENAI_API_KEY, never
/// from the command line.
/** @param corpus_dimensions what the corpus needs, 0 if that is not known */
std::unique_ptr<tenancy::embedder> make_embedder(const embedder_choice& choice, int corpus_dimensions);

/// The text with control characters taken out, cut to at most this many columns.
std::string one_line(const std::string& text, std::size_t width);

} // namespace tenancyctl
