// SPDX-License-Identifier: BSL-1.0
//
// Not every C++ type has a form in JSON; the message says which have.
// MESSAGE: no wire type for this C.. type. use bool, std::int64_t, double
#include <highlevel/json/type.hpp>

#include <cstdint>

#if defined(HIGHLEVEL_TEST_GOOD)
using number = std::int64_t;
#else
using number = char16_t;
#endif

auto const kind = highlevel::json::type_of<number>.what;
