// SPDX-License-Identifier: BSL-1.0
//
// A time-out is a duration, not a number whose unit one has to guess.
// MESSAGE: (cannot convert|could not convert|no viable conversion|no known conversion)
#include <highlevel/call_options.hpp>

#include <chrono>

highlevel::call_options const options {
#if defined(HIGHLEVEL_TEST_GOOD)
    .timeout = std::chrono::seconds{5},
#else
    .timeout = 5000,
#endif
};
