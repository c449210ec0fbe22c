// SPDX-License-Identifier: BSL-1.0
//
// Every operation of v2 keeps the promises that the encoder and the client rely on.
#include "generated/facts.hpp"
#include "support/catch.hpp"

#include <highlevel/v2/all.hpp>

#include <cstddef>

namespace generated_operations_v2_tests {

TEST_CASE("every_operation_of_v2_has_sound_facts", "[generated]") {
    std::size_t operations = 0;
    std::size_t anonymous = 0;
    for (auto const& found : test::findings<highlevel::v2::operations>::all) {
        INFO(found.family << " " << found.name);
        CHECK(found.problem == "");
        ++operations;
        anonymous += found.anonymous ? 1 : 0;
    }
    CHECK(operations == 576);
    // Only the token endpoint is called without a token.
    CHECK(anonymous == 1);
}

} // namespace generated_operations_v2_tests
