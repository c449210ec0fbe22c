// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/deadline.hpp: sums that do not overflow.
#include "support/catch.hpp"

#include <highlevel/detail/deadline.hpp>

#include <chrono>

namespace detail_deadline_tests {

using namespace std::chrono_literals;
using highlevel::detail::after;
using highlevel::detail::bounded;
using clock_type = std::chrono::steady_clock;

TEST_CASE("a_deadline_beyond_the_clock_is_none", "[detail]") {
    clock_type::time_point const now{1h};
    auto const never = clock_type::time_point::max();
    CHECK((after(now, 5ms) == now + 5ms));
    CHECK((after(now, -5ms) == now - 5ms));
    CHECK((after(now, std::chrono::milliseconds::max()) == never));
    CHECK((after(never - 1ms, 2ms) == never));
    CHECK((after(clock_type::time_point{-1h}, std::chrono::milliseconds::max()) == never));
}

TEST_CASE("a_span_for_arithmetic_has_a_bound", "[detail]") {
    CHECK(bounded(5ms) == 5ms);
    CHECK(bounded(std::chrono::milliseconds::max()) == std::chrono::hours{24 * 3650});
}

} // namespace detail_deadline_tests
