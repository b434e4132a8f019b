#include <iostream>

#include <tenancy/tenancy.hpp>

int main() {
    std::cout << TENANCY_VERSION << "\n";
    tenancy::hashing_embedder embedder;
    try {
        tenancy::tenant_id{"not an id"};
    } catch (const tenancy::bad_id&) {
        return embedder.embed_one("text").size() == 256 ? 0 : 1;
    }
    return 1;
}
