// SPDX-License-Identifier: BSL-1.0
//
// The elements of std::vector<bool> cannot be decoded in place.
// MESSAGE: std::vector<bool> has no addressable elements
#include <highlevel/json/type.hpp>

#include <vector>

#if defined(HIGHLEVEL_TEST_GOOD)
using flags = std::vector<double>;
#else
using flags = std::vector<bool>;
#endif

auto const kind = highlevel::json::type_of<flags>.what;
