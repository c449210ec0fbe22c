// SPDX-License-Identifier: BSL-1.0
//
// What the sandbox says to each Version header.
#include "support/catch.hpp"

#include <highlevel/sandbox/detail/version_header.hpp>

#include <optional>
#include <string>

namespace sandbox_detail_version_header_tests {

using highlevel::sandbox::detail::refuse_version;

TEST_CASE("versions_of_the_api_are_taken", "[sandbox]") {
    for (auto const* known : {"2021-04-15", "2021-07-28", "2023-02-21", "v3"})
        CHECK_FALSE(refuse_version(known));
}

TEST_CASE("refusal_depends_on_whether_it_looks_like_a_version", "[sandbox]") {
    CHECK(refuse_version(std::nullopt)->status == 401);
    CHECK(refuse_version(std::nullopt)->message == "version header was not found.");
    for (auto const* unknown : {"1999-01-01", "v4", "v30"}) {
        CAPTURE(unknown);
        CHECK(refuse_version(unknown)->status == 401);
        CHECK(refuse_version(unknown)->message == "version header is invalid");
    }
    for (auto const* other : {"", "latest", "v", "v3x", "V3", "2021-07-2x", "2021-07-280"}) {
        CAPTURE(other);
        CHECK(refuse_version(other)->status == 400);
        CHECK(
            refuse_version(other)->message ==
            "Invalid API version segment '" + std::string(other) + "'");
    }
}

} // namespace sandbox_detail_version_header_tests
