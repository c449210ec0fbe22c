// SPDX-License-Identifier: BSL-1.0
//
// Retry-After as seconds, as a date, and as anything else: a delay between nothing and a year, or
// none.

#include "fuzz.hpp"

#include <highlevel/quota/headers.hpp>

#include <chrono>
#include <string>

namespace fuzz::retry_after {

int one_input(const std::uint8_t* data, std::size_t size) {
    namespace ch = std::chrono;
    fuzz::input in{data, size};
    // Any second from 1970 to the year 2106, so that years of two digits have any century.
    std::uint32_t seconds = 0;
    for (int i = 0; i < 4; ++i)
        seconds = seconds << 8 | in.byte();
    auto const now = ch::system_clock::time_point{ch::seconds{seconds}};
    std::string const value{in.rest()};
    auto const delay = highlevel::quota::parse_retry_after(value, now);
    if (!delay) return 0;
    fuzz::require(*delay >= ch::milliseconds::zero(), "a delay is not negative");
    fuzz::require(*delay <= ch::hours{24 * 365}, "a delay is at most a year");
    auto const padded = highlevel::quota::parse_retry_after("\t " + value + " ", now);
    fuzz::require(padded == delay, "blanks around it change nothing");
    return 0;
}

} // namespace fuzz::retry_after
