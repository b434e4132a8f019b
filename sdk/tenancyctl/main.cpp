#include <cctype>
#include <cstdlib>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tenancyctl/commands.hpp"
#include "tenancyctl/conninfo.hpp"
#include "tenancyctl/control.hpp"

namespace {

using namespace tenancyctl;

constexpr const char* footer =
    R"(Connection: --db, or libpq's environment (PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSERVICE, ...).

Examples:
  tenancyctl tenant create acme --name "Acme Ltd."
  tenancyctl user register ann@example.com --name Ann
  tenancyctl member add acme ann@example.com editor
  tenancyctl key create acme nightly --role viewer
  tenancyctl ingest --tenant acme --create-corpus /usr/share/common-licenses
  tenancyctl search --tenant acme "who may copy the program" -k 3
  tenancyctl --json search --tenant acme --mode keyword warranty | jq '.results[].document_title'
  tenancyctl migrate plan
  tenancyctl --db "host=/run/postgresql dbname=app" --role app status

Exit codes:
   0  done
   1  failed; the message says why
   2  wrong usage
   3  no connection to the database
   4  the texts could not be embedded
  11 to 20  the extension refused: TN001 exits with 11 (no tenant is set), TN002 with 12 (tenant is not
     available), TN003 with 13, TN004 with 14 (the role may not write), ... TN010 with 20 (no such corpus, or
     the embedding does not fit it))";

void add_embedder_options(CLI::App* command, embedder_choice& choice) {
    command
        ->add_option("--embedder", choice.kind,
                     "hashing: built in, deterministic, knows words and no meaning; for demos and tests. "
                     "http: an OpenAI-compatible endpoint")
        ->check(CLI::IsMember({"hashing", "http"}))
        ->capture_default_str();
    command
        ->add_option("--dimensions", choice.dimensions,
                     "numbers per embedding (default: what the corpus has)")
        ->check(CLI::Range(1, 16000));
    command->add_option("--base-url", choice.base_url, "of the endpoint, up to and including its version")
        ->capture_default_str();
    command->add_option("--model", choice.model,
                        "the endpoint's model; its key comes from the environment: "
                        "TENANCY_EMBEDDING_API_KEY or OPENAI_API_KEY");
}

// An error as a line for people, or as JSON for programs, on standard error either way.
int report(const context& ctx, int code, const std::string& message, const tenancy::diagnostics& info = {}) {
    std::string text = message;
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
        text.pop_back();
    if (ctx.json) {
        const nlohmann::ordered_json error{{"message", text},
                                           {"sqlstate", info.sqlstate},
                                           {"detail", info.detail},
                                           {"hint", info.hint},
                                           {"exit_code", code}};
        std::cerr << nlohmann::ordered_json{{"error", error}}.dump(2, ' ', false,
                                                                   nlohmann::json::error_handler_t::replace)
                  << "\n";
        return code;
    }
    std::cerr << "tenancyctl: " << text;
    if (!info.sqlstate.empty())
        std::cerr << " (" << info.sqlstate << ")";
    std::cerr << "\n";
    if (!info.detail.empty())
        std::cerr << "  " << info.detail << "\n";
    if (!info.hint.empty())
        std::cerr << "  hint: " << info.hint << "\n";
    return code;
}

int tenancy_exit_code(const std::string& sqlstate) {
    const int number = std::atoi(sqlstate.c_str() + 2);
    return number >= 1 && number <= 10 ? exit_tenancy_base + number : exit_failure;
}

int run(const context& ctx, const std::function<void()>& action) {
    try {
        action();
        std::cout.flush();
        return std::cout ? exit_ok : report(ctx, exit_failure, "cannot write the output");
    } catch (const tenancy::error& e) {
        return report(ctx, tenancy_exit_code(e.info().sqlstate), e.message(), e.info());
    } catch (const pqxx::sql_error& e) {
        tenancy::diagnostics info;
        info.sqlstate = std::string{e.sqlstate()};
        return report(ctx, exit_failure, e.what(), info);
    } catch (const pqxx::broken_connection& e) {
        return report(ctx, exit_connection, e.what());
    } catch (const tenancy::embedding_error& e) {
        return report(ctx, exit_embedding, e.what());
    } catch (const std::invalid_argument& e) {
        return report(ctx, exit_usage, e.what());
    } catch (const std::exception& e) {
        return report(ctx, exit_failure, e.what());
    }
}

} // namespace

int main(int argc, char** argv) {
    context ctx;
    std::string role;
    std::function<void()> action;

    CLI::App app{"Works with tenants of a PostgreSQL database that has the tenancy extension.", "tenancyctl"};
    app.footer(footer);
    app.set_version_flag("--version", std::string{"tenancyctl "} + TENANCY_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--db", ctx.conninfo, "connection string or URI (default: libpq's environment)");
    app.add_option("--role", role, "database role to act as, of which the login role is a member");
    app.add_flag("--json", ctx.json, "print JSON");
    app.add_flag("-q,--quiet", ctx.quiet, "print no more than is asked for");

    auto* organization = app.add_subcommand("org", "organizations: who pays; has tenants. For operators.");
    organization->alias("organization");
    organization->require_subcommand(1);
    organization_create_arguments new_organization;
    auto* create_organization = organization->add_subcommand("create", "make an organization");
    create_organization->add_option("slug", new_organization.slug, "short name, unique")->required();
    create_organization->add_option("--name", new_organization.name, "name for people");
    create_organization->callback([&] { action = [&] { organization_create(ctx, new_organization); }; });
    add_organization_commands(organization, ctx, action);

    auto* tenant =
        app.add_subcommand("tenant", "the unit of isolation. For operators (grant_control_plane).");
    tenant->require_subcommand(1);
    tenant_create_arguments new_tenant;
    auto* create_tenant = tenant->add_subcommand("create", "make a tenant and print its id");
    create_tenant->add_option("slug", new_tenant.slug, "short name, unique in the installation")->required();
    create_tenant->add_option("--name", new_tenant.name, "name for people");
    create_tenant->add_option("--organization", new_tenant.organization,
                              "its organization's id or slug (default: the default organization)");
    create_tenant->add_option("--external-key", new_tenant.external_key, "your own key for it");
    create_tenant->add_option("--settings", new_tenant.settings, "a JSON object")->capture_default_str();
    create_tenant->callback([&] { action = [&] { tenant_create(ctx, new_tenant); }; });
    std::string list_organization;
    auto* list_tenants = tenant->add_subcommand("list", "list tenants");
    list_tenants->add_option("--organization", list_organization, "only of this organization (id or slug)");
    list_tenants->callback([&] { action = [&] { tenant_list(ctx, list_organization); }; });
    std::string shown_tenant;
    auto* show_tenant = tenant->add_subcommand("show", "show one tenant");
    show_tenant->add_option("tenant", shown_tenant, "id or slug")->required();
    show_tenant->callback([&] { action = [&] { tenant_show(ctx, shown_tenant); }; });
    add_tenant_commands(tenant, ctx, action);

    add_user_commands(app, ctx, action);
    add_member_commands(app, ctx, action);
    add_key_commands(app, ctx, action);
    add_agent_commands(app, ctx, action);
    add_usage_commands(app, ctx, action);
    add_audit_commands(app, ctx, action);
    add_doctor_command(app, ctx, action);
    add_migrate_commands(app, ctx, action);

    auto* corpus = app.add_subcommand("corpus", "pairs of tables for documents. For owners (grant_owner).");
    corpus->require_subcommand(1);
    corpus_create_arguments new_corpus;
    auto* create_corpus = corpus->add_subcommand("create", "make a corpus");
    create_corpus->add_option("name", new_corpus.name)->capture_default_str();
    create_corpus->add_option("--dimensions", new_corpus.dimensions, "numbers per embedding")
        ->required()
        ->check(CLI::Range(1, 16000));
    create_corpus->add_option("--metric", new_corpus.metric)
        ->check(CLI::IsMember({"cosine", "inner_product", "l2"}))
        ->capture_default_str();
    create_corpus->add_option("--text-config", new_corpus.text_config, "text search configuration")
        ->capture_default_str();
    create_corpus->add_option("--schema", new_corpus.schema)->capture_default_str();
    create_corpus->add_option("--embedding-model", new_corpus.embedding_model,
                              "the model whose embeddings it takes; others are refused");
    create_corpus->callback([&] { action = [&] { tenancyctl::corpus_create(ctx, new_corpus); }; });

    ingest_arguments ingested;
    auto* ingest_command = app.add_subcommand("ingest", "store text files as a tenant's documents");
    ingest_command->footer(
        "A file is cut into chunks at the ends of paragraphs, sentences, or words, and each chunk is "
        "embedded.\n"
        "A document is known by the real path of its file (below --root, if given) or by --id. One that has not\n"
        "changed is left as it is, one that has is replaced, unless --append is given. What cannot be stored is\n"
        "reported, and the rest goes on.\n\n"
        "Examples:\n"
        "  tenancyctl ingest --tenant acme docs/ README.md\n"
        "  tenancyctl ingest --tenant acme --root /srv/handbook /srv/handbook/2026\n"
        "  tenancyctl ingest --tenant acme --id contract-17 --encoding LATIN1 contract.txt\n"
        "  tenancyctl ingest --tenant acme --embedder http --base-url http://localhost:11434/v1 --model "
        "nomic-embed-text docs/");
    ingest_command->add_option("paths", ingested.paths, "files, and folders with all below them")->required();
    ingest_command->add_option("-t,--tenant", ingested.tenant, "id or slug")->required();
    ingest_command->add_option("--user", ingested.user, "act as this user (id), a member of the tenant");
    ingest_command->add_option("--corpus", ingested.corpus)->capture_default_str();
    ingest_command->add_option("--root", ingested.root, "folder below which paths identify documents");
    ingest_command->add_option("--id", ingested.id, "what identifies the document, of a single file");
    ingest_command->add_option("--encoding", ingested.encoding,
                               "of files that are not UTF-8, by a name that iconv knows");
    ingest_command->add_flag("--create-corpus", ingested.create_corpus,
                             "make the corpus if it is missing; for owners");
    ingest_command->add_flag("--append", ingested.append, "keep documents that came from the same path");
    ingest_command->add_option("--chunk-size", ingested.chunk_bytes, "most bytes of a chunk")
        ->check(CLI::Range(64, 100'000))
        ->capture_default_str();
    ingest_command->add_option("--overlap", ingested.overlap_bytes, "bytes a chunk repeats of the one before")
        ->check(CLI::Range(0, 50'000))
        ->capture_default_str();
    add_embedder_options(ingest_command, ingested.embedder);
    ingest_command->callback([&] { action = [&] { tenancyctl::ingest(ctx, ingested); }; });

    search_arguments searched;
    auto* search_command = app.add_subcommand("search", "search a tenant's documents");
    search_command->footer("Examples:\n"
                           "  tenancyctl search --tenant acme \"who may copy the program\"\n"
                           "  tenancyctl search --tenant acme --mode keyword -k 3 warranty\n\n"
                           "Use the embedder that the documents were ingested with.");
    search_command->add_option("query", searched.query, "what to look for")->required();
    search_command->add_option("-t,--tenant", searched.tenant, "id or slug")->required();
    search_command->add_option("--user", searched.user, "act as this user (id), a member of the tenant");
    search_command->add_option("--corpus", searched.corpus)->capture_default_str();
    search_command
        ->add_option("-m,--mode", searched.mode,
                     "match: by embedding; keyword: by words (BM25); hybrid: by both")
        ->check(CLI::IsMember({"match", "hybrid", "keyword"}))
        ->capture_default_str();
    search_command->add_option("-k,--count", searched.count, "most results")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    search_command->add_option("--filter", searched.filter,
                               "a JSON object that the chunk's metadata must contain");
    search_command->add_option("--document", searched.documents, "only this document (id); may be repeated");
    search_command->add_option("--threshold", searched.threshold, "mode match: least similarity");
    search_command->add_option("--text-weight", searched.text_weight, "mode hybrid: weight of the words")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    search_command
        ->add_option("--fusion", searched.fusion, "mode hybrid: how the two rankings are put together")
        ->check(CLI::IsMember({"auto", "rrf", "convex"}))
        ->capture_default_str();
    add_embedder_options(search_command, searched.embedder);
    search_command->callback([&] { action = [&] { tenancyctl::search(ctx, searched); }; });

    auto* status_command =
        app.add_subcommand("status", "show the server, the extension, roles, tenants and corpora");
    status_command->callback([&] { action = [&] { tenancyctl::status(ctx); }; });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? exit_ok : exit_usage;
    }
    return run(ctx, [&] {
        ctx.conninfo = with_role(ctx.conninfo, role);
        action();
    });
}
