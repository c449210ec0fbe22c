// SPDX-License-Identifier: BSL-1.0
//
// Every operation of v3 keeps the promises that the encoder and the client rely on.
#include "generated/facts.hpp"
#include "support/catch.hpp"

#include <highlevel/v3/all.hpp>

TEST_CASE("every_operation_of_v3_has_sound_facts", "[generated]") {
    auto const facts = test::check_facts<highlevel::v3::operations>();
    for (auto const& problem : facts.problems())
        FAIL_CHECK(problem);
    CHECK(facts.operations() == 627);
    CHECK(facts.structs() > 400);
    CHECK(facts.anonymous() == 2);
}
