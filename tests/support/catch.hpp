// SPDX-License-Identifier: BSL-1.0
//
// Catch2 under one name: version 3 where it is installed, version 2 as Debian 12 ships it. Tests
// include this header and nothing else of Catch2.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#    include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#    include <catch2/catch.hpp>
#endif

#include <string>
#include <utility>

namespace test {

/// Matches a text that holds another: `CHECK_THROWS_WITH(f(), test::contains("field"))`.
inline auto contains(std::string part) {
#if __has_include(<catch2/catch_all.hpp>)
    return Catch::Matchers::ContainsSubstring(std::move(part));
#else
    return Catch::Matchers::Contains(part);
#endif
}

} // namespace test
