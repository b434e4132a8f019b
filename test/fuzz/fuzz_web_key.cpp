#include "credentials/pure/web_key.hpp"

#include "fuzz.hpp"
#include "pure/error.hpp"

using namespace tenancy::credentials;

// Keys are read or refused with a reason, and none of them accepts a signature of zeros.
FUZZ_TARGET(web_key) {
    static const std::vector<algorithm> choices[] = {
        {algorithm::hs256}, {algorithm::rs256, algorithm::es256, algorithm::eddsa}, {algorithm::es256}};
    for (const auto& algorithms : choices) {
        try {
            key_set keys = key_set::parse(text, algorithms);
            require(keys.size() > 0 && keys.size() <= most_keys);
            for (algorithm by : algorithms)
                for (std::size_t size : {0, 32, 64, 256})
                    require(!keys.verifies(by, std::nullopt, "message", std::string(size, '\0')));
        } catch (const tenancy::error& e) {
            require(e.sqlstate() == tenancy::sqlstate::invalid_parameter_value && !e.detail().empty());
        }
    }
}
