// SPDX-License-Identifier: BSL-1.0
//
// The version has one source, the header; this ties it to what CMake or Meson read out of it.
#include "support/catch.hpp"

#include <highlevel/version.hpp>

#include <string>

namespace version_tests {

TEST_CASE("version_numbers_and_text_agree", "[version]") {
    const std::string spelled = std::to_string(highlevel::version_major) + '.' +
        std::to_string(highlevel::version_minor) + '.' + std::to_string(highlevel::version_patch);
    CHECK(spelled == highlevel::version_string);
    CHECK(
        HIGHLEVEL_VERSION ==
        highlevel::version_major * 10000 + highlevel::version_minor * 100 +
            highlevel::version_patch);
}

TEST_CASE("version_of_the_build_system_is_the_header's", "[version]") {
    CHECK(std::string{HIGHLEVEL_TEST_BUILD_VERSION} == highlevel::version_string);
}

} // namespace version_tests
