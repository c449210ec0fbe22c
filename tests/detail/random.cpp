// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/random.hpp: that numbers differ, spread evenly, and have the length asked for.

#include "support/catch.hpp"

#include <highlevel/detail/random.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

namespace detail_random_tests {

namespace detail = highlevel::detail;

TEST_CASE("random_hex_is_two_lower_case_digits_per_byte", "[detail]") {
    auto const made = detail::random_hex<16>();
    CHECK(made.size() == 32);
    CHECK(made.find_first_not_of("0123456789abcdef") == made.npos);
    CHECK(detail::random_hex<16>() != made);
}

TEST_CASE("random_bits_do_not_repeat", "[detail]") {
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i)
        seen.insert(detail::random_bits());
    CHECK(seen.size() == 1000);
}

TEST_CASE("random_spread_is_even_and_below_one", "[detail]") {
    detail::random_spread spread;
    std::array<int, 10> tenths{};
    constexpr int draws = 100'000;
    for (int i = 0; i < draws; ++i) {
        auto const drawn = spread.next();
        REQUIRE(drawn >= 0);
        REQUIRE(drawn < 1);
        ++tenths[static_cast<std::size_t>(drawn * 10)];
    }
    // Ten times the deviation that is to be expected of even numbers.
    for (auto const count : tenths)
        CHECK(std::abs(count - draws / 10) < 1000);
    detail::random_spread other;
    CHECK(other.next() != spread.next());
}

} // namespace detail_random_tests
