// SPDX-License-Identifier: BSL-1.0
//
// Every operation of v3 keeps the promises that the encoder and the client rely on.
#include "generated/facts.hpp"
#include "support/catch.hpp"

#include <highlevel/v3/all.hpp>

#include <cstddef>

namespace generated_operations_v3_tests {

TEST_CASE("every_operation_of_v3_has_sound_facts", "[generated]") {
    std::size_t operations = 0;
    std::size_t anonymous = 0;
    for (auto const& found : test::findings<highlevel::v3::operations>::all) {
        INFO(found.family << " " << found.name);
        CHECK(found.problem == "");
        ++operations;
        anonymous += found.anonymous ? 1 : 0;
    }
    CHECK(operations == 627);
    // Only the token endpoint and the public chat widget are called without a token.
    CHECK(anonymous == 2);
}

} // namespace generated_operations_v3_tests
