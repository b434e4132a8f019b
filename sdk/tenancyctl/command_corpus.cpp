#include <iostream>

#include <nlohmann/json.hpp>

#include "tenancyctl/commands.hpp"

namespace tenancyctl {

void corpus_create(const context& ctx, const corpus_create_arguments& arguments) {
    tenancy::connection c{ctx.conninfo};
    c.translating([&] {
        pqxx::params parameters;
        parameters.append(arguments.name);
        parameters.append(arguments.dimensions);
        parameters.append(arguments.metric);
        parameters.append(arguments.text_config);
        parameters.append(arguments.schema);
        if (arguments.embedding_model.empty())
            parameters.append();
        else
            parameters.append(arguments.embedding_model);
        pqxx::nontransaction tx{c.native()};
        tenancy::detail::exec_params(tx, "SELECT tenancy.create_corpus($1, $2, $3, $4, $5, embedding_model => $6)", parameters);
    });
    if (ctx.json)
        std::cout << nlohmann::ordered_json{{"corpus", arguments.name}, {"dimensions", arguments.dimensions}}
                         .dump(2)
                  << "\n";
    else if (!ctx.quiet)
        std::cout << "corpus " << arguments.name << " takes embeddings of " << arguments.dimensions
                  << " dimensions\n";
}

} // namespace tenancyctl
